//! Writing `[tool.pinfold.asked]`: a line for each package, so that a changed requirement is a changed line.

use super::{Output, put_array, put_quoted};
use crate::{Asked, Asker};

pub(super) fn write_asked(out: &mut Output, asked: &Asked) {
    if asked.is_empty() {
        return;
    }
    out.header("[tool.pinfold.asked]");
    for (key, by) in
        [("application", Asker::Application), ("constraints", Asker::Constraints), ("overrides", Asker::Overrides)]
    {
        if let Some(texts) = asked.by.get(&by) {
            out.lines(key, texts, |text, asked| put_quoted(text, asked));
        }
    }
    write_askers(out, asked, "extras", |by| match by {
        Asker::Extra(name) => Some(name.to_string()),
        _ => None,
    });
    write_askers(out, asked, "groups", |by| match by {
        Asker::Group(name) => Some(name.to_string()),
        _ => None,
    });
    write_askers(out, asked, "packages", |by| match by {
        Asker::Package(name, version) => Some(format!("{name} {version}")),
        _ => None,
    });
}

fn write_askers(out: &mut Output, asked: &Asked, table: &str, key: impl Fn(&Asker) -> Option<String>) {
    let mut begun = false;
    for (by, texts) in &asked.by {
        let Some(key) = key(by) else { continue };
        if !begun {
            out.header(&format!("[tool.pinfold.asked.{table}]"));
            begun = true;
        }
        out.quoted_pair(&key, |text| put_array(text, texts));
    }
}
