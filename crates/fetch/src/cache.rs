//! What was served before, on disk: pages with their validators, and what was derived from files that never change.
//!
//! The name of an entry is the digest of origin and URL together: what one index served is never an answer for another,
//! even for the same URL. A page is a line of JSON and the body; it appears by one rename, and its time of change is when
//! the server last said so. What was derived is kept with its digest, and what one run looks at together in one [`Pack`].

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pinfold_artifact::{Origin, SafeUrl, Sha256};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::pack::{Key, Pack};
use crate::{FetchCause, Freshness, Page, PageReply};

#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    pack: Mutex<Pack>,
    /// Where the pack is kept, if one was opened.
    pack_path: OnceLock<PathBuf>,
}

/// What is known of a cached page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// Names the form; another form gets another number.
    pub(crate) form: u32,
    pub(crate) origin: SafeUrl,
    pub(crate) url: SafeUrl,
    pub(crate) final_url: SafeUrl,
    /// `None` if there is no such page.
    pub(crate) content_type: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// Seconds that the page may be used without asking, as the server advised.
    pub(crate) max_age: Option<u64>,
    pub(crate) body_bytes: u64,
    /// The body is not all that was served: it serves where nobody can be asked.
    #[serde(default, skip_serializing_if = "is_whole")]
    pub(crate) is_reduced: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_whole(is_reduced: &bool) -> bool {
    !*is_reduced
}

/// A cached page whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) header: Header,
    pub(crate) fetched_at_unix: u64,
    file: File,
    /// What has been read of the body along with the header.
    body: Vec<u8>,
}

impl Cache {
    pub(crate) fn open(directory: &Path) -> Result<Self, FetchCause> {
        make_private_dir(directory).map_err(failed("create the directory", directory))?;
        let metadata = fs::metadata(directory).map_err(failed("look at", directory))?;
        if is_writable_by_others(&metadata) {
            // Whoever can write a page here decides what is locked.
            let reason = "others may write there; give a cache directory that only you can write";
            let source = io::Error::new(io::ErrorKind::PermissionDenied, reason);
            return Err(failed("trust the directory", directory)(source));
        }
        Ok(Self { directory: directory.to_owned(), pack: Mutex::default(), pack_path: OnceLock::new() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns a cached page. What cannot be read as one counts as absent.
    pub(crate) fn page(&self, origin: &Origin, url: &SafeUrl) -> Result<Option<Cached>, FetchCause> {
        let path = self.path("page", origin, url);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let metadata = file.metadata().map_err(failed("look at", &path))?;
        let mut beginning = Vec::with_capacity(BEGINNING_BYTES);
        (&mut file).take(BEGINNING_BYTES as u64).read_to_end(&mut beginning).map_err(failed("read", &path))?;
        let Some(end) = beginning.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let Ok(header) = serde_json::from_slice::<Header>(&beginning[..end]) else { return Ok(None) };
        let body = beginning.split_off(end + 1);
        let whole = (end as u64 + 1).checked_add(header.body_bytes) == Some(metadata.len());
        let ours = header.form == FORM && header.origin == *origin.index() && header.url == *url;
        let time = metadata.modified().map_err(failed("look at", &path))?;
        Ok((whole && ours).then(|| Cached { header, fetched_at_unix: unix(time), file, body }))
    }

    /// Keeps a page.
    pub(crate) fn keep_page(&self, origin: &Origin, header: &Header, body: &[u8]) -> Result<(), FetchCause> {
        let path = self.path("page", origin, &header.url);
        let mut line = serde_json::to_vec(header).map_err(|error| failed("write", &path)(error.into()))?;
        if line.len() >= BEGINNING_BYTES {
            return Ok(());
        }
        line.push(b'\n');
        write(&path, &[&line, body])
    }

    /// Forgets a page, if there is one.
    pub(crate) fn forget_page(&self, origin: &Origin, url: &SafeUrl) -> Result<(), FetchCause> {
        let path = self.path("page", origin, url);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Notes that the server has just said that a cached page is still what it would send.
    pub(crate) fn confirm_page(&self, origin: &Origin, url: &SafeUrl) -> Result<(), FetchCause> {
        let path = self.path("page", origin, url);
        let file = File::options().append(true).open(&path).map_err(failed("open", &path))?;
        file.set_modified(SystemTime::now()).map_err(failed("set the time of", &path))
    }

    /// Opens the pack of this name; the first one that is opened stays.
    pub(crate) fn open_pack(&self, name: &str) -> Result<(), FetchCause> {
        let path = self.pack_path.get_or_init(|| pack_path(&self.directory, name));
        *self.pack() = Pack::read(path).map_err(failed("read", path))?;
        Ok(())
    }

    /// Keeps what was looked at since the pack was opened, for the next time.
    pub(crate) fn keep_pack(&self) -> Result<(), FetchCause> {
        let Some(path) = self.pack_path.get() else { return Ok(()) };
        let next = self.pack().next();
        next.map_or(Ok(()), |next| write(path, &[&next]))
    }

    /// Returns what was derived from a file.
    pub(crate) fn recall(&self, kind: &str, origin: &Origin, url: &SafeUrl) -> Result<Option<Bytes>, FetchCause> {
        let key = key(kind, origin, url);
        if let Some(answer) = self.pack().find(&key) {
            return Ok(Some(answer));
        }
        let path = self.path_of(&key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let Some((digest, kept)) = bytes.split_first_chunk::<32>() else { return Ok(None) };
        if sha2::Sha256::digest(kept)[..] != digest[..] {
            return Ok(None);
        }
        let answer = bytes.slice(32..);
        self.pack().note(key, answer.clone());
        Ok(Some(answer))
    }

    /// Returns what was derived from a file if the pack has it: that costs next to nothing.
    pub(crate) fn recall_packed(&self, kind: &str, origin: &Origin, url: &SafeUrl) -> Option<Bytes> {
        self.pack().find(&key(kind, origin, url))
    }

    /// Keeps what was derived from a file.
    pub(crate) fn remember(&self, kind: &str, origin: &Origin, url: &SafeUrl, bytes: Bytes) -> Result<(), FetchCause> {
        let key = key(kind, origin, url);
        write(&self.path_of(&key), &[&sha2::Sha256::digest(&bytes), &bytes])?;
        self.pack().note(key, bytes);
        Ok(())
    }

    /// Keeps what was derived from a cached page for the next pack, and nowhere else: it can be derived again.
    pub(crate) fn note(&self, kind: &str, origin: &Origin, url: &SafeUrl, bytes: Bytes) {
        self.pack().note(key(kind, origin, url), bytes);
    }

    fn pack(&self) -> MutexGuard<'_, Pack> {
        self.pack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, kind: &str, origin: &Origin, url: &SafeUrl) -> PathBuf {
        self.path_of(&key(kind, origin, url))
    }

    fn path_of(&self, key: &Key) -> PathBuf {
        let name = Sha256::from_bytes(*key).to_string();
        self.directory.join(&name[..2]).join(name)
    }
}

/// Returns where the pack of this name is kept.
pub(crate) fn pack_path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("pack-{}", Sha256::from_bytes(sha2::Sha256::digest(name).into()).short()))
}

fn key(kind: &str, origin: &Origin, url: &SafeUrl) -> Key {
    let mut hasher = sha2::Sha256::new();
    for part in [kind, origin.index().as_str(), url.as_str()] {
        hasher.update(part);
        hasher.update([0]);
    }
    hasher.finalize().into()
}

impl Cached {
    /// Returns true if the page may be used without asking the server.
    pub(crate) fn is_fresh(&self, freshness: Freshness, now_unix: u64) -> bool {
        if self.header.is_reduced && freshness != Freshness::Any {
            return false;
        }
        // A time in the future says nothing: the clock was wrong, then or now.
        let Some(age) = now_unix.checked_sub(self.fetched_at_unix) else { return freshness == Freshness::Any };
        match freshness {
            Freshness::Advised => age < self.header.max_age.unwrap_or(UNADVISED_SECONDS).min(LONGEST_SECONDS),
            Freshness::Any => true,
            Freshness::NewerThan(span) => Duration::from_secs(age) < span,
            Freshness::Revalidate => false,
        }
    }

    /// Reads the body.
    pub(crate) fn into_reply(mut self, fetched_at_unix: u64) -> Result<PageReply, FetchCause> {
        let Some(content_type) = self.header.content_type else { return Ok(PageReply::Absent) };
        let path = Path::new("the page cache");
        let length = usize::try_from(self.header.body_bytes).unwrap_or_default();
        self.body.reserve_exact(length.saturating_sub(self.body.len()));
        self.file.read_to_end(&mut self.body).map_err(failed("read", path))?;
        if self.body.len() as u64 != self.header.body_bytes {
            return Err(failed("read", path)(io::ErrorKind::UnexpectedEof.into()));
        }
        let (bytes, url) = (self.body, self.header.final_url);
        Ok(PageReply::Found(Page { bytes, content_type, url, from_cache: true, fetched_at_unix }))
    }
}

/// Returns the present, in seconds since 1970.
pub(crate) fn now_unix() -> u64 {
    unix(SystemTime::now())
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Writes a file beside its place and renames it, so that it is whole for whoever opens it.
fn write(path: &Path, parts: &[&[u8]]) -> Result<(), FetchCause> {
    let directory = path.parent().unwrap_or(path);
    let create = || tempfile::Builder::new().prefix(".new-").tempfile_in(directory);
    let mut file = match create() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_private_dir(directory).map_err(failed("create the directory", directory))?;
            create()
        }
        result => result,
    }
    .map_err(failed("create a file in", directory))?;
    for part in parts {
        file.write_all(part).map_err(failed("write", path))?;
    }
    file.persist(path).map_err(|error| failed("move into the cache", path)(error.error))?;
    Ok(())
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn is_writable_by_others(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn is_writable_by_others(_metadata: &fs::Metadata) -> bool {
    false
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FetchCause {
    let path = path.to_owned();
    move |source| FetchCause::Cache { action, path, source }
}

pub(crate) const FORM: u32 = 1;
/// The header and often a whole small page.
const BEGINNING_BYTES: usize = 16 << 10;
/// How long a page is used without asking if the server advises nothing.
const UNADVISED_SECONDS: u64 = 600;
/// How long a page is used without asking at most: an index must not be able to freeze itself.
const LONGEST_SECONDS: u64 = 24 * 60 * 60;
