//! Why an sdist did not become a wheel.

use std::io;
use std::path::{Path, PathBuf};

use pinfold_unpack::ArchiveError;

/// Why an sdist did not become a wheel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The sdist, or the wheel that was built, is not acceptable.
    #[error("{what} is not acceptable")]
    Archive {
        /// The file.
        what: String,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// A hook failed; the backend's own words follow.
    #[error("{hook} of the build backend `{backend}` failed: {reason}\n{output}")]
    Backend {
        /// The backend.
        backend: String,
        /// The hook.
        hook: &'static str,
        /// What happened.
        reason: String,
        /// The end of what it printed.
        output: String,
    },
    /// The wheel's METADATA is not what the lock expects (SD11).
    #[error("built {what} is `{found}`, expected `{expected}`")]
    Differs {
        /// Which fact.
        what: &'static str,
        /// What the lock says.
        expected: String,
        /// What was built.
        found: String,
    },
    /// A file could not be read or written.
    #[error("{doing} `{}` failed", path.display())]
    Io {
        /// What was done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// `pyproject.toml` or the backend's answer cannot be understood.
    #[error("{what}: {problem}")]
    Malformed {
        /// Where.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// The child process could not be run, or passed a limit.
    #[error("running {hook} of the build backend")]
    Sandbox {
        /// The hook.
        hook: &'static str,
        /// Why.
        #[source]
        source: pinfold_sandbox::SandboxError,
    },
    /// The store could not give the sdist.
    #[error("reading the sdist from the store")]
    Store(#[source] pinfold_store::StoreError),
}

impl BuildError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// Returns the stable code of the refusal, or none where the build failed for another reason.
    pub fn refusal_code(&self) -> Option<&'static str> {
        match self {
            Self::Archive { source, .. } => source.refusal_code(),
            Self::Differs { .. } => Some("built-metadata-mismatch"),
            Self::Backend { .. } | Self::Io { .. } | Self::Malformed { .. } | Self::Sandbox { .. } | Self::Store(_) => {
                None
            }
        }
    }
}
