//! What the store found changed and put aside: told as soon as it is known, with the path, what was stored and what is there.

use pinfold_lock::Selection;
use pinfold_store::{Damage, Store};

use crate::output::Output;

/// Tells what the store has put aside since this was asked last. What is needed of it is fetched again.
pub(crate) fn tell(store: &Store, selection: &Selection, output: &Output) {
    for damage in store.take_damage() {
        let of = selection.packages.iter().find(|selected| selected.artifact.sha256 == damage.artifact);
        let name = of.map_or_else(|| format!("sha256 {}", damage.artifact), |it| it.artifact.filename.to_string());
        output.warning(&format!(
            "{}; it was moved to the quarantine and is made again from the locked origin; see `pinfold explain store-mismatch`",
            described(&damage, &name)
        ));
    }
}

/// Says what is damaged: the entry, the file in it, what was stored and what is there.
pub(crate) fn described(damage: &Damage, name: &str) -> String {
    let Damage { path, expected, found, .. } = damage;
    if path.is_empty() {
        return format!("the store's entry of `{name}` was changed: expected {expected}, found {found}");
    }
    format!("the store's entry of `{name}` was changed: `{path}`: expected {expected}, found {found}")
}
