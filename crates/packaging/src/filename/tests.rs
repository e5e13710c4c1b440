//! Real file names, old file names, and odd ones.

use super::*;

fn wheel(text: &str) -> Result<WheelFilename, String> {
    WheelFilename::parse(&text.parse().unwrap()).map_err(|error| error.to_string())
}

#[test]
fn reads_real_wheels() {
    for (text, name, version, shown) in [
        (
            "torch-2.1.0+cu121-cp310-cp310-linux_x86_64.whl",
            "torch",
            "2.1.0+cu121",
            "torch-2.1.0+cu121-cp310-cp310-linux_x86_64.whl",
        ),
        (
            "numpy-1.23.5-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "numpy",
            "1.23.5",
            "numpy-1.23.5-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
        ("PyYAML-6.0-cp310-cp310-win_amd64.whl", "pyyaml", "6.0", "pyyaml-6.0-cp310-cp310-win_amd64.whl"),
        ("zope.interface-5.0-py2.py3-none-any.whl", "zope-interface", "5.0", "zope_interface-5.0-py2.py3-none-any.whl"),
        ("a-1!2.0-py3-none-any.whl", "a", "1!2.0", "a-1!2.0-py3-none-any.whl"),
        ("a-1.0_1-py3-none-any.whl", "a", "1.0.post1", "a-1.0.post1-py3-none-any.whl"),
        ("a-1.0.post1+local_2-Py3-None-Any.whl", "a", "1.0.post1+local.2", "a-1.0.post1+local.2-py3-none-any.whl"),
        ("a-1.0-3b-py3-none-any.whl", "a", "1.0", "a-1.0-3b-py3-none-any.whl"),
        ("a_b-1.0-20240820-py3-none-any.whl", "a-b", "1.0", "a_b-1.0-20240820-py3-none-any.whl"),
    ] {
        let wheel = wheel(text).unwrap();
        assert_eq!((wheel.name.as_str(), wheel.version.to_string().as_str()), (name, version), "{text}");
        assert_eq!(wheel.to_string(), shown);
        assert_eq!(WheelFilename::parse(&shown.parse().unwrap()).unwrap(), wheel);
    }
}

#[test]
fn every_odd_wheel_name_is_an_error_that_says_what_is_odd() {
    let check = |text: &str, expected: &str| {
        assert_eq!(wheel(text).unwrap_err(), format!("`{text}` {expected}"));
    };
    let fields = |found| format!("has {found} fields between hyphens; a wheel has 5, or 6 with a build tag");
    check("a-1.0.tar.gz", "is neither a wheel (.whl) nor an sdist (.tar.gz, .zip)");
    check("a-1.0-py3-none-any.WHL", "is neither a wheel (.whl) nor an sdist (.tar.gz, .zip)");
    check("a.whl", &fields(1));
    check("a-1.0-none-any.whl", &fields(4));
    check("a-1.0-1-2-py3-none-any.whl", &fields(7));
    check("a-b-1.0-py3-none-any.whl", "has `b` where its version belongs");
    check("a-dev-py3-none-any.whl", "has `dev` where its version belongs");
    check("a--py3-none-any.whl", "has `` where its version belongs");
    check("a-9999999999999999999999-py3-none-any.whl", "has `9999999999999999999999` where its version belongs");
    check("a__b-1.0-py3-none-any.whl", "begins with `a__b`, which is no project name");
    check("_a-1.0-py3-none-any.whl", "begins with `_a`, which is no project name");
    check("a~b-1.0-py3-none-any.whl", "begins with `a~b`, which is no project name");
    check("a-1.0-x1-py3-none-any.whl", "has the build tag `x1`; it must begin with a number of at most 15 digits");
    check("a-1.0--py3-none-any.whl", "has the build tag ``; it must begin with a number of at most 15 digits");
    let long = "1".repeat(16);
    check(
        &format!("a-1.0-{long}-py3-none-any.whl"),
        &format!("has the build tag `{long}`; it must begin with a number of at most 15 digits"),
    );
    for (tags, odd) in [
        ("py3--any", ""),
        ("py3..py2-none-any", ""),
        ("py3-none-any.", ""),
        ("py3-none-an+y", "an+y"),
        ("3py-none-any", "3py"),
    ] {
        let text = format!("a-1.0-{tags}.whl");
        check(&text, &format!("has the tag `{odd}`; a tag has letters, digits and underscores"));
    }
}

#[test]
fn build_tags_order_by_number_then_text() {
    let names = [
        "a-1-py3-none-any.whl",
        "a-1-0-py3-none-any.whl",
        "a-1-2-py3-none-any.whl",
        "a-1-2a-py3-none-any.whl",
        "a-1-10-py3-none-any.whl",
    ];
    let builds: Vec<_> = names.iter().map(|name| wheel(name).unwrap().build).collect();
    assert!(builds.is_sorted_by(|a, b| a < b), "{builds:?}");
}

fn sdist(text: &str, project: &str) -> Result<String, String> {
    let project = project.parse().unwrap();
    SdistFilename::parse(&text.parse().unwrap(), &project)
        .map(|sdist| format!("{} {}", sdist.name, sdist.version))
        .map_err(|error| error.to_string())
}

#[test]
fn reads_real_sdists() {
    for (text, project, expected) in [
        ("antlr4-python3-runtime-4.9.3.tar.gz", "antlr4-python3-runtime", "antlr4-python3-runtime 4.9.3"),
        ("antlr4_python3_runtime-4.9.3.tar.gz", "antlr4-python3-runtime", "antlr4-python3-runtime 4.9.3"),
        ("groundingdino-py-0.4.0.tar.gz", "groundingdino-py", "groundingdino-py 0.4.0"),
        ("zope.interface-5.0.zip", "zope-interface", "zope-interface 5.0"),
        ("PyYAML-6.0.tar.gz", "pyyaml", "pyyaml 6.0"),
        ("a-1.0-1.tar.gz", "a", "a 1.0.post1"),
        ("a-1-1.0.tar.gz", "a-1", "a-1 1.0"),
        ("a-1!2.0+local.tar.gz", "a", "a 1!2.0+local"),
    ] {
        assert_eq!(sdist(text, project).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn every_odd_sdist_name_is_an_error_that_says_what_is_odd() {
    let check = |text: &str, project: &str, expected: &str| {
        assert_eq!(sdist(text, project).unwrap_err(), format!("`{text}` {expected}"));
    };
    for text in ["a-1.0.tar.bz2", "a-1.0.tgz", "a-1.0.egg", "a-1.0.win32.exe", "a-1.0.TAR.GZ", "a-1.0"] {
        check(text, "a", "is neither a wheel (.whl) nor an sdist (.tar.gz, .zip)");
    }
    check("b-1.0.tar.gz", "a", "is a file of `b`, not of `a`");
    check("a-b-1.0.tar.gz", "a", "is a file of `a-b`, not of `a`");
    check("a-1.0.tar.gz", "a-b", "is a file of `a`, not of `a-b`");
    check("a.tar.gz", "a", "has `` where its version belongs");
    check("b.tar.gz", "a", "is a file of `b`, not of `a`");
    check("a-.tar.gz", "a", "has `` where its version belongs");
    check("a-latest.tar.gz", "a", "has `latest` where its version belongs");
    check("a-2004d.zip", "a", "has `2004d` where its version belongs");
}

/// IX11: a page lists another project's file.
#[test]
fn files_of_another_project_are_refused() {
    let parse =
        |text: &str, project: &str| DistributionFilename::parse(&text.parse().unwrap(), &project.parse().unwrap());
    for (text, project) in [("Foo_Bar-1.0-py3-none-any.whl", "foo-bar"), ("foo.bar-1.0.tar.gz", "foo-bar")] {
        let found = parse(text, project).unwrap();
        assert_eq!((found.name().as_str(), found.version().to_string().as_str()), ("foo-bar", "1.0"));
    }
    for text in ["foobar-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "foo-bar-baz-1.0.tar.gz"] {
        let error = parse(text, "foo-bar").unwrap_err();
        assert_eq!(error.refusal_code(), Some("foreign-project"), "{text}: {error}");
    }
    assert_eq!(parse("foo_bar-x-py3-none-any.whl", "foo-bar").unwrap_err().refusal_code(), None);
}

#[test]
fn stored_names_are_checked_when_read_back() {
    let name =
        DistributionFilename::parse(&"a-1-py2.py3-none-any.whl".parse().unwrap(), &"a".parse().unwrap()).unwrap();
    let stored = serde_json::to_string(&name).unwrap();
    assert_eq!(serde_json::from_str::<DistributionFilename>(&stored).unwrap(), name);
    for damaged in ["py2-none", "py2..py3-none-any", "-none-any", ""] {
        let stored = stored.replace("py2.py3-none-any", damaged);
        assert!(serde_json::from_str::<DistributionFilename>(&stored).is_err(), "{damaged}");
    }
}
