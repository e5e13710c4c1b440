//! The files of one distribution: those of its wheel, each in its place, and those that an installer writes for it.

use std::io::ErrorKind;

use pinfold_artifact::ArchivePath;

use crate::disk::{self, Contents, Directory};
use crate::merge::{Group, Owners, Planned, Source};
use crate::receipt::digest;
use crate::record::{self, Row};
use crate::scripts::Place;
use crate::stage::Part;
use crate::wheel_facts::Entry;
use crate::{InstallError, Interpreter, direct_url, layout, listing};

/// Returns the files of one distribution, RECORD included. `place` is where the environment will be.
pub(crate) fn files<'a>(
    part: &'a Part<'_>,
    position: u32,
    interpreter: &Interpreter,
    place: &Place,
) -> Result<Vec<Planned<'a>>, InstallError> {
    let (name, scheme) = (&part.selected.name, &interpreter.scheme);
    let root = layout::root_of(&part.facts, scheme, name)?;
    let mut files = stored(part, position, interpreter)?;
    for script in part.tree.manifest().files.iter().filter(|it| part.facts.python_scripts.contains(&it.path)) {
        let path = layout::place(&script.path, &part.facts, scheme, &root, name)?;
        let refused = |line| InstallError::ScriptOptions { package: name.clone(), path: path.to_string(), line };
        let text = place.script(&read_checked(part, script)?).map_err(refused)?;
        files.push(written(path, text, true, position));
    }
    let console = part.facts.console.iter().map(|entry| (entry, Window::Console));
    for (entry, window) in console.chain(part.facts.gui.iter().map(|entry| (entry, Window::Own))) {
        for (script, text) in launchers(entry, window, interpreter, place) {
            let path = layout::place_script(&script, scheme, name)?;
            files.push(written(path, text.into_bytes(), true, position));
        }
    }
    add_dist_info(&mut files, part, position, interpreter)?;
    Ok(files)
}

/// Returns the files that are installed as they are stored.
pub(crate) fn stored<'a>(
    part: &'a Part<'_>,
    position: u32,
    interpreter: &Interpreter,
) -> Result<Vec<Planned<'a>>, InstallError> {
    let root = layout::root_of(&part.facts, &interpreter.scheme, &part.selected.name)?;
    let all = &part.tree.manifest().files;
    let as_stored = || all.iter().filter(|stored| !part.facts.python_scripts.contains(&stored.path));
    let paths = as_stored().map(|stored| &stored.path);
    let paths = layout::place_all(paths, &part.facts, &interpreter.scheme, &root, &part.selected.name)?;
    let mut files = Vec::with_capacity(all.len() + 4);
    for (stored, path) in as_stored().zip(paths) {
        files.push(Planned {
            path,
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
            executable: stored.executable,
            source: Source::Tree(position, stored),
            owners: Owners::AtMostOne(Some(position)),
        });
    }
    Ok(files)
}

/// Returns the files that start an entry point. On Windows a command file starts a script of the same name, because a
/// program needs a stub for every processor, which would be somebody else's unlocked bytes. Not run here.
fn launchers(entry: &Entry, window: Window, interpreter: &Interpreter, place: &Place) -> Vec<(String, String)> {
    if interpreter.os_name != "nt" {
        return vec![(entry.name.clone(), place.launcher(entry))];
    }
    let script = format!("{}-script.py", entry.name);
    let command = match window {
        Window::Console => format!("@\"%~dp0python.exe\" \"%~dp0{script}\" %*\r\n"),
        Window::Own => format!("@start \"\" \"%~dp0pythonw.exe\" \"%~dp0{script}\" %*\r\n"),
    };
    vec![(format!("{}.cmd", entry.name), command), (script, place.launcher(entry))]
}

/// Where a script shows itself: only Windows knows the difference.
#[derive(Clone, Copy)]
enum Window {
    Console,
    Own,
}

fn add_dist_info(
    files: &mut Vec<Planned<'_>>,
    part: &Part<'_>,
    position: u32,
    interpreter: &Interpreter,
) -> Result<(), InstallError> {
    let root = layout::root_of(&part.facts, &interpreter.scheme, &part.selected.name)?;
    let path = |name: &str| -> Result<ArchivePath, InstallError> {
        let path = format!("{root}/{}/{name}", part.facts.dist_info);
        path.parse().map_err(|_| InstallError::Reserved { package: part.selected.name.clone(), path })
    };
    files.push(written(path("INSTALLER")?, b"pinfold\n".to_vec(), false, position));
    if let Some(text) = direct_url::text(part.selected) {
        files.push(written(path("direct_url.json")?, text.into_bytes(), false, position));
    }
    let own = path("RECORD")?;
    let rows: Vec<Row<'_>> = listing::by_path(&Group::all(files))
        .into_iter()
        .map(|(file, _)| Row { path: file.path.as_str(), sha256: file.sha256, size_bytes: file.size_bytes })
        .collect();
    let text = record::text(&rows, own.as_str(), root.as_str());
    files.push(written(own, text, false, position));
    Ok(())
}

/// Reads a small file of a tree and checks that it has the bytes that the manifest says.
fn read_checked(part: &Part<'_>, stored: &pinfold_store::TreeFile) -> Result<Vec<u8>, InstallError> {
    let files_dir = part.tree.files_dir();
    let read = || {
        let (directory, name) = disk::reach(&Directory::open(files_dir)?, stored.path.as_str())?;
        disk::read_own(&directory, name, stored.size_bytes)
    };
    let difference = match read() {
        Ok(Contents::Bytes(bytes)) if digest(&bytes) == stored.sha256 => return Ok(bytes),
        Ok(Contents::Bytes(_) | Contents::TooLarge) => "it was written to",
        Ok(Contents::Gone) => "it is gone",
        Ok(Contents::Irregular) => "it is no regular file",
        Err(error) => match error.kind() {
            ErrorKind::NotADirectory | ErrorKind::NotFound => "its directory is gone",
            ErrorKind::PermissionDenied => "it may not be read",
            _ => return Err(InstallError::io("read", &disk::below(files_dir, stored.path.as_str()))(error)),
        },
    };
    Err(InstallError::StoreChanged {
        package: part.selected.name.clone(),
        path: stored.path.to_string(),
        difference: difference.to_owned(),
    })
}

fn written(path: ArchivePath, bytes: Vec<u8>, executable: bool, position: u32) -> Planned<'static> {
    Planned {
        path,
        size_bytes: bytes.len() as u64,
        sha256: digest(&bytes),
        executable,
        source: Source::Bytes(bytes.into()),
        owners: Owners::AtMostOne(Some(position)),
    }
}
