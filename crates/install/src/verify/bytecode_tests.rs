//! Bytecode that is what its source compiles to, and every way in which it is not.

use std::fs;
use std::path::PathBuf;

use pinfold_testkit::WheelRecipe;

use super::*;
use crate::fixture::{World, interpreter};

fn wheels() -> [WheelRecipe; 1] {
    let source = "\"\"\"Text.\"\"\"\nLIMIT = 1_000_000_000_000\n\n\ndef check(x, *, y=1.5):\n    if x in {\"a\", \"b\", \"c\"}:\n        \
                  return [lambda: (y, i) for i in range(3)]\n    return {x: None, 1: b\"z\", 2: 3j}\n\n\nclass A:\n    async def b(self):\n        \
                  assert self, \"é\"\n";
    let pair = "PAIR = (None, \"good\", \"evil\", \"good\")\nWORD = \"\u{e9}t\u{e9}s\"\n";
    [WheelRecipe::new("a", "1.0").file("a/more.py", source).file("a/pair.py", pair).file("a/broken.py", "def f(:\n")]
}

fn installed() -> World {
    let world = World::new();
    world.install(&wheels()).unwrap();
    world
}

/// Imports the module as a program would, and returns the file that the interpreter left.
fn imported(world: &World, arguments: &[&str]) -> PathBuf {
    let mut python = std::process::Command::new(world.environment.python());
    python.args(arguments).args(["-c", "import a.more"]).env_clear().env("PYTHONHASHSEED", "1");
    assert!(python.output().unwrap().status.success());
    made(world)
}

fn made(world: &World) -> PathBuf {
    let entries = fs::read_dir(world.site("a/__pycache__")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("more")).last().unwrap()
}

/// Compiles another source with the header of the module's own.
fn compiled(world: &World, source: &str, file_name: &str) -> Vec<u8> {
    let code =
        format!("import marshal,sys;sys.stdout.buffer.write(marshal.dumps(compile({source:?},{file_name:?},'exec')))");
    let output = std::process::Command::new(world.environment.python()).args(["-B", "-c", &code]).output().unwrap();
    assert!(output.status.success());
    let header = fs::read(made(world)).unwrap();
    [&header[..bytecode::HEADER_BYTES], &output.stdout].concat()
}

fn problems(report: &Report) -> Vec<(FindingCode, &str)> {
    report.findings.iter().map(|it| (it.code, it.found.as_str())).collect()
}

const NOT_ITS_SOURCE: (FindingCode, &str) =
    (FindingCode::ForeignBytecode, "its code is not what its source compiles to");

#[test]
fn what_an_interpreter_leaves_is_proven() {
    let world = installed();
    imported(&world, &[]);
    imported(&world, &["-O"]);
    imported(&world, &["-OO"]);
    let report = world.verify(&wheels());
    // The package's own module, and the other one, each at three levels.
    assert_eq!((problems(&report), report.bytecode_files, report.bytecode_unproven), (vec![], 6, 0));
    // What is kept says the same, and nothing is kept where nothing may be.
    assert_eq!(world.verify(&wheels()), report);
    let options = VerifyOptions { depth: Depth::Full, store: None, compiled: None, progress: &|_| {} };
    assert_eq!(world.verify_as(&wheels(), &options).unwrap().bytecode_files, 6);
    assert_eq!(fs::read_dir(world.home().join("compiled")).unwrap().count(), 1);
    // Since 3.11 an interpreter can be told to leave something out.
    if interpreter().version >= "3.11".parse().unwrap() {
        fs::remove_dir_all(world.site("a/__pycache__")).unwrap();
        imported(&world, &["-X", "no_debug_ranges"]);
        let report = world.verify(&wheels());
        assert_eq!((problems(&report), report.bytecode_files), (vec![], 2));
    }
}

#[test]
fn code_of_another_source_is_found_though_the_header_fits() {
    let world = installed();
    let path = imported(&world, &[]);
    for source in ["import os\n", "LIMIT = 2\n"] {
        fs::write(&path, compiled(&world, source, "more.py")).unwrap();
        assert_eq!(problems(&world.verify(&wheels())), [NOT_ITS_SOURCE]);
    }
    // The control: its own source under another name, compiled anew, is fine.
    let source = fs::read_to_string(world.site("a/more.py")).unwrap();
    fs::write(&path, compiled(&world, &source, "elsewhere.py")).unwrap();
    assert_eq!(problems(&world.verify(&wheels())), []);
}

#[test]
fn one_changed_byte_of_the_code_is_found() {
    let world = installed();
    let path = imported(&world, &[]);
    let good = fs::read(&path).unwrap();
    let place = good.windows(5).position(|bytes| bytes == b"Text.").unwrap();
    let mut bytes = good.clone();
    bytes[place] = b'N';
    fs::write(&path, &bytes).unwrap();
    assert_eq!(problems(&world.verify(&wheels())), [NOT_ITS_SOURCE]);
    fs::write(&path, [&good[..], b"N"].concat()).unwrap();
    let expected = (FindingCode::ForeignBytecode, "it is not what a compiler writes");
    assert_eq!(problems(&world.verify(&wheels())), [expected]);
}

/// What an interpreter counts as referred to, and what it takes bytes for, decides what a file means to it.
#[test]
fn code_that_an_interpreter_reads_otherwise_is_found() {
    let world = installed();
    let shown = "import a.pair; print(a.pair.PAIR, a.pair.WORD)";
    let run = || {
        let mut python = std::process::Command::new(world.environment.python());
        let python = python.args(["-c", shown]).env_clear().env("PYTHONIOENCODING", "utf-8").output();
        String::from_utf8(python.unwrap().stdout).unwrap()
    };
    assert_eq!(run(), "(None, 'good', 'evil', 'good') \u{e9}t\u{e9}s\n");
    let file = fs::read_dir(world.site("a/__pycache__")).unwrap().map(|entry| entry.unwrap().path());
    let file = file.filter(|path| path.to_string_lossy().contains("pair")).last().unwrap();
    let good = fs::read(&file).unwrap();
    assert_eq!(problems(&world.verify(&wheels())), []);
    let expected = (FindingCode::ForeignBytecode, "it is not what a compiler writes");
    let forged = |place: usize, length: usize, with: &[u8], prints: &str| {
        let bytes = [&good[..place], with, &good[place + length..]].concat();
        crate::fixture::overwrite(&file, &bytes);
        assert_eq!(run(), prints);
        assert_eq!(problems(&world.verify(&wheels())), [expected]);
    };
    // A mark on what is not counted: the reference after it is one further for who counts it.
    let place = good.windows(3).position(|bytes| bytes == b")\x04N").unwrap();
    let reference = place + 15;
    assert_eq!(good[reference], b'r', "{good:?}");
    let next = [&[b')', 4, b'N' | 0x80], &good[place + 3..=reference], &[good[reference + 1] + 1]].concat();
    forged(place, 17, &next, "(None, 'good', 'evil', 'evil') \u{e9}t\u{e9}s\n");
    // The bytes of a text in UTF-8, marked as one character each.
    let place = good.windows(6).position(|bytes| bytes == b"\x06\0\0\0\xc3\xa9").unwrap() - 1;
    let kind = b'a' | good[place] & 0x80;
    forged(place, 1, &[kind], "(None, 'good', 'evil', 'good') \u{c3}\u{a9}t\u{c3}\u{a9}s\n");
}

#[test]
fn headers_that_lead_past_the_source_are_found() {
    let world = installed();
    let path = imported(&world, &[]);
    let good = fs::read(&path).unwrap();
    for (place, value, expected) in [
        (4, 1, "it tells the interpreter not to look at its source"),
        (8, good[8] ^ 1, "it was made from another source"),
        (0, good[0] ^ 1, "it is of another version of Python"),
        (2, 0, "it is no bytecode"),
    ] {
        let mut bytes = good.clone();
        bytes[place] = value;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(problems(&world.verify(&wheels())), [(FindingCode::ForeignBytecode, expected)]);
    }
}

#[test]
fn bytecode_by_hash_is_proven_too() {
    let world = installed();
    let code = "import py_compile; py_compile.compile(r'{}', invalidation_mode=py_compile.PycInvalidationMode.{})";
    let compile = |mode: &str| {
        let code = code.replacen("{}", &world.site("a/more.py").to_string_lossy(), 1).replacen("{}", mode, 1);
        world.run(&code);
    };
    compile("CHECKED_HASH");
    let report = world.verify(&wheels());
    assert_eq!((problems(&report), report.bytecode_files), (vec![], 1));
    compile("UNCHECKED_HASH");
    let expected = (FindingCode::ForeignBytecode, "it tells the interpreter not to look at its source");
    assert_eq!(problems(&world.verify(&wheels())), [expected]);
}

#[test]
fn bytecode_without_a_source_that_compiles_is_found() {
    let world = installed();
    let path = imported(&world, &[]);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let beside = |name: &str| path.with_file_name(name);
    fs::copy(&path, beside(&name.replace("more", "evil"))).unwrap();
    fs::copy(&path, world.site("a/evil.pyc")).unwrap();
    fs::copy(&path, beside("more.cpython-399.pyc")).unwrap();
    let report = world.verify(&wheels());
    let codes: Vec<FindingCode> = report.findings.iter().map(|it| it.code).collect();
    assert_eq!(codes, [FindingCode::Added, FindingCode::Added, FindingCode::ForeignBytecode]);
    for extra in [beside(&name.replace("more", "evil")), world.site("a/evil.pyc"), beside("more.cpython-399.pyc")] {
        fs::remove_file(extra).unwrap();
    }
    // A source that cannot be compiled has no bytecode; its header is right.
    let facts = fs::metadata(world.site("a/broken.py")).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let seconds = std::os::unix::fs::MetadataExt::mtime(&facts);
    bytes[8..12].copy_from_slice(&(seconds as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&(facts.len() as u32).to_le_bytes());
    fs::write(beside(&name.replace("more", "broken")), &bytes).unwrap();
    let expected = (FindingCode::ForeignBytecode, "its source cannot be compiled");
    assert_eq!(problems(&world.verify(&wheels())), [expected]);
}

#[test]
fn bytecode_that_was_compiled_while_installing_is_proven_against_a_changed_receipt() {
    let mut world = World::new();
    world.bytecode = crate::Bytecode::Compile;
    world.install(&wheels()[..]).unwrap();
    let report = world.verify(&wheels());
    assert_eq!((problems(&report), report.bytecode_files), (vec![], 3));
    // The attacker changes the file, the list and the header, and takes the ledger away.
    let path = made(&world);
    fs::remove_file(world.environment.state().join("ledger.jsonl")).unwrap();
    let (before, after) = (fs::read(&path).unwrap(), compiled(&world, "import os\n", "x"));
    crate::fixture::overwrite(&path, &after);
    let replace = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(world.path(file)).unwrap();
        assert!(text.contains(from));
        fs::write(world.path(file), text.replace(from, to)).unwrap();
        crate::receipt::digest(text.as_bytes()).to_string()
    };
    let digest = |bytes: &[u8]| crate::receipt::digest(bytes).to_string();
    replace(
        ".pinfold/files.json",
        &format!("\"size\":{},\"sha256\":\"{}", before.len(), digest(&before)),
        &format!("\"size\":{},\"sha256\":\"{}", after.len(), digest(&after)),
    );
    let list = digest(&fs::read(world.path(".pinfold/files.json")).unwrap());
    let header: crate::Receipt = crate::Receipt::read(world.environment.venv()).unwrap().unwrap();
    replace(".pinfold/receipt.json", &header.files_sha256.to_string(), &list);
    assert_eq!(problems(&world.verify(&wheels())), [NOT_ITS_SOURCE]);
}

#[test]
fn another_interpreter_is_a_finding_and_proves_nothing() {
    let world = installed();
    imported(&world, &[]);
    let receipt = world.path(".pinfold/receipt.json");
    let text = fs::read_to_string(&receipt).unwrap();
    let stamp = format!("\"mtime_ns\": {}", interpreter().stamp.mtime_ns);
    assert!(text.contains(&stamp));
    fs::write(&receipt, text.replace(&stamp, "\"mtime_ns\": 1")).unwrap();
    let report = world.verify(&wheels());
    let codes: Vec<FindingCode> = report.findings.iter().map(|it| it.code).collect();
    assert_eq!(codes, [FindingCode::InterpreterChanged]);
    assert_eq!((report.bytecode_files, report.bytecode_unproven), (0, 2));
}
