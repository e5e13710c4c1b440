//! Archives: what is accepted is what every other reader sees, and nothing of it leaves the directory.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use pinfold_artifact::{ArchivePath, Limits};
use pinfold_testkit::WheelRecipe;
use pinfold_unpack::remote::{self, Located};
use pinfold_unpack::sdist::{self, EntryKind, Format};
use pinfold_unpack::{
    EntryPoints, Extractor, Layout, Member, RecordDigest, Scheme, WheelMember, is_reserved_script_name, portable_fold,
    read_layout, read_wheel,
};

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "entry_points", body: entry_points },
    Target { name: "record", body: record },
    Target { name: "sdist_tar", body: sdist_tar },
    Target { name: "wheel_file", body: wheel_file },
    Target { name: "zip", body: zip },
];

/// Members that say they are larger are not unpacked: time is for other inputs.
const UNPACKED_BYTES: u64 = 1 << 20;

fn zip(data: &[u8]) {
    let layout = read_layout(&mut Cursor::new(data));
    let _ = read_wheel(&mut Cursor::new(data), "a", "1.0");
    let Ok(layout) = layout else { return };
    check_layout(&layout, data);
    check_other_reader(&layout, data);
    check_remote(&layout, data);
}

/// Checks that members follow each other inside the archive, and that no two are one file anywhere.
fn check_layout(layout: &Layout, data: &[u8]) {
    assert_eq!(layout.archive_bytes, data.len() as u64);
    let mut end = 0;
    let mut folds = BTreeMap::new();
    for member in &layout.members {
        assert!(member.data_start > end && member.data_start + member.packed_bytes <= layout.archive_bytes);
        end = member.data_start + member.packed_bytes;
        check_path(&member.path);
        let former = folds.insert(portable_fold(member.path.as_str()), &member.path);
        assert_eq!(former, None, "{} is a twin", member.path);
    }
    for path in layout.members.iter().map(|member| &member.path).chain(&layout.directories) {
        let mut parent = path.parent();
        while let Some(directory) = parent {
            let file = folds.get(&portable_fold(directory.as_str()));
            assert_eq!(file, None, "{path} is below a file");
            parent = directory.parent();
        }
    }
    let unpacked: u64 = layout.members.iter().map(|member| member.unpacked_bytes).sum();
    assert!(unpacked <= Limits::ARCHIVE_UNPACKED_BYTES);
}

fn check_path(path: &ArchivePath) {
    let text = path.as_str();
    assert!(!text.starts_with('/') && !text.contains(['\\', ':', '\0']), "{text:?}");
    assert!(text.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{text:?}");
}

/// Unpacks a member in both ways; they agree.
fn unpacked(member: &Member, data: &[u8]) -> Option<Vec<u8>> {
    let start = usize::try_from(member.data_start).unwrap();
    let packed = &data[start..start + usize::try_from(member.packed_bytes).unwrap()];
    let member = WheelMember {
        member: member.clone(),
        digest: None,
        scheme: Scheme::Root,
        destination: member.path.clone(),
        hazard: None,
    };
    let mut extractor = Extractor::new();
    let whole = extractor.whole(&member, |buffer| {
        buffer.copy_from_slice(packed);
        Ok(())
    });
    let whole = whole.map(|(bytes, sha256)| (bytes.to_vec(), sha256)).ok();
    let mut streamed = Vec::new();
    let sha256 = Extractor::new().write(&member, &mut &data[start..], &mut streamed);
    assert_eq!(whole, sha256.ok().map(|sha256| (streamed, sha256)), "two ways to unpack {}", member.destination);
    whole.map(|(bytes, _)| bytes)
}

/// Checks that the `zip` crate, which shares no code with us, sees the same members and bytes.
fn check_other_reader(layout: &Layout, data: &[u8]) {
    let mut other = zip_reader(data);
    assert_eq!(other.len(), layout.members.len() + layout.directories.len());
    for member in layout.members.iter().filter(|member| member.unpacked_bytes <= UNPACKED_BYTES) {
        let bytes = unpacked(member, data);
        let mut file = other.by_name(member.path.as_str()).unwrap_or_else(|error| panic!("{}: {error}", member.path));
        assert!(file.is_file() && file.size() == member.unpacked_bytes && file.crc32() == member.crc32);
        assert_eq!(file.data_start(), Some(member.data_start));
        let mut read = Vec::new();
        let result = file.read_to_end(&mut read);
        if let Some(bytes) = bytes {
            assert_eq!(result.map(|_| read).map_err(|error| error.to_string()), Ok(bytes), "{}", member.path);
        }
    }
}

fn zip_reader(data: &[u8]) -> ::zip::ZipArchive<Cursor<&[u8]>> {
    ::zip::ZipArchive::new(Cursor::new(data)).unwrap_or_else(|error| panic!("only we read it: {error}"))
}

/// Checks that METADATA read from the end of a remote wheel is the METADATA that is unpacked later.
fn check_remote(layout: &Layout, data: &[u8]) {
    const SUFFIX: &str = ".dist-info/METADATA";
    let located = remote::locate(data, data.len() as u64, SUFFIX);
    let top = |member: &&Member| member.path.as_str().strip_suffix(SUFFIX).is_some_and(|top| !top.contains('/'));
    let mut wanted = layout.members.iter().filter(top).filter(|member| member.path.as_str() != SUFFIX);
    let (Some(member), None) = (wanted.next(), wanted.next()) else {
        return assert!(located.is_err(), "{located:?}");
    };
    if member.unpacked_bytes.max(member.packed_bytes) > UNPACKED_BYTES {
        return;
    }
    let Ok(Located::At { header_start, span_bytes, member: found }) = located else {
        // Whatever stands between two members is not asked for.
        return;
    };
    let start = usize::try_from(header_start).unwrap();
    let span = &data[start..start + usize::try_from(span_bytes).unwrap()];
    assert_eq!(remote::read_member(span, &found).ok(), unpacked(member, data), "{}", member.path);
    assert_eq!(found.path(), member.path.as_str());
    for missing in 1..span.len().min(3) {
        let cut = &span[..span.len() - missing];
        let read = remote::read_member(cut, &found);
        assert!(read.is_err() || read.ok() == unpacked(member, data));
    }
    let short = &data[data.len().saturating_sub(64)..];
    if let Ok(Located::NeedMore { from }) = remote::locate(short, data.len() as u64, SUFFIX) {
        assert!(from < (data.len() - short.len()) as u64, "it asks for what it has");
    }
}

/// The input is the RECORD of a small wheel that is right otherwise.
fn record(data: &[u8]) {
    let recipe =
        WheelRecipe::new("a", "1.0").file("a/x,y.py", "x = 1\n").executable("a-1.0.data/scripts/run", "#!python\n");
    let archive = recipe.record_text(data).build();
    let Ok(wheel) = read_wheel(&mut Cursor::new(&archive), "a", "1.0") else { return };
    let record = String::from_utf8_lossy(data);
    for member in &wheel.members {
        let path = member.member.path.as_str();
        assert!(member.digest.is_some() || path == "a-1.0.dist-info/RECORD", "{path} has no digest");
        if let Some(RecordDigest::Sha256(_)) = member.digest {
            assert!(record.contains("sha256="), "a digest from nowhere");
        }
    }
    let all_right = wheel.members.iter().all(|member| {
        let start = usize::try_from(member.member.data_start).unwrap();
        Extractor::new().write(member, &mut &archive[start..], &mut std::io::sink()).is_ok()
    });
    if all_right {
        let rows = record.lines().filter(|line| !line.is_empty()).count();
        assert!(rows >= wheel.members.len() - 1, "{rows} rows for {} files", wheel.members.len());
    }
}

/// The input is the WHEEL file of a small wheel that is right otherwise.
fn wheel_file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let archive = WheelRecipe::new("a", "1.0").wheel_text(text).build();
    let Ok(wheel) = read_wheel(&mut Cursor::new(archive), "a", "1.0") else { return };
    let values = |key: &str| -> Vec<String> {
        let fields = text.lines().filter_map(|line| line.trim_start_matches('\u{feff}').split_once(':'));
        let named = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case(key));
        named.map(|(_, value)| value.trim().to_ascii_lowercase()).collect()
    };
    assert_eq!(values("root-is-purelib"), [wheel.info.root_is_purelib.to_string()]);
    assert!(matches!(&values("wheel-version")[..], [version] if version.starts_with('1')), "{text:?}");
    assert_eq!(values("tag").len(), wheel.info.tags.len());
}

fn entry_points(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(read) = EntryPoints::parse(text) else { return };
    let mut printed = String::new();
    for (group, scripts) in [("console_scripts", &read.console_scripts), ("gui_scripts", &read.gui_scripts)] {
        printed.push_str(&format!("[{group}]\n"));
        for script in scripts {
            let path: ArchivePath = script.name.parse().expect("a script's name is a file's");
            assert!(path.parent().is_none() && !is_reserved_script_name(&script.name), "{}", script.name);
            for part in script.module.split('.').chain(script.attribute.split('.')) {
                assert!(!part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'), "{part:?}");
            }
            printed.push_str(&format!("{} = {}:{}\n", script.name, script.module, script.attribute));
        }
    }
    assert_eq!(EntryPoints::parse(&printed).ok().as_ref(), Some(&read), "{printed}");
}

/// The input is a tar, which is packed here so that the fuzzer need not learn gzip; as it is, it is read too.
fn sdist_tar(data: &[u8]) {
    let _ = unpack_tar(data);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(data).unwrap();
    let Some((top, files)) = unpack_tar(&packed.finish().unwrap()) else { return };
    assert!(files.keys().all(|path| path.segments().next() == Some(top.as_str())), "outside of {top}");
    let mut other = ::tar::Archive::new(data);
    let mut theirs = BTreeMap::new();
    for entry in other.entries().expect("the tar crate begins") {
        let mut entry = entry.unwrap_or_else(|error| panic!("only we read it: {error}"));
        if !entry.header().entry_type().is_file() || entry.path_bytes().ends_with(b"/") {
            continue;
        }
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("a path is UTF-8");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a file is whole");
        theirs.insert(path, bytes);
    }
    let ours: BTreeMap<String, Vec<u8>> = files.into_iter().map(|(path, bytes)| (path.to_string(), bytes)).collect();
    assert_eq!(ours, theirs, "the tar crate sees other files");
}

/// Returns top-level directory and files of a `.tar.gz` that is accepted.
fn unpack_tar(packed: &[u8]) -> Option<(String, BTreeMap<ArchivePath, Vec<u8>>)> {
    let mut files = BTreeMap::new();
    let mut links = Vec::new();
    let top = sdist::unpack(&mut Cursor::new(packed), Format::TarGz, &mut |entry, reader| {
        check_path(&entry.path);
        match &entry.kind {
            EntryKind::Directory => {}
            EntryKind::File { size_bytes, .. } => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes)?;
                assert!(bytes.len() as u64 <= *size_bytes);
                assert_eq!(files.insert(entry.path.clone(), bytes), None, "{} is given twice", entry.path);
            }
            EntryKind::LinkedFile { target } => links.push(target.clone()),
        }
        Ok(())
    });
    let top = top.ok()?;
    assert!(links.iter().all(|target| files.contains_key(target)), "a link to nothing");
    Some((top, files))
}
