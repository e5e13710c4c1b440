//! Trees are removed whole and nothing beside them; what a user closed to itself is opened again.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use pinfold_testkit::bound_by_modes;

use super::*;

#[test]
fn a_tree_is_removed_and_nothing_that_it_points_at() {
    let home = tempfile::tempdir().unwrap();
    let (victim, tree) = (home.path().join("victim"), home.path().join("tree"));
    fs::create_dir_all(victim.join("inside")).unwrap();
    fs::write(victim.join("precious"), "x").unwrap();
    let deep = tree.join(vec!["d"; 200].join("/"));
    fs::create_dir_all(&deep).unwrap();
    symlink(&victim, tree.join("to-directory")).unwrap();
    symlink(victim.join("precious"), deep.join("to-file")).unwrap();
    symlink("nowhere", tree.join("to-nothing")).unwrap();
    (0..2_000).for_each(|number| fs::write(tree.join(format!("file-{number}")), "").unwrap());
    let parent = Directory::open(home.path()).unwrap();
    parent.remove_tree("tree").unwrap();
    assert!(!tree.exists() && victim.join("inside").exists() && victim.join("precious").exists());
    // A link, and a file, are no trees.
    symlink(&victim, &tree).unwrap();
    for name in ["tree", "victim/precious"] {
        assert_eq!(parent.remove_tree(name).unwrap_err().kind(), ErrorKind::NotADirectory, "{name}");
    }
    assert_eq!(parent.remove_tree("gone").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(fs::symlink_metadata(&tree).unwrap().is_symlink() && victim.join("precious").exists());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_tree_whose_owner_lost_his_rights_is_removed_and_no_link_is_followed() {
    bound_by_modes("trees without rights", || {
        for mode in [0o555, 0o500, 0o444, 0o300, 0o100, 0o000] {
            let home = tempfile::tempdir().unwrap();
            let (victim, tree) = (home.path().join("victim"), home.path().join("tree"));
            fs::create_dir_all(victim.join("inside")).unwrap();
            fs::create_dir_all(tree.join("a/b/c")).unwrap();
            fs::write(tree.join("a/b/c/file"), "").unwrap();
            fs::write(tree.join("a/file"), "").unwrap();
            symlink(&victim, tree.join("a/b/link")).unwrap();
            for closed in ["a/b/c", "a/b", "a", ""] {
                set_mode(&tree.join(closed), mode);
            }
            set_mode(&victim, 0o555);
            let parent = Directory::open(home.path()).unwrap();
            parent.remove_tree("tree").unwrap_or_else(|error| panic!("{mode:o}: {error}"));
            assert!(fs::symlink_metadata(&tree).is_err() && victim.join("inside").exists(), "{mode:o}");
            assert_eq!(mode_of(&victim), 0o555);
        }
    });
}

#[test]
fn rights_are_given_back_to_the_directory_that_is_there_and_taken_from_others() {
    bound_by_modes("directories without rights", || {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        fs::create_dir(path("closed")).unwrap();
        fs::write(path("file"), "").unwrap();
        symlink("closed", path("link")).unwrap();
        let parent = Directory::open(home.path()).unwrap();
        set_mode(&path("closed"), 0);
        set_mode(&path("file"), 0);
        assert!(!parent.give_back("link") && !parent.give_back("file") && !parent.give_back("gone"));
        assert_eq!((mode_of(&path("closed")), mode_of(&path("file"))), (0, 0));
        assert!(parent.give_back("closed"));
        assert_eq!(mode_of(&path("closed")), 0o700);
        assert!(!parent.give_back("closed"), "nothing was lacking");
        set_mode(&path("closed"), 0o775);
        set_mode(&path("file"), 0o646);
        set_mode(home.path(), 0o777);
        assert!(parent.deny_others("link").is_err());
        assert_eq!(mode_of(&path("closed")), 0o775);
        ["closed", "file", "."].iter().for_each(|name| parent.deny_others(name).unwrap());
        assert_eq!([path("closed"), path("file"), path("")].map(|it| mode_of(&it)), [0o755, 0o644, 0o755]);
    });
}

#[test]
fn what_is_below_is_reached_through_no_link() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("a/b")).unwrap();
    fs::write(home.path().join("a/b/file"), "12345").unwrap();
    symlink("a", home.path().join("link")).unwrap();
    let root = Directory::open(home.path()).unwrap();
    let size = |path| reach(&root, path).and_then(|(directory, name)| directory.facts(name)).map(|it| it.size_bytes);
    assert_eq!(size("a/b/file").unwrap(), 5);
    assert_eq!(size("link/b/file").unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(size("a/c/file").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(open_below(&root, "").unwrap().facts("a").is_ok() && reach(&root, "a").is_ok());
}

#[test]
fn only_a_regular_file_of_a_bounded_size_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::write(path("file"), "12345").unwrap();
    fs::create_dir(path("directory")).unwrap();
    symlink("file", path("link")).unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    let directory = Directory::open(home.path()).unwrap();
    let read = |name: &str, limit: u64| read_own(&directory, name, limit).unwrap();
    assert_eq!(read("file", 5), Contents::Bytes(b"12345".to_vec()));
    assert_eq!(read("file", 4), Contents::TooLarge);
    assert_eq!(read("gone", 5), Contents::Gone);
    for name in ["directory", "link", "socket"] {
        assert_eq!(read(name, 5), Contents::Irregular, "{name}");
    }
}

#[test]
fn lists_by_name_what_is_inside() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("b"), "").unwrap();
    fs::create_dir(home.path().join("c")).unwrap();
    symlink("c", home.path().join("a")).unwrap();
    let opened = Opened::at(home.path()).unwrap();
    let found: Vec<(String, Kind)> = (opened.directory.entries().unwrap().into_iter())
        .map(|(name, kind)| (name.into_string().unwrap(), kind))
        .collect();
    let expected = [("a", Kind::Link), ("b", Kind::File), ("c", Kind::Directory)];
    assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    assert_eq!(opened.subdirectories().unwrap(), [("c".to_owned(), home.path().join("c"))]);
    assert_eq!(opened.directory.read_link("a").unwrap(), Path::new("c"));
    assert_eq!(Opened::at(&home.path().join("a")).unwrap_err().kind(), ErrorKind::NotADirectory);
}
