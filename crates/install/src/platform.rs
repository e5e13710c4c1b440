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
