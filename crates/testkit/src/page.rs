//! Project pages as an index writes them: JSON (PEP 691, 700, 714, 792) and HTML (PEP 503, 592, 629, 658).

use serde_json::{Map, Value, json};

/// The media type of a JSON page.
pub(crate) const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// The media type of an HTML page.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// One file as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) filename: String,
    pub(crate) url: String,
    /// Algorithm and hexadecimal digits.
    pub(crate) hashes: Vec<(String, String)>,
    pub(crate) size_bytes: Option<i64>,
    pub(crate) uploaded: Option<String>,
    pub(crate) requires_python: Option<String>,
    pub(crate) yanked: Option<String>,
    /// `None`: no sidecar. `Some(None)`: a sidecar without a digest.
    pub(crate) core_metadata: Option<Option<String>>,
    pub(crate) provenance: Option<String>,
    pub(crate) version: Option<String>,
}

/// One project as the page shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) api_version: String,
    pub(crate) status: Option<(String, Option<String>)>,
    pub(crate) last_serial: Option<u64>,
    pub(crate) rows: Vec<Row>,
}

impl Page {
    /// Returns the page as JSON.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut versions: Vec<&str> = self.rows.iter().filter_map(|row| row.version.as_deref()).collect();
        versions.sort_unstable();
        versions.dedup();
        let mut meta = Map::new();
        meta.insert("api-version".into(), json!(self.api_version));
        if let Some(serial) = self.last_serial {
            meta.insert("_last-serial".into(), json!(serial));
        }
        let files: Vec<Value> = self.rows.iter().map(json_row).collect();
        let mut page = Map::new();
        page.insert("meta".into(), Value::Object(meta));
        page.insert("name".into(), json!(self.name));
        page.insert("versions".into(), json!(versions));
        page.insert("files".into(), Value::Array(files));
        if let Some((status, reason)) = &self.status {
            page.insert("project-status".into(), json!({ "status": status, "reason": reason }));
        }
        serde_json::to_vec(&Value::Object(page)).expect("a value made of strings can be written")
    }

    /// Returns the page as HTML.
    pub(crate) fn html(&self) -> Vec<u8> {
        let mut text = "<!DOCTYPE html>\n<html>\n<head>\n".to_owned();
        text += &format!("<meta name=\"pypi:repository-version\" content=\"{}\">\n", escape(&self.api_version));
        if let Some((status, reason)) = &self.status {
            text += &format!("<meta name=\"pypi:project-status\" content=\"{}\">\n", escape(status));
            if let Some(reason) = reason {
                text += &format!("<meta name=\"pypi:project-status-reason\" content=\"{}\">\n", escape(reason));
            }
        }
        let name = escape(&self.name);
        text += &format!("<title>Links for {name}</title>\n</head>\n<body>\n<h1>Links for {name}</h1>\n");
        for row in &self.rows {
            text += &html_row(row);
        }
        text += "</body>\n</html>\n";
        text.into_bytes()
    }
}

fn json_row(row: &Row) -> Value {
    let hashes = row.hashes.iter().map(|(algorithm, digest)| (algorithm.clone(), json!(digest))).collect();
    let mut file = Map::new();
    file.insert("filename".into(), json!(row.filename));
    file.insert("url".into(), json!(row.url));
    file.insert("hashes".into(), Value::Object(hashes));
    if let Some(size) = row.size_bytes {
        file.insert("size".into(), json!(size));
    }
    if let Some(uploaded) = &row.uploaded {
        file.insert("upload-time".into(), json!(uploaded));
    }
    if let Some(requires_python) = &row.requires_python {
        file.insert("requires-python".into(), json!(requires_python));
    }
    if let Some(reason) = &row.yanked {
        file.insert("yanked".into(), if reason.is_empty() { json!(true) } else { json!(reason) });
    }
    if let Some(digest) = &row.core_metadata {
        let value = digest.as_ref().map_or(json!(true), |digest| json!({ "sha256": digest }));
        file.insert("core-metadata".into(), value);
    }
    if let Some(provenance) = &row.provenance {
        file.insert("provenance".into(), json!(provenance));
    }
    Value::Object(file)
}

fn html_row(row: &Row) -> String {
    let fragment = row.hashes.first().map(|(algorithm, digest)| format!("#{algorithm}={digest}")).unwrap_or_default();
    let mut anchor = format!("<a href=\"{}\"", escape(&(row.url.clone() + &fragment)));
    if let Some(requires_python) = &row.requires_python {
        anchor += &format!(" data-requires-python=\"{}\"", escape(requires_python));
    }
    if let Some(reason) = &row.yanked {
        anchor += &format!(" data-yanked=\"{}\"", escape(reason));
    }
    if let Some(digest) = &row.core_metadata {
        let value = digest.as_ref().map_or("true".to_owned(), |digest| format!("sha256={digest}"));
        anchor += &format!(" data-core-metadata=\"{value}\" data-dist-info-metadata=\"{value}\"");
    }
    if let Some(provenance) = &row.provenance {
        anchor += &format!(" data-provenance=\"{}\"", escape(provenance));
    }
    format!("{anchor}>{}</a><br>\n", escape(&row.filename))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
