//! What a repair needs beside an ordinary install: a look under the lock that it holds, and a look at every byte of what
//! it built, before that takes the environment's place.

use pinfold_artifact::Sha256;
use pinfold_lock::Lock;

use super::hashes::{self, Reading};
use super::{Depth, Finding, Listed, Report, VerifyOptions, verify_held};
use crate::{EnvironmentGuard, InstallError, ReceiptFiles, Staged, bytecode};

impl EnvironmentGuard {
    /// Verifies the environment that is guarded.
    ///
    /// # Errors
    /// As [`verify`](crate::verify()).
    pub fn verify(
        &self,
        lock: &Lock,
        lock_sha256: &Sha256,
        options: &VerifyOptions<'_>,
    ) -> Result<Report, InstallError> {
        verify_held(self.environment(), lock, lock_sha256, options)
    }

    /// Returns true if the environment's modules were compiled while it was installed.
    pub fn has_compiled_modules(&self) -> bool {
        let opened = self.anchor().open_directory(self.environment().venv());
        let list = opened.ok().and_then(|opened| ReceiptFiles::read_in(&opened).ok().flatten());
        let is_compiled = |(list, _): (ReceiptFiles, _)| {
            list.files.iter().any(|file| bytecode::source_of(&file.path).is_some() && !file.owners.is_empty())
        };
        list.is_some_and(is_compiled)
    }
}

impl Staged<'_> {
    /// Reads every byte of the generation and compares it with its receipt: the store may have been written to through
    /// the environment, with the times put back.
    ///
    /// # Errors
    /// What the disk says.
    pub fn check(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Vec<Finding>, InstallError> {
        let gone = || InstallError::NoEnvironment { path: self.path().to_owned() };
        let (list, _) = ReceiptFiles::read_in(self.opened())?.ok_or_else(gone)?;
        let listed = Listed::new(self.receipt(), &list, None);
        let mut report = Report::default();
        let reading = Reading { root: self.path(), depth: Depth::Full, which: &|_| true, progress };
        hashes::check(&reading, &listed, &mut report)?;
        Ok(report.findings)
    }
}
