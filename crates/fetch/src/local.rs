//! `file` URLs: a directory as an index, with the same limits as the network. Only regular files are read: a device or a
//! pipe has no end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use pinfold_artifact::{Artifact, Limits, SafeUrl, Sha256};
use pinfold_store::{Store, Stored};

use crate::cache::now_unix;
use crate::download::DigestSink;
use crate::range::wanted_bytes;
use crate::{FetchCause, Page, PageReply, RangeReply, Span};

/// Reads a page: a file, or a directory that holds one. Where there is no directory for the index, nobody says that it has no
/// such page: it may be on a disk that is not mounted.
pub(crate) fn page(index: &SafeUrl, url: &SafeUrl) -> Result<PageReply, FetchCause> {
    let path = path_of(url)?;
    let is_directory = path.is_dir();
    let candidates: Vec<PathBuf> =
        if is_directory { PAGE_NAMES.iter().map(|name| path.join(name)).collect() } else { vec![path] };
    for path in candidates {
        let Some(file) = open(&path)? else { continue };
        let bytes = read(file, &path, Limits::PAGE_BYTES)?;
        let content_type = content_type(&path).to_owned();
        let url = if is_directory { url.as_directory() } else { url.without_fragment() };
        return Ok(PageReply::Found(Page { bytes, content_type, url, from_cache: false, fetched_at_unix: now_unix() }));
    }
    let root = path_of(index)?;
    match std::fs::metadata(&root) {
        Ok(metadata) if metadata.is_dir() => Ok(PageReply::Absent),
        Ok(_) => Err(FetchCause::File { path: root, source: io::ErrorKind::NotADirectory.into() }),
        Err(source) => Err(FetchCause::File { path: root, source }),
    }
}

/// Reads a small file, or nothing if there is none.
pub(crate) fn small(url: &SafeUrl, limit: u64) -> Result<Option<Vec<u8>>, FetchCause> {
    let path = path_of(url)?;
    open(&path)?.map(|file| read(file, &path, limit)).transpose()
}

/// Reads a part of a file.
pub(crate) fn range(url: &SafeUrl, span: Span) -> Result<RangeReply, FetchCause> {
    let (mut file, path) = existing(url)?;
    let failed = |source| FetchCause::File { path: path.clone(), source };
    let total_bytes = file.metadata().map_err(failed)?.len();
    let start = match span {
        Span::From { start, .. } => start.min(total_bytes),
        Span::LastBytes(count) => total_bytes.saturating_sub(count),
    };
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(wanted_bytes(span)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(RangeReply { bytes, start, total_bytes })
}

/// Admits a file to the store.
pub(crate) fn download(artifact: &Artifact, store: &Store, progress: &dyn Fn(u64)) -> Result<Stored, FetchCause> {
    let (file, _) = existing(&artifact.url)?;
    Ok(store.admit(artifact, &mut Counted { file, count: 0, progress })?)
}

/// Copies a file and returns its size and digest.
pub(crate) fn digest(url: &SafeUrl, limit: u64, directory: &Path) -> Result<(u64, Sha256, File), FetchCause> {
    let (mut file, path) = existing(url)?;
    let mut sink = DigestSink::new(limit, directory)?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return sink.finish(directory),
            Ok(count) => sink.push(&buffer[..count], directory)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(FetchCause::File { path, source }),
        }
    }
}

struct Counted<'a> {
    file: File,
    count: u64,
    progress: &'a dyn Fn(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.count = self.count.saturating_add(count as u64);
        (self.progress)(self.count);
        Ok(count)
    }
}

fn path_of(url: &SafeUrl) -> Result<PathBuf, FetchCause> {
    url.as_url().to_file_path().map_err(|()| FetchCause::File {
        path: PathBuf::from(url.as_url().path()),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the URL names no path of this system"),
    })
}

/// Opens a regular file, or returns nothing if there is none.
fn open(path: &Path) -> Result<Option<File>, FetchCause> {
    let failed = |source| FetchCause::File { path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe waits for its writer.
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(metadata) if metadata.is_dir() => return Ok(None),
        Ok(_) => return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    File::open(path).map(Some).map_err(failed)
}

fn existing(url: &SafeUrl) -> Result<(File, PathBuf), FetchCause> {
    let path = path_of(url)?;
    match open(&path)? {
        Some(file) => Ok((file, path)),
        None => Err(FetchCause::File { path, source: io::ErrorKind::NotFound.into() }),
    }
}

fn read(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FetchCause> {
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| FetchCause::File { path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(FetchCause::TooLarge { limit });
    }
    Ok(bytes)
}

fn content_type(path: &Path) -> &'static str {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") || extension.eq_ignore_ascii_case("v1_json") => {
            "application/vnd.pypi.simple.v1+json"
        }
        _ => "text/html",
    }
}

/// What a page is called inside a directory: as mirrors write it, JSON first.
const PAGE_NAMES: [&str; 3] = ["index.v1_json", "index.json", "index.html"];
const READ_BYTES: usize = 256 << 10;
