//! What an earlier run with the same requirements looked at: asked for at once, before the resolver asks.
//!
//! It saves rounds, nothing else: a question that was asked in vain changes no answer, and one that is missing here is asked
//! when the resolver comes to it. Only what the pack holds is asked for ahead; nobody goes to the network on a guess.

use std::collections::BTreeSet;

use pinfold_artifact::{ArtifactFilename, Origin, Sha256};
use pinfold_fetch::Fetcher;
use pinfold_packaging::{PackageName, Version};
use pinfold_resolve::{Facts, Problem, Question};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::indexes::Indexes;
use crate::exit::{Exit, Failure};

/// Questions of an earlier run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ahead {
    /// Projects whose pages it looked at.
    pub(super) pages: BTreeSet<PackageName>,
    /// Files whose METADATA it looked at.
    pub(super) files: BTreeSet<AskedFile>,
}

/// A file whose METADATA an earlier run looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct AskedFile {
    /// Its project.
    pub(super) name: PackageName,
    /// The version that it is of.
    pub(super) version: Version,
    /// Its name.
    pub(super) filename: ArtifactFilename,
}

/// Where the questions of a run are kept: named for what is asked for.
pub(super) struct Place {
    kind: String,
    origin: Origin,
}

impl Place {
    /// Returns the place for these problems.
    pub(super) fn of(problems: &[Problem], indexes: &Indexes) -> Option<Self> {
        let index = indexes.all().first()?;
        let mut hasher = sha2::Sha256::new();
        let names: BTreeSet<&PackageName> =
            problems.iter().flat_map(|problem| &problem.roots).map(|root| &root.requirement.name).collect();
        names.iter().for_each(|name| hasher.update(format!("{name}\n")));
        let digest = Sha256::from_bytes(hasher.finalize().into());
        Some(Self { kind: format!("asked-1-{}", digest.short()), origin: index.origin() })
    }

    /// Returns what an earlier run asked; nothing if there was none.
    pub(super) fn read(&self, fetcher: &Fetcher) -> Ahead {
        let kept = fetcher.recall_packed(&self.kind, &self.origin, self.origin.index());
        kept.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps what this run asked.
    ///
    /// # Errors
    /// Exit 70: it can always be written.
    pub(super) fn keep(&self, fetcher: &Fetcher, asked: &Ahead) -> Result<(), Failure> {
        let bytes = postcard::to_allocvec(asked).map_err(|e| Failure::of(Exit::Bug, &e))?;
        fetcher.note(&self.kind, &self.origin, self.origin.index(), bytes.into());
        Ok(())
    }
}

impl AskedFile {
    /// Returns the question about METADATA of the file, if its page still lists it.
    pub(super) fn question(&self, facts: &Facts) -> Option<Question> {
        let page = facts.page(&self.name)?;
        let releases = page.releases();
        let files = releases.files(releases.position(&self.version)?);
        let file = files.iter().find(|file| file.filename == self.filename)?;
        let (name, version) = (self.name.clone(), self.version.clone());
        Some(Question::Metadata { name, version, file: file.clone(), origin: page.origin().clone() })
    }
}
