//! The list of an unpacked tree: what was read is written and read again as the same, nothing else is read for it.

use std::collections::BTreeMap;

use pinfold_artifact::Sha256;
use pinfold_store::{Boot, Stamp, TreeFile, TreeManifest};
use pinfold_testkit::sha256;

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] = &[Target { name: "tree_manifest", body: tree_manifest }];

/// The input is read as it is, and as what follows the digest of a list in each of the two forms.
fn tree_manifest(data: &[u8]) {
    let artifact = artifact();
    assert_eq!(TreeManifest::from_bytes(data, &artifact).map(|_| ()), sealed_right(data, &artifact), "not its digest");
    for form in FORMS {
        let body = [artifact.as_bytes(), data].concat();
        let bytes = [form, &sha256(&body).as_bytes()[..], &body].concat();
        let Some((manifest, written)) = TreeManifest::from_bytes(&bytes, &artifact) else { continue };
        check(&manifest, written, &artifact);
        check_changes(&bytes, &artifact);
        if form == FORMS[0] && is_canonical(&manifest, data) {
            assert!(manifest.to_bytes(&artifact, written) == bytes, "another list is written than was read");
        }
    }
}

/// What a list begins with, in the form of now and in the one before.
const FORMS: [&[u8]; 2] = [b"pinfold-tree-02\n", b"pinfold-tree-01\n"];

fn artifact() -> Sha256 {
    sha256(b"artifact")
}

/// Returns something only if the input has its own digest and names the artifact.
fn sealed_right(data: &[u8], artifact: &Sha256) -> Option<()> {
    let rest = FORMS.iter().find_map(|form| data.strip_prefix(*form))?;
    let (digest, body) = rest.split_at_checked(32)?;
    (sha256(body).as_bytes() == digest && body.starts_with(artifact.as_bytes())).then_some(())
}

fn check(manifest: &TreeManifest, written: Boot, artifact: &Sha256) {
    for file in &manifest.files {
        let path = file.path.as_str();
        assert!(!path.starts_with('/') && !path.contains(['\\', '\0']), "{path:?}");
        assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{path:?}");
        let (directory, name) = file.directory_and_name();
        assert_eq!([directory, name].join("/").trim_start_matches('/'), path);
    }
    let bytes = manifest.to_bytes(artifact, written);
    let again = TreeManifest::from_bytes(&bytes, artifact);
    assert_eq!(again.as_ref(), Some(&(manifest.clone(), written)));
    assert_eq!(TreeManifest::from_bytes(&bytes, &sha256(b"another")), None, "it is read for another artifact");
}

/// A changed byte, a cut and a longer end are no list.
fn check_changes(bytes: &[u8], artifact: &Sha256) {
    let chance = sha256(bytes);
    for pair in chance.as_bytes().chunks_exact(2).take(4) {
        let at = usize::from(pair[0]) * 256 + usize::from(pair[1]);
        let mut flipped = bytes.to_vec();
        flipped[at % bytes.len()] ^= 1 << (pair[0] & 7);
        assert_eq!(TreeManifest::from_bytes(&flipped, artifact), None, "byte {} was changed", at % bytes.len());
        assert_eq!(TreeManifest::from_bytes(&bytes[..at % bytes.len()], artifact), None, "cut");
    }
    assert_eq!(TreeManifest::from_bytes(&[bytes, &[0]].concat(), artifact), None, "more follows");
}

/// Returns true if the notes stand in their order, each once: so they are written, and the reader does not ask.
fn is_canonical(manifest: &TreeManifest, data: &[u8]) -> bool {
    let notes: Vec<u8> = manifest.note.iter().flat_map(|(key, value)| text(key).chain(text(value))).collect();
    let count = u32::try_from(manifest.note.len()).unwrap_or(u32::MAX).to_le_bytes();
    data.get(16..20) == Some(&count[..]) && data[20..].starts_with(&notes)
}

fn text(text: &str) -> impl Iterator<Item = u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    length.to_le_bytes().into_iter().chain(text.bytes())
}

/// Returns what the target begins with: lists are no text, so none is committed.
pub(crate) fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let file = |path: &str, executable| TreeFile {
        path: path.parse().expect("a seed is right"),
        size_bytes: 3,
        sha256: sha256(path.as_bytes()),
        executable,
        stamp: Stamp { mtime_ns: 1_700_000_000_000_000_000, inode: 7 },
    };
    let list = |files: Vec<TreeFile>, note: &[(&str, &str)]| {
        let note: BTreeMap<_, _> = note.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let whole = TreeManifest { files, note }.to_bytes(&artifact(), Boot::UNKNOWN);
        (whole[FORMS[0].len() + 64..].to_vec(), whole)
    };
    if target != "tree_manifest" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, (body, whole)) in [
        ("empty", list(Vec::new(), &[])),
        ("files", list(vec![file("a.py", false), file("a/b.py", false), file("a/run", true)], &[])),
        ("notes", list(vec![file("a-1.0.dist-info/METADATA", false)], &[("", ""), ("metadata", "Name: a\n")])),
    ] {
        // The form before has no start of the machine.
        found.push((format!("{name}_before"), body[16..].to_vec()));
        found.push((name.to_owned(), body));
        found.push((format!("{name}_whole"), whole));
    }
    found
}
