//! A lock that is known to be what locking again gives.
//!
//! Locking is a function of the inputs, the present lock and the answers of the indexes. Where the cutoff lies in the past and
//! every page was fetched after it, the answers are those in the pack and cannot change. So once locking again has given the
//! lock that was there already, that fact is kept, under a name made of everything the function depends on. `lock --check` never
//! looks here: it asks the index.

use std::path::PathBuf;

use jiff::Timestamp;
use pinfold_artifact::Sha256;
use pinfold_fetch::Fetcher;
use pinfold_manifest::UploadTime;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::inputs::Inputs;
use super::pages::Relevance;
use super::pip::PipAnswer;
use super::{Answers, Effect, Keep, LockRequest, Round};
use crate::exit::{Exit, Failure};
use crate::ops::write_whole;
use crate::world::World;

/// What locking told when it changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    /// The digest of the pack with the answers.
    pub(super) pack: [u8; 32],
    /// Per target, its name and how many packages it has.
    pub(super) targets: Vec<(String, usize)>,
    /// The warnings.
    pub(super) warnings: Vec<String>,
}

/// Where it is kept that a lock is what locking again gives.
pub(super) struct Place {
    path: PathBuf,
    pages: PathBuf,
    pack_name: String,
}

impl Place {
    /// Returns the place for a present lock; nothing where more than the pack decides what locking gives.
    ///
    /// # Errors
    /// Exit 4 if the cache directory cannot be made.
    pub(super) fn of(
        request: &LockRequest<'_>,
        (inputs, cutoff, pip): (&Inputs, Option<Timestamp>, Option<&PipAnswer>),
        round: &Round<'_>,
        before: Option<&str>,
        world: &World,
    ) -> Result<Option<Self>, Failure> {
        let keeps_all = matches!(&request.keep, Keep::AllBut(moving) if moving.is_empty());
        let usual = keeps_all && request.effect == Effect::Write && matches!(request.answers, Answers::Live);
        let first_seen = inputs.manifest.indexes.iter().any(|index| index.upload_time == UploadTime::FirstSeen);
        let (Some(before), Some(_), true) = (before, cutoff, usual && !first_seen) else { return Ok(None) };
        if round.since.is_some() || !inputs.references.is_empty() || request.decisions.any() {
            return Ok(None);
        }
        let mut hasher = sha2::Sha256::new();
        let index = pip.map_or("", |pip| pip.url.as_str());
        let asked = format!("{inputs:?} {cutoff:?} {:?}", request.python);
        for part in [env!("CARGO_PKG_VERSION"), before, &asked, index] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
        let name = Sha256::from_bytes(hasher.finalize().into());
        Ok(Some(Self {
            path: world.cache_subdirectory("unchanged")?.join(format!("{name}.json")),
            pages: world.pages_dir(),
            pack_name: Relevance::kind_of(&inputs.targets, cutoff),
        }))
    }

    /// Returns what locking told when it last gave the lock that is there, if the answers are still the same.
    pub(super) fn look(&self) -> Option<Told> {
        let told: Told = serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()?;
        (Fetcher::pack_digest(&self.pages, &self.pack_name)? == told.pack).then_some(told)
    }

    /// Keeps what locking told.
    ///
    /// # Errors
    /// Exit 4 if it cannot be written.
    pub(super) fn keep(&self, targets: &[(String, usize)], warnings: &[String]) -> Result<(), Failure> {
        let Some(pack) = Fetcher::pack_digest(&self.pages, &self.pack_name) else { return Ok(()) };
        let told = Told { pack, targets: targets.to_vec(), warnings: warnings.to_vec() };
        write_whole(&self.path, &serde_json::to_vec(&told).map_err(|e| Failure::of(Exit::Bug, &e))?)
    }
}
