//! `direct_url.json`: where a distribution came from that no index has
//! (<https://packaging.python.org/specifications/direct-url/>).

use pinfold_lock::{Direct, Selected};
use serde_json::{Map, Value, json};

/// Returns what the file says; none for a distribution from an index.
pub(crate) fn text(selected: &Selected) -> Option<String> {
    let direct = selected.direct.as_ref()?;
    let mut record = Map::new();
    let url = selected.artifact.url.without_fragment().as_str().to_owned();
    let url = match direct {
        Direct::Archive { .. } => {
            let hashes = json!({ "sha256": selected.artifact.sha256.to_string() });
            record.insert("archive_info".to_owned(), json!({ "hashes": hashes }));
            url
        }
        Direct::Directory { .. } => {
            record.insert("dir_info".to_owned(), json!({}));
            url
        }
        Direct::Git { url, requested_revision, commit, .. } => {
            let mut info = json!({ "vcs": "git", "commit_id": commit.as_str() });
            if let Some(revision) = requested_revision {
                info["requested_revision"] = Value::from(revision.as_str());
            }
            record.insert("vcs_info".to_owned(), info);
            url.as_str().to_owned()
        }
    };
    record.insert("url".to_owned(), Value::from(url));
    if let Some(subdirectory) = direct.subdirectory() {
        record.insert("subdirectory".to_owned(), Value::from(subdirectory.as_str()));
    }
    Some(format!("{}\n", Value::Object(record)))
}
