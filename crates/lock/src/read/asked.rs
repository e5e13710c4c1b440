//! Reading `[tool.pinfold.asked]`.

use std::collections::BTreeSet;

use super::table::{Item, Table};
use crate::{Asked, Asker, LockError};

pub(super) fn read_asked(tool: &Table<'_>) -> Result<Asked, LockError> {
    let mut asked = Asked::default();
    let Some(table) = tool.optional("asked").map(Item::table).transpose()? else { return Ok(asked) };
    table.refuse_others(&["application", "constraints", "extras", "groups", "overrides", "packages"])?;
    for (key, by) in
        [("application", Asker::Application), ("constraints", Asker::Constraints), ("overrides", Asker::Overrides)]
    {
        let texts: BTreeSet<String> = table.texts(key)?;
        texts.into_iter().for_each(|text| asked.add(by.clone(), text));
    }
    read_askers(&table, "extras", &mut asked, |name| name.parse().map(Asker::Extra).map_err(|e| e.to_string()))?;
    read_askers(&table, "groups", &mut asked, |name| name.parse().map(Asker::Group).map_err(|e| e.to_string()))?;
    read_askers(&table, "packages", &mut asked, |key| {
        let (name, version) = key.split_once(' ').ok_or("it is no name and version")?;
        let name = name.parse().map_err(|e: pinfold_packaging::NameError| e.to_string())?;
        let version = version.parse().map_err(|e: pinfold_packaging::VersionError| e.to_string())?;
        Ok(Asker::Package(name, version))
    })?;
    Ok(asked)
}

fn read_askers(
    table: &Table<'_>,
    key: &str,
    asked: &mut Asked,
    asker: impl Fn(&str) -> Result<Asker, String>,
) -> Result<(), LockError> {
    let Some(table) = table.optional(key).map(Item::table).transpose()? else { return Ok(()) };
    for (key, item) in table.items() {
        let by = asker(key).map_err(|reason| item.wrong_value(key, reason))?;
        for text in item.array()? {
            asked.add(by.clone(), text.text()?);
        }
    }
    Ok(())
}
