//! The archives are what they say they are: read back by Python's own zip and tar readers.

use pinfold_testkit::{
    Descriptor, HostileTar, HostileZip, Python, SdistRecipe, TarEntry, TempHome, WheelRecipe, ZipMember, sha256_hex,
};

/// Writes an archive, asks Python about it and compares the answer.
#[track_caller]
fn check(archive: &[u8], code: &str, expected: &str) {
    let home = TempHome::new();
    home.write("archive", archive);
    assert_eq!(Python::found().run(&home.project(), code).trim_end(), expected);
}

const NAMES: &str = "import zipfile; z = zipfile.ZipFile('archive'); print(z.testzip(), *z.namelist(), sep='\\n')";
const TAR: &str = "import tarfile\nfor m in tarfile.open('archive'): print(m.name, m.type, m.size, m.linkname)";

#[test]
fn writes_a_plain_archive() {
    let zip = HostileZip::new().file("a.txt", "some text").member(ZipMember::new("b", "bytes").stored());
    check(&zip.build(), NAMES, "None\na.txt\nb");
}

#[test]
fn writes_descriptors_and_zip64() {
    for descriptor in [Descriptor::Signed, Descriptor::Signed64, Descriptor::Unsigned] {
        let zip = HostileZip::new().member(ZipMember::new("a", "text").descriptor(descriptor)).file("b", "more");
        check(&zip.build(), NAMES, "None\na\nb");
    }
    let zip = HostileZip::new().member(ZipMember::new("a", "text").zip64()).zip64().entries(0xffff, 0xffff);
    check(&zip.central_bytes(u32::MAX).central_offset(u32::MAX).build(), NAMES, "None\na");
}

#[test]
fn lies_only_where_it_is_told_to() {
    let plain = HostileZip::new().file("a", "text").build();
    let cases = [
        (HostileZip::new().member(ZipMember::new("a", "text").local(|h| h.crc32 = Some(0x0102_0304))), 14..18),
        (HostileZip::new().member(ZipMember::new("a", "text").local(|h| h.name = Some(b"b".to_vec()))), 30..31),
        (HostileZip::new().file("a", "text").entries(2, 1), plain.len() - 14..plain.len() - 12),
    ];
    for (zip, place) in cases {
        let changed = zip.build();
        let differs: Vec<usize> = (0..plain.len()).filter(|position| plain[*position] != changed[*position]).collect();
        assert_eq!(changed.len(), plain.len());
        assert!(!differs.is_empty() && differs.iter().all(|position| place.contains(position)), "{differs:?}");
    }
}

#[test]
fn puts_bytes_anywhere() {
    let plain = HostileZip::new().file("a", "text").build().len();
    let member = || ZipMember::new("a", "text");
    for zip in [
        HostileZip::new().member(member().gap_before("12345")),
        HostileZip::new().member(member()).prefix("12345"),
        HostileZip::new().member(member()).suffix("12345"),
        HostileZip::new().member(member()).before_central("12345"),
        HostileZip::new().member(member()).before_end("12345"),
        HostileZip::new().member(member()).comment("12345"),
    ] {
        assert_eq!(zip.build().len(), plain + 5);
    }
    check(&HostileZip::new().file("a", "1").file("a", "2").build(), NAMES, "None\na\na");
    check(&HostileZip::new().file("a", "1").member(member().without_central()).build(), NAMES, "None\na");
}

#[test]
fn writes_a_wheel_whose_record_is_right() {
    let wheel = WheelRecipe::new("Foo.Bar", "1.0")
        .requires("b>=1; python_version < '4'")
        .extra("gpu", "c")
        .requires_python(">=3.8")
        .file("foo_bar/with,comma.txt", "text")
        .data("scripts", "tool", "#!python\n")
        .console_script("foo", "foo_bar:main");
    assert_eq!(wheel.filename(), "foo_bar-1.0-py3-none-any.whl");
    assert_eq!(wheel.build(), wheel.build());
    let code = "
import zipfile, csv, io, hashlib, base64, email
z = zipfile.ZipFile('archive')
rows = list(csv.reader(io.StringIO(z.read('foo_bar-1.0.dist-info/RECORD').decode())))
assert [r[0] for r in rows] == z.namelist(), rows
for path, digest, size in rows[:-1]:
    data = z.read(path)
    assert digest == 'sha256=' + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')
    assert int(size) == len(data)
m = email.message_from_bytes(z.read('foo_bar-1.0.dist-info/METADATA'))
print(m['Name'], m['Version'], m['Requires-Python'], m.get_all('Requires-Dist'), m.get_all('Provides-Extra'))
print(oct(z.getinfo('foo_bar-1.0.data/scripts/tool').external_attr >> 16))
print(z.read('foo_bar-1.0.dist-info/entry_points.txt').decode())";
    let expected = "Foo.Bar 1.0 >=3.8 [\"b>=1; python_version < '4'\", \"c ; extra == 'gpu'\"] ['gpu']\n0o100755\n\
        [console_scripts]\nfoo = foo_bar:main";
    check(&wheel.build(), code, expected);
}

#[test]
fn writes_every_tag_of_a_compressed_set() {
    let wheel = WheelRecipe::new("a", "1.0").tag("cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64");
    assert_eq!(wheel.filename(), "a-1.0-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl");
    let code = "import zipfile; print(zipfile.ZipFile('archive').read('a-1.0.dist-info/WHEEL').decode())";
    let expected = "Wheel-Version: 1.0\nGenerator: pinfold-testkit\nRoot-Is-Purelib: false\n\
        Tag: cp310-cp310-manylinux_2_17_x86_64\nTag: cp310-cp310-manylinux2014_x86_64";
    check(&wheel.build(), code, expected);
}

#[test]
fn changes_only_the_record() {
    let record = "import zipfile; print(zipfile.ZipFile('archive').read('a-1.0.dist-info/RECORD').decode())";
    let wheel = WheelRecipe::new("a", "1.0").bare().record_drop("a-1.0.dist-info/WHEEL");
    let wheel = wheel.record_replace("a-1.0.dist-info/METADATA", "md5=x", "1").record_add("../evil", "", "");
    check(&wheel.build(), record, "a-1.0.dist-info/METADATA,md5=x,1\na-1.0.dist-info/RECORD,,\n../evil,,");
}

#[test]
fn writes_tar_entries_of_every_kind() {
    let tar = HostileTar::new()
        .file("a/b", "text")
        .entry(TarEntry::directory("d/"))
        .entry(TarEntry::symlink("s", "/etc/passwd"))
        .entry(TarEntry::hardlink("h", "a/b"))
        .entry(TarEntry::new("c", "").kind(b'3').device(1, 3))
        .entry(TarEntry::pax(&[("path", "long/name")]))
        .file("short", "x")
        .entry(TarEntry::gnu_long_name("gnu/name"))
        .file("short", "y");
    let expected =
        "a/b b'0' 4 \nd b'5' 0 \ns b'2' 0 /etc/passwd\nh b'1' 0 a/b\nc b'3' 0 \nlong/name b'0' 1 \ngnu/name b'0' 1";
    check(&tar.build(), TAR, expected);
    check(&tar.build_gz(), TAR, expected);
}

#[test]
fn counts_the_digits_of_a_pax_record() {
    for length in [1, 80, 90, 91, 92, 93, 94, 95, 990, 995] {
        let name = "n".repeat(length);
        let tar = HostileTar::new().entry(TarEntry::pax(&[("path", &name)])).file("short", "x");
        check(&tar.build(), TAR, &format!("{name} b'0' 1"));
    }
}

#[test]
fn builds_its_own_sdist_with_the_standard_library_alone() {
    let sdist =
        SdistRecipe::new("Foo-Bar", "1.0").requires("b").built_requires("c").file("src/foo_bar/m.py", "x = 1\n");
    assert_eq!(sdist.filename(), "foo_bar-1.0.tar.gz");
    let code = "
import tarfile, sys, os, zipfile
tarfile.open('archive').extractall('.')
os.chdir('foo_bar-1.0'); sys.path.insert(0, '.')
import backend
print(open('pyproject.toml').read().split('\\n')[1], backend.get_requires_for_build_wheel())
os.mkdir('out'); name = backend.build_wheel('out')
z = zipfile.ZipFile('out/' + name)
print(name, z.namelist())
print(z.read('foo_bar-1.0.dist-info/METADATA').decode().count('Requires-Dist'), open('PKG-INFO').read().count('Requires-Dist'))";
    let expected = "requires = [] []\nfoo_bar-1.0-py3-none-any.whl ['foo_bar/__init__.py', 'foo_bar/m.py', \
        'foo_bar-1.0.dist-info/METADATA', 'foo_bar-1.0.dist-info/WHEEL', 'foo_bar-1.0.dist-info/RECORD']\n2 1";
    check(&sdist.build(), code, expected);
    check(&sdist.zip().build(), "import zipfile; print(zipfile.ZipFile('archive').testzip())", "None");
}

#[test]
fn gives_the_same_bytes_each_time() {
    for build in [|| WheelRecipe::new("a", "1.0").build(), || SdistRecipe::new("a", "1.0").build()] {
        assert_eq!(sha256_hex(&build()), sha256_hex(&build()));
    }
}
