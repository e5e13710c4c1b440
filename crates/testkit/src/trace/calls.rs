//! Which system calls change or read files, and which files they are about.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use nix::libc;

use super::Watching;

/// Where the arguments of a call name its files.
#[derive(Clone, Copy)]
enum Names {
    /// A descriptor, first.
    Descriptor,
    /// Two descriptors, at these positions: what is written to, what is read.
    Descriptors(usize, usize),
    /// A descriptor of a directory, and a path below it, first.
    At,
    /// A target that is only text, then a directory and a path.
    TextThenAt,
    /// Two directories with a path each.
    TwoAt,
    /// A path.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "newer systems have only calls with directories")
    )]
    Path,
    /// Two paths.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "newer systems have only calls with directories")
    )]
    TwoPaths,
}

/// What a call does to its files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Change,
    /// Changes if its flags, at this position, say so.
    Open(usize),
    /// Changes if its request is one that shares blocks.
    Request,
    Read,
}

/// One call of the table.
pub(super) struct Known {
    number: i64,
    name: &'static str,
    names: Names,
    kind: Kind,
}

const fn known(number: i64, name: &'static str, names: Names, kind: Kind) -> Known {
    Known { number, name, names, kind }
}

const KNOWN: &[Known] = &[
    known(libc::SYS_openat, "openat", Names::At, Kind::Open(2)),
    known(libc::SYS_write, "write", Names::Descriptor, Kind::Change),
    known(libc::SYS_writev, "writev", Names::Descriptor, Kind::Change),
    known(libc::SYS_pwrite64, "pwrite64", Names::Descriptor, Kind::Change),
    known(libc::SYS_pwritev, "pwritev", Names::Descriptor, Kind::Change),
    known(libc::SYS_pwritev2, "pwritev2", Names::Descriptor, Kind::Change),
    known(libc::SYS_copy_file_range, "copy_file_range", Names::Descriptors(2, 0), Kind::Change),
    known(libc::SYS_sendfile, "sendfile", Names::Descriptors(0, 1), Kind::Change),
    known(libc::SYS_splice, "splice", Names::Descriptors(2, 0), Kind::Change),
    known(libc::SYS_ioctl, "ioctl", Names::Descriptor, Kind::Request),
    known(libc::SYS_ftruncate, "ftruncate", Names::Descriptor, Kind::Change),
    known(libc::SYS_fallocate, "fallocate", Names::Descriptor, Kind::Change),
    known(libc::SYS_fchmod, "fchmod", Names::Descriptor, Kind::Change),
    known(libc::SYS_fchmodat, "fchmodat", Names::At, Kind::Change),
    known(FCHMODAT2, "fchmodat2", Names::At, Kind::Change),
    known(libc::SYS_fchown, "fchown", Names::Descriptor, Kind::Change),
    known(libc::SYS_fchownat, "fchownat", Names::At, Kind::Change),
    known(libc::SYS_utimensat, "utimensat", Names::At, Kind::Change),
    known(libc::SYS_fsetxattr, "fsetxattr", Names::Descriptor, Kind::Change),
    known(libc::SYS_fremovexattr, "fremovexattr", Names::Descriptor, Kind::Change),
    known(libc::SYS_fsync, "fsync", Names::Descriptor, Kind::Change),
    known(libc::SYS_fdatasync, "fdatasync", Names::Descriptor, Kind::Change),
    known(libc::SYS_syncfs, "syncfs", Names::Descriptor, Kind::Change),
    known(libc::SYS_sync_file_range, "sync_file_range", Names::Descriptor, Kind::Change),
    known(libc::SYS_linkat, "linkat", Names::TwoAt, Kind::Change),
    known(libc::SYS_symlinkat, "symlinkat", Names::TextThenAt, Kind::Change),
    known(libc::SYS_mkdirat, "mkdirat", Names::At, Kind::Change),
    known(libc::SYS_mknodat, "mknodat", Names::At, Kind::Change),
    known(libc::SYS_unlinkat, "unlinkat", Names::At, Kind::Change),
    known(libc::SYS_renameat, "renameat", Names::TwoAt, Kind::Change),
    known(libc::SYS_renameat2, "renameat2", Names::TwoAt, Kind::Change),
    known(libc::SYS_flock, "flock", Names::Descriptor, Kind::Read),
    known(libc::SYS_fstat, "fstat", Names::Descriptor, Kind::Read),
    known(libc::SYS_getdents64, "getdents64", Names::Descriptor, Kind::Read),
    known(libc::SYS_newfstatat, "newfstatat", Names::At, Kind::Read),
    known(libc::SYS_pread64, "pread64", Names::Descriptor, Kind::Read),
    known(libc::SYS_read, "read", Names::Descriptor, Kind::Read),
    known(libc::SYS_readlinkat, "readlinkat", Names::At, Kind::Read),
    known(libc::SYS_statx, "statx", Names::At, Kind::Read),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_open, "open", Names::Path, Kind::Open(1)),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_creat, "creat", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_rename, "rename", Names::TwoPaths, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_link, "link", Names::TwoPaths, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_symlink, "symlink", Names::TwoPaths, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_mkdir, "mkdir", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_rmdir, "rmdir", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_unlink, "unlink", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_truncate, "truncate", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_chmod, "chmod", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_chown, "chown", Names::Path, Kind::Change),
    #[cfg(target_arch = "x86_64")]
    known(libc::SYS_readlink, "readlink", Names::Path, Kind::Read),
];

/// The same number on every processor; not in every version of the library.
const FCHMODAT2: i64 = 452;

/// A stopped program, as its directory in `/proc` shows it.
pub(super) struct Program<'a> {
    pub(super) process: i32,
    pub(super) home: &'a Path,
}

impl Program<'_> {
    /// Returns the name and the files of a call that is watched, or nothing.
    pub(super) fn point(
        &self,
        number: i64,
        arguments: &[u64; 5],
        watching: Watching,
    ) -> Option<(&'static str, String)> {
        let known = KNOWN.iter().find(|known| known.number == number)?;
        let changes = changes(known.kind, arguments);
        if !changes && (watching == Watching::Changes || known.kind == Kind::Request) {
            return None;
        }
        let files = self.files(known.names, arguments)?;
        let outside = ["/dev/", "/proc/", "/sys/"];
        let relevant = |file: &PathBuf| {
            file.starts_with(self.home) || changes && !outside.iter().any(|place| file.starts_with(place))
        };
        if !files.iter().any(relevant) {
            return None;
        }
        let shown: Vec<String> = files.iter().map(|file| self.shown(file)).collect();
        let name = if changes && matches!(known.kind, Kind::Open(_)) { "openat(write)" } else { known.name };
        Some((name, shown.join(" ")))
    }

    fn files(&self, names: Names, arguments: &[u64; 5]) -> Option<Vec<PathBuf>> {
        let [first, second, third, fourth, _] = *arguments;
        Some(match names {
            Names::Descriptor => vec![self.descriptor(first)?],
            Names::Descriptors(to, from) => vec![self.descriptor(arguments[to])?, self.descriptor(arguments[from])?],
            Names::At => vec![self.below(first, second)?],
            Names::TextThenAt => vec![self.below(second, third)?],
            Names::TwoAt => vec![self.below(first, second)?, self.below(third, fourth)?],
            Names::Path => vec![self.below(HERE, first)?],
            Names::TwoPaths => vec![self.below(HERE, first)?, self.below(HERE, second)?],
        })
    }

    /// Returns the file behind a descriptor; nothing for pipes, sockets and the like.
    fn descriptor(&self, number: u64) -> Option<PathBuf> {
        let number = low_half(number);
        let file = std::fs::read_link(format!("/proc/{}/fd/{number}", self.process)).ok()?;
        file.is_absolute().then_some(file)
    }

    /// Returns the file that a directory's descriptor and a path lead to.
    fn below(&self, directory: u64, path: u64) -> Option<PathBuf> {
        let path = self.text(path)?;
        if Path::new(&path).is_absolute() {
            return Some(lexical(Path::new(&path)));
        }
        let directory = if low_half(directory) == libc::AT_FDCWD {
            std::fs::read_link(format!("/proc/{}/cwd", self.process)).ok()?
        } else {
            self.descriptor(directory)?
        };
        Some(lexical(&directory.join(path)))
    }

    /// Returns the text at an address of the program.
    fn text(&self, address: u64) -> Option<String> {
        let memory = File::open(format!("/proc/{}/mem", self.process)).ok()?;
        let mut bytes = vec![0; libc::PATH_MAX.unsigned_abs() as usize];
        // The page behind the text may not be there: then fewer bytes are read.
        let count = memory.read_at(&mut bytes, address).ok()?;
        let end = bytes[..count].iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// Returns a file relative to the home, without what differs from run to run.
    fn shown(&self, file: &Path) -> String {
        let file = file.strip_prefix(self.home).unwrap_or(file);
        let segments: Vec<String> = file.components().map(|it| stable(&it.as_os_str().to_string_lossy())).collect();
        segments.join("/")
    }
}

/// Takes random endings and numbers of generations out of a name.
fn stable(name: &str) -> String {
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return "N".to_owned();
    }
    for prefix in ["new-", "spare-of-"] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return format!("{prefix}N{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
        }
    }
    // A file that is written beside its place is named for the process that writes it.
    if let Some((stem, process)) = name.rsplit_once('.')
        && stem.len() == DIGITS_OF_DIGEST
        && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
        && process.parse::<u32>().is_ok()
    {
        return format!("{stem}.PROCESS");
    }
    let random = if name.starts_with(".tmp") { Some(3) } else { name.rfind(['.', '-']) };
    match random.map(|at| name.split_at(at + 1)) {
        Some((stem, ending)) if ending.len() == 6 && ending.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!("{stem}RANDOM")
        }
        _ => name.to_owned(),
    }
}

fn changes(kind: Kind, arguments: &[u64; 5]) -> bool {
    match kind {
        Kind::Change => true,
        Kind::Open(flags) => {
            let writing = libc::O_CREAT | libc::O_WRONLY | libc::O_RDWR | libc::O_TRUNC;
            low_half(arguments[flags]) & writing != 0
        }
        Kind::Request => [FICLONE, FICLONERANGE].contains(&arguments[1]),
        Kind::Read => false,
    }
}

/// Returns a 32-bit argument: the upper half of its register means nothing.
const fn low_half(argument: u64) -> i32 {
    (argument & 0xffff_ffff) as u32 as i32
}

fn lexical(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(found.pop()),
            Component::CurDir => {}
            part => found.push(part),
        }
    }
    found
}

/// What stands for the directory that the program is in.
const HERE: u64 = libc::AT_FDCWD as u32 as u64;
/// The digits of a SHA-256.
const DIGITS_OF_DIGEST: usize = 64;
/// The requests to share blocks with another file.
const FICLONE: u64 = 0x4004_9409;
const FICLONERANGE: u64 = 0x4020_940d;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_taken_out() {
        let digest = "3a".repeat(32);
        assert_eq!(stable(&format!("{digest}.18726")), format!("{digest}.PROCESS"));
        assert_eq!(stable(&digest), digest);
        for (name, expected) in [
            ("new-12", "new-N"),
            ("new-12.building", "new-N.building"),
            ("spare-of-90", "spare-of-N"),
            ("7", "N"),
            ("3a1f.AbC123", "3a1f.RANDOM"),
            (".tmpAbC123", ".tmpRANDOM"),
            ("entry-xYz987", "entry-RANDOM"),
            ("manifest", "manifest"),
            ("a-1.0.dist-info", "a-1.0.dist-info"),
        ] {
            assert_eq!(stable(name), expected);
        }
    }
}
