//! Files that are placed before everything has arrived: a distribution's, as soon as its tree is there.
//!
//! Whether distributions may be installed together is not decided here. Each path is placed once, by who comes first; when
//! all are known they are merged, and what was placed is either what the merged list says, byte for byte, or nobody's
//! fault but that of a list that is refused. If anything goes wrong, everything placed ahead is forgotten.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pinfold_artifact::{ArchivePath, Sha256};
use pinfold_lock::Selected;
use pinfold_store::StoredTree;

use crate::disk;
use crate::link::{self, NamedTree, Placing};
use crate::merge::{Group, Planned};
use crate::stage::{Part, StageOptions};
use crate::wheel_facts::WheelFacts;
use crate::{Interpreter, distribution};

/// What was placed ahead.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// The files, and from which tree.
    placed: Mutex<HashMap<ArchivePath, Sha256>>,
    /// Something was placed by halves.
    spoiled: AtomicBool,
}

impl Ahead {
    /// Places what one distribution brings, as far as nobody else did.
    pub(crate) fn place(
        &self,
        root: &Path,
        interpreter: &Interpreter,
        options: &StageOptions<'_>,
        selected: &Selected,
        tree: &StoredTree,
    ) {
        if self.spoiled.load(Ordering::Relaxed) {
            return;
        }
        let Some(facts) = WheelFacts::of(tree.manifest()) else { return };
        let part = Part { selected, tree, facts };
        // Whatever is wrong with it is said when everything is there.
        let Ok(files) = distribution::stored(&part, 0, interpreter) else { return };
        let files = self.claim(files, tree.sha256());
        let trees = [NamedTree { package: &selected.name, tree }];
        let StageOptions { link_mode: mode, progress, .. } = *options;
        let placing = Placing { root, trees: &trees, mode, threads: 1, progress };
        if link::place_all(&Group::all(&files), &HashMap::new(), &placing).is_err() {
            self.spoiled.store(true, Ordering::Relaxed);
        }
    }

    /// Returns what was placed; none if it is not known.
    pub(crate) fn into_placed(self) -> Option<HashMap<ArchivePath, Sha256>> {
        let placed = self.placed.into_inner().unwrap_or_else(PoisonError::into_inner);
        (!self.spoiled.into_inner()).then_some(placed)
    }

    /// Leaves out what somebody else has claimed, and claims the rest. Files of one directory are neighbours.
    fn claim<'a>(&self, mut files: Vec<Planned<'a>>, tree: &Sha256) -> Vec<Planned<'a>> {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|file| match placed.contains_key(&file.path) {
            true => false,
            false => placed.insert(file.path.clone(), *tree).is_none(),
        });
        drop(placed);
        files.sort_by(|a, b| disk::split(a.path.as_str()).cmp(&disk::split(b.path.as_str())));
        files
    }
}
