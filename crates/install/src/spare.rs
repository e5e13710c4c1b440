//! One former generation that has left the history and waits to become the next one.
//!
//! To build a generation is to make a link for every file, and to remove one is to remove them all; from one lock to the next
//! most files are the same. So the newest of what leaves the history is kept in one place, `.pinfold-NAME/spare`, and the
//! next sync begins with it instead of with nothing ([`crate::reuse`] says what is believed of it: nothing). The history, the
//! environment in place and the exchange know nothing of it.
//!
//! Only what is linked from the store is kept, because a spare of copies would take as much room as an environment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::disk::Kind;
use crate::receipt::Manner;
use crate::stage::StageOptions;
use crate::{EnvironmentGuard, Intent, LinkMode, layout};

/// Returns the spare, if there is one that a generation could begin with. Nothing of it is certain.
pub(crate) fn find(guard: &EnvironmentGuard, intent: &Intent<'_>, options: &StageOptions<'_>) -> Option<PathBuf> {
    let spare = guard.environment().spare();
    let Manner { link_mode, interpreter, .. } = Manner::read_in(&guard.anchor().open_directory(&spare).ok()?)?;
    let is_fit = link_mode == options.link_mode && interpreter.scheme == intent.interpreter.scheme;
    (is_fit && is_by_links(link_mode)).then_some(spare)
}

/// Keeps a generation that leaves the history as the spare, if it may be of use. False if it is still where it was.
pub(crate) fn keep(guard: &EnvironmentGuard, generation: &Path) -> bool {
    is_worth_keeping(guard, generation) && guard.anchor().rename_new(generation, &guard.environment().spare()).is_ok()
}

fn is_by_links(mode: LinkMode) -> bool {
    matches!(mode, LinkMode::Auto | LinkMode::Hardlink)
}

/// Returns true if the files of a generation are links, as far as a look at one of each distribution tells.
fn is_worth_keeping(guard: &EnvironmentGuard, generation: &Path) -> bool {
    let Ok(opened) = guard.anchor().open_directory(generation) else { return false };
    let Some(Manner { link_mode, interpreter, .. }) = Manner::read_in(&opened) else { return false };
    if !is_by_links(link_mode) {
        return false;
    }
    let scheme = &interpreter.scheme;
    let sites = BTreeSet::from([&scheme.purelib, &scheme.platlib].map(|site| layout::through_link(site.clone())));
    let (mut linked, mut single) = (0, 0);
    for site in sites {
        let Ok(directory) = opened.directory.open_in(&site) else { return false };
        for (name, _) in directory.entries().unwrap_or_default() {
            let Some(name) = name.to_str().filter(|name| name.ends_with(".dist-info")) else { continue };
            match directory.facts(&format!("{name}/METADATA")) {
                Ok(facts) if facts.kind == Kind::File && facts.names > 1 => linked += 1,
                _ => single += 1,
            }
        }
    }
    linked > single
}
