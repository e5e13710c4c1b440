//! Every attack of `ATTACKS.md` 4 that shows in the archive, each beside the wheel that it spoils.

use std::io::Cursor;

use pinfold_testkit::{WheelRecipe, sha256_record};

use super::*;

fn plain() -> WheelRecipe {
    WheelRecipe::new("a", "1.0").file("a/b.txt", "b").console_script("a-run", "a.main:run")
}

fn read(recipe: &WheelRecipe) -> Result<WheelContents, ArchiveError> {
    read_wheel(&mut Cursor::new(recipe.build()), "a", "1.0")
}

#[track_caller]
fn check(recipe: WheelRecipe, expected: &str) {
    let found = read(&recipe);
    let code = match &found {
        Ok(_) => "ok",
        Err(error) => error.refusal_code().unwrap_or("none"),
    };
    assert_eq!(code, expected, "{found:?}");
}

#[test]
fn control_a_plain_wheel_is_read_as_it_is() {
    let recipe = plain().tag("cp310-cp310-linux_x86_64").build_number("2");
    let wheel = read(&recipe).unwrap();
    assert_eq!(wheel.dist_info, "a-1.0.dist-info");
    assert_eq!(wheel.metadata, recipe.metadata().as_bytes());
    assert_eq!(wheel.metadata_sha256, pinfold_testkit::sha256(&wheel.metadata));
    assert_eq!((wheel.info.root_is_purelib, wheel.info.build.as_deref()), (false, Some("2")));
    assert_eq!(wheel.info.tags, ["cp310-cp310-linux_x86_64"]);
    assert_eq!(wheel.entry_points.console_scripts[0].name, "a-run");
    let undigested: Vec<_> = wheel.members.iter().filter(|member| member.digest.is_none()).collect();
    assert_eq!(undigested.len(), 1);
    assert_eq!(undigested[0].member.path.as_str(), "a-1.0.dist-info/RECORD");
}

#[test]
fn control_spellings_of_real_tools() {
    check(plain().dist_info_name("A-1.0.dist-info"), "ok");
    check(plain().dist_info_name("a-1.0.0.dist-info"), "ok");
    check(plain().wheel_text("Wheel-Version: 1.9\r\nRoot-Is-Purelib: TRUE\r\n"), "ok");
    // setuptools' own wheel does not list RECORD in RECORD; some leave sizes out.
    check(plain().record_drop("a-1.0.dist-info/RECORD"), "ok");
    check(plain().record_replace("a/b.txt", &sha256_record(b"b"), ""), "ok");
    check(plain().file("a,b/\u{fc}.txt", "x"), "ok");
    check(plain().file("a/v/b-1.0.dist-info/METADATA", "x"), "ok");
    // Left by the build: it is of the project itself.
    check(plain().file("A-1.0-py3.10.egg-info/PKG-INFO", "Name: a"), "ok");
    check(plain().file("a.egg-info/PKG-INFO", "Name: a"), "ok");
    check(plain().file("a/v/b.egg-info/PKG-INFO", "x"), "ok");
}

#[test]
fn one_dist_info_directory_that_is_not_written_so_is_shown() {
    let said = |found: &[&str]| {
        crate::ArchiveError::DistInfo { found: found.iter().map(|it| (*it).to_owned()).collect() }.to_string()
    };
    assert!(said(&["A-1.DIST-INFO"]).ends_with("in lower case; this has A-1.DIST-INFO"));
    assert!(said(&[]).ends_with("this has none"));
}

#[test]
fn wi01_no_record_or_two_dist_info_directories() {
    check(plain().without_record(), "record-missing");
    check(plain().record_text("\"a/b.txt"), "record-malformed");
    check(plain().record_text("a/b.txt\n"), "record-malformed");
    check(plain().record_text("a/b.txt,,,\n"), "record-malformed");
    check(plain().record_text(b"\xff,,\n"), "record-malformed");
    check(plain().file("b-1.0.dist-info/METADATA", "Name: b"), "wheel-metadata");
    check(plain().file("b-1.0.DIST-INFO/METADATA", "Name: b"), "wheel-metadata");
    check(plain().dist_info_name("a-1.0.Dist-Info"), "wheel-metadata");
    check(plain().data("purelib", "b-1.0.dist-info/METADATA", "Name: b"), "wheel-metadata");
    check(plain().data("data", "lib/python3.10/site-packages/b-1.0.dist-info/METADATA", "x"), "wheel-metadata");
    check(plain().data("platlib", "b.egg-info/PKG-INFO", "Name: b"), "wheel-metadata");
    for another in ["b.egg-info/PKG-INFO", "b-1.0-py3.10.egg-info/entry_points.txt", "B.EGG-INFO"] {
        check(plain().file(another, "Name: b"), "wheel-metadata");
    }
}

#[test]
fn ix12_another_distribution_than_expected() {
    check(plain().dist_info_name("b-1.0.dist-info"), "name-mismatch");
    check(plain().dist_info_name("a-1.1.dist-info"), "name-mismatch");
    check(plain().dist_info_name("a.dist-info"), "name-mismatch");
}

#[test]
fn wi02_a_file_that_record_does_not_list() {
    check(plain().hidden_file("a/hidden.py", "import os"), "unlisted-file");
    check(plain().hidden_file("a-1.0.dist-info/RECORD.txt", "x"), "unlisted-file");
    check(plain().hidden_file("a/RECORD.jws", "x"), "unlisted-file");
    check(plain().record_drop("a/b.txt"), "unlisted-file");
    check(plain().record_drop("a-1.0.dist-info/METADATA"), "unlisted-file");
}

#[test]
fn wi03_a_row_without_a_file() {
    check(plain().record_add("a/gone.py", &sha256_record(b""), "0"), "record-mismatch");
    check(plain().record_add("A/b.txt", &sha256_record(b"b"), "1"), "record-mismatch");
    check(plain().record_add("a/b.txt", &sha256_record(b"b"), "1"), "record-malformed");
}

#[test]
fn wi04_sizes_and_digests_that_differ() {
    check(plain().record_replace("a/b.txt", &sha256_record(b"b"), "2"), "record-mismatch");
    check(plain().record_replace("a/b.txt", &sha256_record(b"b"), "+1"), "record-mismatch");
    check(plain().record_replace("a/b.txt", &sha256_record(b"b"), "1.0"), "record-mismatch");
    // Digests of files outside `.dist-info` are held against the bytes when these are extracted.
    check(plain().record_replace("a-1.0.dist-info/METADATA", &sha256_record(b"x"), ""), "record-mismatch");
    let wheel = read(&plain().record_replace("a/b.txt", &sha256_record(b"c"), "1")).unwrap();
    let member = wheel.members.iter().find(|member| member.member.path.as_str() == "a/b.txt").unwrap();
    let data = plain().build()[member.member.data_start as usize..].to_vec();
    let refused = crate::extract(member, &mut data.as_slice(), &mut Vec::new()).unwrap_err();
    assert_eq!(refused.refusal_code(), Some("record-mismatch"));
}

#[test]
fn wi05_digests_that_prove_nothing() {
    let digests = [
        "",
        "md5=XrY7u-Ae7tCTyyK7j1rNww",
        "sha1=qvTGHdzF6KLavt4PO0gs2a6pQ00",
        "sha=x",
        "sha256=",
        "sha256=!",
        "=",
        "x",
    ];
    for digest in digests {
        check(plain().record_replace("a/b.txt", digest, "1"), "record-weak-digest");
    }
    let padded = format!("{}=", sha256_record(b"b"));
    check(plain().record_replace("a/b.txt", &padded, "1"), "record-weak-digest");
    check(plain().record_replace("a/b.txt", &sha256_record(b"b"), "1"), "ok");
    check(plain().record_replace("a-1.0.dist-info/RECORD", &sha256_record(b"b"), ""), "record-mismatch");
}

/// Returns every fault of a wheel, and what becomes of it with exceptions for exactly these.
#[track_caller]
fn except(recipe: &WheelRecipe, expected: &[(RecordFault, &str, &[u8])]) -> WheelContents {
    let archive = recipe.build();
    let faults = record_faults(&mut Cursor::new(&archive), "a", "1.0").unwrap();
    let expected: Vec<RecordException> = expected
        .iter()
        .map(|(fault, path, bytes)| RecordException {
            fault: *fault,
            path: path.parse().unwrap(),
            sha256: pinfold_testkit::sha256(bytes),
        })
        .collect();
    assert_eq!(faults, expected);
    let read =
        |exceptions: &[RecordException]| read_wheel_excepting(&mut Cursor::new(&archive), "a", "1.0", exceptions);
    for (position, left_out) in faults.iter().enumerate() {
        let mut fewer = faults.clone();
        fewer.remove(position);
        // Where bytes are not what a row says, extraction refuses them; everything else is refused at once.
        match read(&fewer) {
            Ok(wheel) => assert!(!wheel.excepted.contains(left_out)),
            Err(error) => assert_eq!(RecordFault::of_error(&error), Some(left_out.fault)),
        }
    }
    let wheel = read(&faults).unwrap();
    assert_eq!(wheel.excepted, faults);
    wheel
}

#[test]
fn an_exception_stands_for_one_fault_and_its_bytes() {
    use RecordFault::{Mismatch, Unlisted, WeakDigest};
    except(&plain().record_replace("a/b.txt", &sha256_record(b"b"), "2"), &[(Mismatch, "a/b.txt", b"b")]);
    except(&plain().record_replace("a/b.txt", "md5=XrY7u-Ae7tCTyyK7j1rNww", "1"), &[(WeakDigest, "a/b.txt", b"b")]);
    except(&plain().record_replace("a/b.txt", "", ""), &[(WeakDigest, "a/b.txt", b"b")]);
    except(&plain().hidden_file("a/hidden.py", "x"), &[(Unlisted, "a/hidden.py", b"x")]);
    // A digest that lies shows only when the bytes are read.
    let wheel = except(
        &plain().record_replace("a/b.txt", &sha256_record(b"c"), "1").hidden_file("z.py", "z"),
        &[(Mismatch, "a/b.txt", b"b"), (Unlisted, "z.py", b"z")],
    );
    let digest_of =
        |path: &str| wheel.members.iter().find(|it| it.member.path.as_str() == path).unwrap().digest.clone();
    let digest = |bytes: &[u8]| Some(RecordDigest::Sha256(pinfold_testkit::sha256(bytes)));
    assert_eq!((digest_of("a/b.txt"), digest_of("z.py")), (digest(b"b"), digest(b"z")));
    // What a row says of a file that is not there is accepted with the bytes of RECORD itself.
    let gone = plain().record_add("a/gone.py", &sha256_record(b""), "0");
    let archive = gone.build();
    let faults = record_faults(&mut Cursor::new(&archive), "a", "1.0").unwrap();
    assert_eq!(faults.iter().map(|it| (it.fault, it.path.as_str())).collect::<Vec<_>>(), [(Mismatch, "a/gone.py")]);
    let other = RecordException { sha256: pinfold_testkit::sha256(b"other"), ..faults[0].clone() };
    let read =
        |it: &RecordException| read_wheel_excepting(&mut Cursor::new(&archive), "a", "1.0", std::slice::from_ref(it));
    assert_eq!(read(&faults[0]).unwrap().excepted, faults);
    assert_eq!(read(&other).unwrap_err().refusal_code(), Some("record-mismatch"));
    // A control: nothing is wrong, so no exception is needed, and none for other bytes does any harm.
    except(&plain(), &[]);
}

#[test]
fn no_exception_is_for_what_is_wrong_with_the_archive_or_with_record_as_a_whole() {
    for recipe in [plain().without_record(), plain().record_text("a,b\n"), plain().record_add("../x", "", "")] {
        assert!(record_faults(&mut Cursor::new(recipe.build()), "a", "1.0").is_err());
    }
    let archive = plain().hidden_file("a/hidden.py", "x").build();
    let other = RecordException {
        fault: RecordFault::Unlisted,
        path: "a/hidden.py".parse().unwrap(),
        sha256: pinfold_testkit::sha256(b"other"),
    };
    let wheel = read_wheel_excepting(&mut Cursor::new(&archive), "a", "1.0", &[other]).unwrap();
    let member = wheel.members.iter().find(|it| it.member.path.as_str() == "a/hidden.py").unwrap();
    let data = archive[member.member.data_start as usize..].to_vec();
    let refused = crate::extract(member, &mut data.as_slice(), &mut Vec::new()).unwrap_err();
    assert_eq!(refused.refusal_code(), Some("record-mismatch"), "other bytes than those accepted");
}

#[test]
fn wi07_a_row_that_leaves_the_archive() {
    for path in ["../../.ssh/x", "/etc/passwd", "C:\\x", "a\\b.txt"] {
        check(plain().record_add(path, &sha256_record(b""), "0"), "unsafe-path");
    }
}

#[test]
fn wi08_signatures_are_reported_as_not_verified() {
    let jws = "a-1.0.dist-info/RECORD.jws";
    let wheel = read(&plain().hidden_file(jws, "{}").hidden_file("a-1.0.dist-info/RECORD.p7s", "x")).unwrap();
    assert_eq!(wheel.unverified_signatures.len(), 2);
    let wheel = read(&plain().file(jws, "{}").record_replace(jws, "", "")).unwrap();
    assert_eq!(wheel.unverified_signatures[0].as_str(), jws);
    assert!(read(&plain().file(jws, "{}")).unwrap().unverified_signatures.is_empty());
    assert!(read(&plain()).unwrap().unverified_signatures.is_empty());
}

#[test]
fn wi09_data_directories() {
    for scheme in ["data", "headers", "platlib", "purelib", "scripts"] {
        check(plain().data(scheme, "x", "x"), "ok");
    }
    check(plain().data("data", "../../x", "x"), "unsafe-path");
    check(plain().data("evil", "x", "x"), "wheel-metadata");
    check(plain().data("Data", "x", "x"), "wheel-metadata");
    check(plain().data("scripts", "sub/x", "x"), "wheel-metadata");
    check(plain().file("a-1.0.data/x", "x"), "wheel-metadata");
    check(plain().file("b-1.0.data/scripts/x", "x"), "wheel-metadata");
    check(plain().file("A-1.0.DATA/scripts/x", "x"), "wheel-metadata");
    check(plain().file("a/x.data/scripts/x", "x"), "ok");
    let wheel = read(&plain().data("scripts", "tool", "#!python\n")).unwrap();
    let tool = wheel.members.iter().find(|member| member.scheme == Scheme::Scripts).unwrap();
    assert_eq!(tool.destination.as_str(), "tool");
}

#[test]
fn wi11_entry_points_are_checked() {
    check(plain().console_script("../../x", "a:run"), "unsafe-entry-point");
    check(plain().console_script("python", "a:run"), "unsafe-entry-point");
    check(plain().gui_script("g", "a:run; import os"), "unsafe-entry-point");
}

#[test]
fn wi16_wi18_start_up_hooks_are_marked() {
    let hazards = |recipe: WheelRecipe| -> Vec<Hazard> {
        read(&recipe).unwrap().members.into_iter().filter_map(|member| member.hazard).collect()
    };
    assert_eq!(hazards(plain()), []);
    assert_eq!(hazards(plain().file("a.pth", "import a")), [Hazard::PathFile]);
    assert_eq!(hazards(plain().data("purelib", "sitecustomize.py", "x")), [Hazard::SiteCustomize]);
    assert_eq!(hazards(plain().data("data", "lib/x/easy-install.pth", "x")), [Hazard::Editable]);
}

#[test]
fn a_wheel_file_that_is_not_understood() {
    check(plain().wheel_text("Wheel-Version: 2.0\nRoot-Is-Purelib: true\n"), "wheel-metadata");
    check(plain().wheel_text("Wheel-Version: 1.0\n"), "wheel-metadata");
    check(plain().wheel_text("Wheel-Version: 1.0\nWheel-Version: 1.0\nRoot-Is-Purelib: true\n"), "wheel-metadata");
    check(plain().wheel_text("Root-Is-Purelib: true\nRoot-Is-Purelib: false\nWheel-Version: 1.0\n"), "wheel-metadata");
    check(plain().wheel_text(""), "wheel-metadata");
}

#[test]
fn a_layout_that_is_refused_makes_no_wheel() {
    let found = read_wheel(&mut Cursor::new(plain().zip().suffix("x").build()), "a", "1.0").unwrap_err();
    assert_eq!(found.refusal_code(), Some("archive-layout"));
    let found = read_wheel(&mut Cursor::new(b"not a zip"), "a", "1.0").unwrap_err();
    assert_eq!(found.refusal_code(), Some("archive-layout"));
}
