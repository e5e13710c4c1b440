//! What differs between systems, kept small. Only the Linux half was run; the rest is thin.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::disk::{Directory, Kind};
use crate::threads;

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

/// An entry of an open directory.
type Entry<'a> = (&'a Directory, &'a str);

/// Exchanges two directories in one step.
#[cfg(unix)]
pub(crate) fn exchange((one, name): Entry<'_>, (other, its): Entry<'_>) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    renameat_with(one, name, other, its, RenameFlags::EXCHANGE).map_err(io::Error::from)
}

/// No other system can: two steps, with a note.
#[cfg(not(unix))]
pub(crate) fn exchange(_one: Entry<'_>, _other: Entry<'_>) -> io::Result<()> {
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
pub(crate) fn rename_new((from, name): Entry<'_>, (to, new_name): Entry<'_>) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            Err(e) if cannot_exchange(&e) => {}
            result => return result,
        }
    }
    if to.facts(new_name).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    #[cfg(unix)]
    return Ok(rustix::fs::renameat(from, name, to, new_name)?);
    #[cfg(not(unix))]
    std::fs::rename(from.path().join(name), to.path().join(new_name))
}

/// Opens a small file of our own for writing it anew, not through a link.
pub(crate) fn open_note(parent: &Directory, name: &str) -> io::Result<File> {
    #[cfg(unix)]
    return open_own(parent, name, rustix::fs::OFlags::WRONLY.union(rustix::fs::OFlags::TRUNC));
    #[cfg(not(unix))]
    open_no_link(File::options().create(true).truncate(true).write(true), &parent.path().join(name))
}

/// Opens a file of our own to read it and to add to it, not through a link.
pub(crate) fn open_to_append(parent: &Directory, name: &str) -> io::Result<File> {
    #[cfg(unix)]
    return open_own(parent, name, rustix::fs::OFlags::RDWR.union(rustix::fs::OFlags::APPEND));
    #[cfg(not(unix))]
    open_no_link(File::options().create(true).read(true).append(true), &parent.path().join(name))
}

/// Opens a file unless a link is in its place, which is looked at just before: no flag of this system refuses one and
/// still opens every regular file.
#[cfg(not(unix))]
pub(crate) fn open_no_link(options: &std::fs::OpenOptions, path: &Path) -> io::Result<File> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a link")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => options.open(path),
    }
}

#[cfg(unix)]
fn open_own(parent: &Directory, name: &str, how: rustix::fs::OFlags) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = how.union(OFlags::CREATE).union(NEITHER_LINK_NOR_WAIT).union(OFlags::CLOEXEC);
    Ok(File::from(rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?))
}

/// Returns true if two open files are one.
pub(crate) fn is_same_file(one: &File, other: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (one, other) = (one.metadata()?, other.metadata()?);
        Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
    }
    // A directory in which a file is open cannot be renamed there.
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        Ok(true)
    }
}

/// Returns true if a path still leads to an open directory.
pub(crate) fn is_directory_at(directory: &Directory, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        let (open, named) = (rustix::fs::fstat(directory)?, rustix::fs::stat(path)?);
        Ok((open.st_dev, open.st_ino) == (named.st_dev, named.st_ino))
    }
    #[cfg(not(unix))]
    Ok(directory.path() == path && path.is_dir())
}

/// Returns true if something is mounted on an open directory: no rename moves it then. False where the system does not tell.
pub(crate) fn is_mount_point(directory: &Directory) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};
        let told = statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
        told.is_ok_and(|it| {
            it.stx_attributes_mask.intersection(it.stx_attributes).contains(StatxAttributes::MOUNT_ROOT)
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = directory;
        false
    }
}

/// Returns true if two open directories are one.
pub(crate) fn is_same_directory(one: &Directory, other: &Directory) -> io::Result<bool> {
    #[cfg(unix)]
    {
        let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
        Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
    }
    // A directory that was moved cannot be told from another by its path, which is all there is.
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        Ok(true)
    }
}

/// Opens a file; a link in its place is an error. One that is made is nobody else's to write to, whatever the umask allows.
#[cfg(unix)]
pub(crate) fn open_no_link(options: &std::fs::OpenOptions, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.clone().mode(0o644).custom_flags(NEITHER_LINK_NOR_WAIT.bits().cast_signed()).open(path)
}

/// A link is an error, and so is a pipe that nobody has at its other end: to open it would wait for somebody.
#[cfg(unix)]
const NEITHER_LINK_NOR_WAIT: rustix::fs::OFlags = rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK);

/// Opens a file to read it; anything but a regular file, a link too, is an error, and not waited for.
///
/// # Errors
/// What the system says, or that it is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    match open_no_link(File::options().read(true), path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(irregular()),
        Err(_) if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) => Err(irregular()),
        Err(error) => Err(error),
    }
}

/// Returns what is said of anything but a regular file.
pub(crate) fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

/// Returns true if a path still names an open file.
pub(crate) fn is_still_at(file: &File, path: &Path) -> bool {
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

/// Makes a directory that nobody else may write to, whatever the umask allows.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    let builder = {
        let mut builder = builder;
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
        builder
    };
    builder.create(path)
}

/// Opens a file of our own for writing it anew, not through a link.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    open_no_link(File::options().create(true).truncate(true).write(true), path)
}

/// Writes a small file of our own, whole, not through a link.
pub(crate) fn write_note(path: &Path, bytes: &[u8]) -> io::Result<File> {
    use std::io::Write as _;
    let mut file = create(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Has the system begin to write a file to the disk, and does not wait: it is done long before anybody asks for it. What
/// goes wrong shows when the disk is waited for.
pub(crate) fn begin_writing(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = file;
}

/// Waits until the files of a directory are on the disk, and the directory itself, for all at once: one turn of a journal and
/// of the disk serves everybody who waits. On a file system with a journal that carries all that was linked, made and
/// renamed before.
pub(crate) fn settle_files(directory: &Directory) -> io::Result<()> {
    let entries = directory.entries()?.into_iter();
    let names = entries.filter(|(_, kind)| *kind == Kind::File).map(|(name, _)| name);
    let open = |name: std::ffi::OsString| open_to_settle(directory, &name.to_string_lossy());
    let files = names.map(open).collect::<io::Result<Vec<_>>>()?;
    files.iter().for_each(begin_writing);
    std::thread::scope(|scope| {
        let waits: Vec<_> = files.iter().map(|file| scope.spawn(|| file.sync_all())).collect();
        let settled = settle_opened(directory);
        waits.into_iter().map(threads::join).chain([settled]).collect()
    })
}

/// Opens a file to wait until it is on the disk.
fn open_to_settle(directory: &Directory, name: &str) -> io::Result<File> {
    #[cfg(unix)]
    return directory.open_file(name);
    // Only who may write to a file may wait for it there.
    #[cfg(not(unix))]
    open_no_link(File::options().write(true), &directory.path().join(name))
}

/// Waits until the names in an open directory are on the disk.
pub(crate) fn settle_opened(directory: &Directory) -> io::Result<()> {
    #[cfg(unix)]
    return directory.readable()?.sync_all();
    // A directory cannot be opened like this there; its journal keeps the order of renames.
    #[cfg(not(unix))]
    {
        let _ = directory;
        Ok(())
    }
}
