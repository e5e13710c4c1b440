//! Requirements, markers, versions, METADATA, file names and pages of an index.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use pinfold_artifact::{ArtifactFilename, Limits};
use pinfold_packaging::{
    DistributionFilename, Marker, MarkerEnvironment, MarkerTruth, Metadata, PackageName, PageFormat, PythonSpan,
    Releases, RequiredUrl, Requirement, RequirementError, SimplePage, Specifiers, System, Version, WheelFilename,
    WithoutSecrets,
};

use crate::target::Target;

/// The targets of this room.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "filename", body: filename },
    Target { name: "marker", body: marker },
    Target { name: "metadata", body: metadata },
    Target { name: "page_html", body: page_html },
    Target { name: "page_json", body: page_json },
    Target { name: "requirement", body: requirement },
    Target { name: "version", body: version },
];

fn requirement(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (strict, lenient) = (Requirement::parse(text), Requirement::parse_lenient(text));
    match (&strict, &lenient) {
        (Ok(strict), Ok((lenient, repairs))) => {
            assert_eq!(strict, lenient, "lenient reading changes what is right");
            assert_eq!(repairs, &[], "lenient reading repairs what is right");
        }
        // Nobody may want it, so it says nothing yet.
        (Err(_), Ok((lenient, _))) if matches!(lenient.url, Some(RequiredUrl::Unsafe(_))) => {}
        // Parentheses around nothing are legal to other readers, and mean nothing.
        (Err(_), Ok((lenient, repairs))) => {
            let empty = lenient.specifiers.is_any() && text.contains('(');
            assert!(empty || !repairs.is_empty(), "mended without a word");
        }
        (Ok(_), Err(error)) => panic!("only strict reading accepts it: {error}"),
        (Err(strict), Err(lenient)) => [strict, lenient].into_iter().for_each(|error| check_error(error, text)),
    }
    if let Ok((requirement, repairs)) = lenient {
        check_requirement(&requirement);
        assert!(repairs.iter().all(|repair| repair.written.is_ascii()), "{repairs:?}");
    }
}

/// Checks that a requirement is what its text says.
fn check_requirement(requirement: &Requirement) {
    let printed = requirement.to_string();
    if let Some(RequiredUrl::Unsafe(url)) = &requirement.url {
        assert!(requirement.specifiers.is_any() && url.is_ascii(), "`{printed}`");
        return;
    }
    let again = Requirement::parse(&printed).unwrap_or_else(|error| panic!("`{printed}` is not read again: {error}"));
    assert_eq!(requirement, &again, "`{printed}` is read as something else");
    assert_eq!(printed, again.to_string());
    assert!(requirement.url.is_none() || requirement.specifiers.is_any());
}

/// Checks that a caret can be put under what is wrong.
fn check_error(error: &RequirementError, text: &str) {
    assert!(text.is_char_boundary(error.position), "{error:?}");
    assert!(error.length > 0 && error.position + error.length <= text.len() + 1, "{error:?}");
    assert!(!error.to_string().contains(char::is_control), "{error}");
}

fn marker(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let marker: Marker = match text.parse() {
        Ok(marker) => marker,
        Err(error) => return check_error(&error, text),
    };
    // A marker grows by blanks when it is written; a requirement with it is held to the limit, a marker alone is not.
    if text.len() > Limits::REQUIREMENT_BYTES / 4 {
        return;
    }
    let printed = marker.to_string();
    let again: Marker = printed.parse().unwrap_or_else(|error| panic!("`{printed}` is not read again: {error}"));
    assert_eq!(marker, again);
    assert_eq!(printed, again.to_string());
    for environment in environments() {
        for extras in [&[][..], &["a"], &["b", "c-d"]] {
            let extras = extras.iter().map(|extra| extra.parse().unwrap()).collect();
            let truth = marker.evaluate(&environment, &extras);
            assert_eq!(truth, again.evaluate(&environment, &extras));
            if let MarkerTruth::Divided(cuts) = truth {
                check_cuts(&marker, &environment, &extras, &cuts);
            }
        }
    }
}

/// Checks that cutting the span of Python releases where the marker says so settles it.
fn check_cuts(
    marker: &Marker,
    environment: &MarkerEnvironment,
    extras: &BTreeSet<pinfold_packaging::ExtraName>,
    cuts: &BTreeSet<Version>,
) {
    let PythonSpan { at_least, below } = &environment.python_full_version;
    let below = below.clone().expect("one interpreter cannot be divided");
    assert!(!cuts.is_empty() && cuts.iter().all(|cut| cut > at_least && cut < &below), "{cuts:?}");
    let starts = std::iter::once(at_least).chain(cuts);
    let ends = cuts.iter().chain(std::iter::once(&below));
    let mut former = None;
    for (start, end) in starts.zip(ends) {
        let span = PythonSpan { at_least: start.clone(), below: Some(end.clone()) };
        let part = MarkerEnvironment { python_full_version: span, ..environment.clone() };
        let truth = marker.evaluate(&part, extras);
        assert!(!matches!(truth, MarkerTruth::Divided(_)), "{start} to {end} is divided again");
        assert_ne!(former, Some(truth.clone()), "the cut at {start} is none");
        former = Some(truth);
    }
}

/// Returns Python minors as a lock sees them, and interpreters as a sync sees them.
fn environments() -> Vec<MarkerEnvironment> {
    let mut environments = Vec::new();
    for (system, python) in [("linux-x86_64", "3.10"), ("windows-x86_64", "3.11"), ("macos-aarch64", "3.9")] {
        let system: System = system.parse().unwrap();
        let environment = pinfold_packaging::Target::new(system, python.parse().unwrap()).marker_environment();
        let span = PythonSpan { at_least: format!("{python}.7").parse().unwrap(), below: None };
        environments.push(MarkerEnvironment {
            python_full_version: span,
            platform_release: Some("6.1.0".to_owned()),
            platform_version: Some("#1 SMP".to_owned()),
            ..environment.clone()
        });
        environments.push(environment);
    }
    environments
}

/// Every line is read as a version and as specifiers; then each version is put to each set of specifiers.
fn version(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.split('\n').take(24).collect();
    let mut versions: Vec<Version> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    let specifiers: Vec<Specifiers> = lines.iter().filter_map(|line| check_specifiers(line)).collect();
    for version in &versions {
        let printed = version.to_string();
        let again: Version = printed.parse().unwrap_or_else(|error| panic!("`{printed}`: {error}"));
        assert_eq!(&again, version);
        assert_eq!(printed, again.to_string());
        assert!(!version.without_local().is_local());
        let exactly = Specifiers::exactly(version);
        assert!(exactly.contains(version) && exactly.ranges().contains(version), "{exactly} is not {version}");
    }
    check_order(&mut versions);
    for specifiers in &specifiers {
        let ranges = specifiers.ranges();
        for version in &versions {
            let (predicate, interval) = (specifiers.contains(version), ranges.contains(version));
            assert_eq!(predicate, interval, "{specifiers} and {version}");
        }
    }
}

fn check_order(versions: &mut [Version]) {
    versions.sort();
    let hasher = RandomState::new();
    for (position, low) in versions.iter().enumerate() {
        for high in &versions[position..] {
            assert_eq!(low.cmp(high), high.cmp(low).reverse(), "{low} and {high} have no order");
            assert_eq!(low == high, low.cmp(high).is_eq());
            assert!(low != high || hasher.hash_one(low) == hasher.hash_one(high), "{low} {high}");
        }
    }
}

fn check_specifiers(line: &str) -> Option<Specifiers> {
    let strict: Option<Specifiers> = line.parse().ok();
    let lenient = Specifiers::parse_lenient(line).ok();
    if let Some(strict) = &strict {
        assert_eq!(lenient, Some((strict.clone(), Vec::new())), "lenient reading changes `{line}`");
    }
    let (specifiers, repairs) = lenient?;
    assert!(strict.is_some() || !repairs.is_empty(), "`{line}` is mended without a word");
    let printed = specifiers.to_string();
    let again: Specifiers = printed.parse().unwrap_or_else(|error| panic!("`{printed}`: {error}"));
    assert_eq!(again, specifiers);
    assert_eq!(again.to_string(), printed);
    Some(specifiers)
}

fn metadata(data: &[u8]) {
    let Ok(metadata) = Metadata::parse(data) else { return };
    assert!(metadata.requires_dist.len() <= Limits::METADATA_REQUIREMENTS);
    metadata.requires_dist.iter().for_each(check_requirement);
    assert!(metadata.requires_python.as_ref().is_none_or(|specifiers| !specifiers.is_any()));
    // What comes after a blank line is the description, whatever it says.
    let described = [data, b"\n\nName: other\nRequires-Dist: other\n"].concat();
    assert_eq!(Metadata::parse(&described).as_ref(), Ok(&metadata), "the description matters");
    if !data.contains(&b'\r') {
        let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
        assert_eq!(Metadata::parse(&lines.join(&b"\r\n"[..])).as_ref(), Ok(&metadata), "line ends matter");
    }
}

/// The first line is a project, the others are files of its page.
fn filename(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n').take(24);
    let Some(Ok(project)) = lines.next().map(str::parse::<PackageName>) else { return };
    for line in lines {
        let Ok(file) = line.parse::<ArtifactFilename>() else { continue };
        if let Ok(wheel) = WheelFilename::parse(&file) {
            let rank = linux().tags().rank(&wheel);
            assert!(rank.is_none() || wheel.python_tags().all(|tag| !tag.starts_with(|c: char| c.is_ascii_digit())));
        }
        let Ok(read) = DistributionFilename::parse(&file, &project) else { continue };
        assert_eq!(read.name(), &project);
        let printed: ArtifactFilename = match read.to_string().parse() {
            Ok(printed) => printed,
            // Spelled out, an old name may become longer than a file's name may be.
            Err(error) => return assert!(line.len() > Limits::FILENAME_BYTES / 2, "{read}: {error}"),
        };
        assert_eq!(read.version().to_string().parse().as_ref(), Ok(read.version()));
        assert_eq!(DistributionFilename::parse(&printed, &project).as_ref(), Ok(&read), "{line} {printed}");
    }
}

fn linux() -> pinfold_packaging::Target {
    pinfold_packaging::Target::new("linux-x86_64".parse().unwrap(), "3.11".parse().unwrap())
}

fn page_json(data: &[u8]) {
    page(data, PageFormat::Json);
}

fn page_html(data: &[u8]) {
    page(data, PageFormat::Html);
}

fn page(data: &[u8], format: PageFormat) {
    let (url, project) = ("https://index.example/simple/a/".parse().unwrap(), "a".parse().unwrap());
    check_kept(data, format);
    let Ok(page) = SimplePage::parse(data, format, &url, &project) else { return };
    let names: BTreeSet<&ArtifactFilename> = page.files.iter().map(|file| &file.filename).collect();
    assert_eq!(names.len(), page.files.len(), "one name stands twice");
    assert!(page.files.len() + page.skipped.len() <= Limits::PAGE_FILES);
    for file in &page.files {
        assert_eq!(file.distribution.name(), &project);
        let url = file.url.to_safe_url();
        assert!(matches!(url.scheme(), "http" | "https"), "{url}");
        assert_eq!(url.to_string().parse().as_ref(), Ok(&url));
        let read = DistributionFilename::parse(&file.filename, &project);
        assert_eq!(read.as_ref(), Ok(&file.distribution));
    }
    assert!(page.skipped.iter().all(|skipped| !skipped.filename.contains(char::is_control)), "{:?}", page.skipped);
    check_cached(page);
}

/// Checks that what is kept of a page without what signs its URLs is read as the page was, and has nothing more to leave out.
fn check_kept(data: &[u8], format: PageFormat) {
    let WithoutSecrets::Written(kept) = WithoutSecrets::of(data, format) else { return };
    let (url, project) = ("https://index.example/simple/a/".parse().unwrap(), "a".parse().unwrap());
    let names = |data: &[u8]| {
        let page = SimplePage::parse(data, format, &url, &project).ok()?;
        Some(page.files.into_iter().map(|file| file.filename).collect::<Vec<_>>())
    };
    assert_eq!(names(&kept), names(data));
    assert_eq!(WithoutSecrets::of(&kept, format), WithoutSecrets::Same);
}

/// Checks that the page cache gives back what was read: its reader stops the program if it cannot.
fn check_cached(page: SimplePage) {
    let releases = Releases::from(page);
    let cached = Releases::from_bytes(releases.to_bytes().into()).expect("the outline is right");
    assert_eq!(cached.len(), releases.len());
    for position in 0..releases.len() {
        assert_eq!(cached.version(position), releases.version(position));
        assert_eq!(cached.files(position), releases.files(position));
    }
    assert_eq!(cached.skipped(), releases.skipped());
}
