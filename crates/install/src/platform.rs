//! What differs between systems, kept small. Only the Linux half was run; the rest is thin.

use std::io;
use std::path::Path;

/// Returns machine, release and version of the running kernel, as Python's `platform` names them.
#[cfg(unix)]
pub(crate) fn kernel() -> Option<[String; 3]> {
    let name = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    Some([text(name.machine()), text(name.release()), text(name.version())])
}

/// Windows tells its release only through the registry: the stamp of the program has to do.
#[cfg(not(unix))]
pub(crate) fn kernel() -> Option<[String; 3]> {
    None
}

/// Exchanges two directories in one step.
#[cfg(unix)]
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(io::Error::from)
}

/// No other system can: two steps, with a note.
#[cfg(not(unix))]
pub(crate) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns true if the file system cannot exchange at all.
pub(crate) fn cannot_exchange(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let code = error.raw_os_error();
        if [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP].map(|errno| Some(errno.raw_os_error())).contains(&code) {
            return true;
        }
    }
    error.kind() == io::ErrorKind::Unsupported
}

/// Renames a directory to a place where nothing is, not even an empty directory.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            Err(e) if cannot_exchange(&e) => {}
            result => return result,
        }
    }
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

/// Makes opening a file fail where a link is in its place.
pub(crate) fn not_through_a_link(options: &mut std::fs::OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
}

/// Returns true if a path still names an open file.
pub(crate) fn is_still_at(file: &std::fs::File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let (open, named) = (file.metadata().map(identity), std::fs::symlink_metadata(path).map(identity));
        matches!((open, named), (Ok(open), Ok(named)) if open == named)
    }
    // A file that is open cannot be removed there.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Writes a small file of our own, whole, not through a link.
pub(crate) fn write_note(path: &Path, bytes: &[u8]) -> io::Result<std::fs::File> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    not_through_a_link(&mut options);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Has the system begin to write a file to the disk, and does not wait: it is done long before anybody asks for it. What
/// goes wrong shows when the disk is waited for.
pub(crate) fn begin_writing(file: &std::fs::File) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = file;
}

/// Waits until the files of a directory are on the disk, and the directory itself. On a file system with a journal that
/// carries all that was linked, made and renamed before.
pub(crate) fn settle_files(directory: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(std::fs::File::open(entry.path())?);
        }
    }
    files.iter().for_each(begin_writing);
    files.iter().try_for_each(std::fs::File::sync_all)?;
    settle_directory(directory)
}

/// Waits until the names in a directory are on the disk.
pub(crate) fn settle_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::fs::File::open(directory)?.sync_all();
    // A directory cannot be opened like this there; its journal keeps the order of renames.
    #[cfg(not(unix))]
    {
        let _ = directory;
        Ok(())
    }
}
