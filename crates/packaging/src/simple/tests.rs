//! Pages as indexes publish them, and pages that lie.

use proptest::prelude::*;

use super::*;

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn page_url() -> SafeUrl {
    "https://index.example/simple/foo/".parse().unwrap()
}

fn html(text: &str) -> Result<SimplePage, PageError> {
    SimplePage::parse(text.as_bytes(), PageFormat::Html, &page_url(), &"foo".parse().unwrap())
}

fn json(text: &str) -> Result<SimplePage, PageError> {
    SimplePage::parse(text.as_bytes(), PageFormat::Json, &page_url(), &"foo".parse().unwrap())
}

/// A JSON page of one file with more keys.
fn json_file(filename: &str, more: &str) -> Result<SimplePage, PageError> {
    let url = format!("https://files.example/a/{filename}");
    json(&format!(
        r#"{{"meta":{{"api-version":"1.1"}},"name":"foo","files":[{{"filename":"{filename}","url":"{url}"{more}}}]}}"#
    ))
}

fn names(page: &SimplePage) -> Vec<&str> {
    page.files.iter().map(|file| file.filename.as_str()).collect()
}

fn urls(page: &SimplePage) -> Vec<String> {
    page.files.iter().map(|file| file.url.to_safe_url().to_string()).collect()
}

#[test]
fn reads_a_json_page() {
    let page = json(&format!(
        r#"{{"files":[
            {{"filename":"foo-1.0-py3-none-any.whl","url":"https://files.example/a/foo-1.0-py3-none-any.whl","size":10,
              "hashes":{{"md5":"x","sha256":"{DIGEST}"}},"requires-python":">=3.8","upload-time":"2024-08-20T01:02:03.5Z",
              "yanked":false,"core-metadata":{{"sha256":"{OTHER}"}},"unknown":[{{"deep":[1]}}]}},
            {{"filename":"foo-1.0.tar.gz","url":"../../files/foo-1.0.tar.gz#x","hashes":{{}},"requires-python":null,
              "yanked":"bad \u00fc","dist-info-metadata":true}},
            {{"filename":"foo-1.0.exe","url":"https://files.example/a/foo-1.0.exe","hashes":{{"sha256":"zz"}}}}
        ],"meta":{{"api-version":"1.4","_last-serial":"42"}},"name":"Foo","versions":["1.0"]}}"#
    ))
    .unwrap();
    let [wheel, sdist] = &page.files[..] else { panic!("{page:?}") };
    assert_eq!(wheel.distribution.version().to_string(), "1.0");
    assert_eq!(wheel.url.to_safe_url().as_str(), "https://files.example/a/foo-1.0-py3-none-any.whl");
    assert_eq!((wheel.size_bytes, wheel.sha256), (Some(10), Some(DIGEST.parse().unwrap())));
    assert_eq!(wheel.requires_python.as_ref().unwrap().to_string(), ">=3.8");
    assert_eq!(wheel.upload_time.unwrap().to_string(), "2024-08-20T01:02:03.5Z");
    assert_eq!((&wheel.yanked, wheel.core_metadata), (&None, CoreMetadata::Present(Some(OTHER.parse().unwrap()))));
    assert_eq!(sdist.url.to_safe_url().as_str(), "https://index.example/files/foo-1.0.tar.gz");
    assert_eq!((sdist.sha256, sdist.size_bytes, &sdist.requires_python), (None, None, &None));
    assert_eq!((sdist.yanked.as_deref(), sdist.core_metadata), (Some("bad ü"), CoreMetadata::Present(None)));
    assert_eq!(page.last_serial, Some(42));
    assert_eq!(page.skipped[0].filename, "foo-1.0.exe");
    assert_eq!(page.status, ProjectStatus { state: ProjectState::Active, reason: None });
}

#[test]
fn reads_an_html_page() {
    let page = html(&format!(
        "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.3\"><title>a <b> &lt; c</title>\
         <script>if (a<b) {{ '<a href=\"foo-9.tar.gz\">' }}</script></head><body><h1>Links</h1>\n\
         <!-- <a href=\"foo-8.tar.gz\">no</a> -->\n\
         <a href=\"../../f/foo-1.0-py3-none-any.whl#sha256={DIGEST}\" data-requires-python=\"&gt;=3.8, &lt;4\"\n\
            data-dist-info-metadata='sha256={OTHER}'>foo-1.0-py3-none-any.whl</a><br/>\n\
         <A HREF=/f/foo-2.0.tar.gz data-yanked data-core-metadata=true >x</A>\
         <a href=\"https://files.example/foo-2.1%2Bcu121.zip#md5=00&amp;sha256={OTHER}\" data-yanked=\"why &amp; how\" data-requires-python=\">=3\">x</a>\
         <a href=\"../\">up</a><a name=x>no file</a></body></html>"
    ))
    .unwrap();
    assert_eq!(names(&page), ["foo-1.0-py3-none-any.whl", "foo-2.0.tar.gz", "foo-2.1+cu121.zip"]);
    assert_eq!(
        urls(&page),
        [
            "https://index.example/f/foo-1.0-py3-none-any.whl",
            "https://index.example/f/foo-2.0.tar.gz",
            "https://files.example/foo-2.1%2Bcu121.zip"
        ]
    );
    let [one, two, three] = &page.files[..] else { panic!("{page:?}") };
    assert_eq!((one.sha256, &one.yanked), (Some(DIGEST.parse().unwrap()), &None));
    assert_eq!(one.requires_python.as_ref().unwrap().to_string(), ">=3.8,<4");
    assert_eq!(one.core_metadata, CoreMetadata::Present(Some(OTHER.parse().unwrap())));
    assert_eq!((two.yanked.as_deref(), two.core_metadata), (Some(""), CoreMetadata::Present(None)));
    assert_eq!((three.yanked.as_deref(), three.sha256), (Some("why & how"), Some(OTHER.parse().unwrap())));
    assert_eq!(three.distribution.version().to_string(), "2.1+cu121");
    assert_eq!(page.skipped, []);
}

#[test]
fn base_is_honoured_wherever_it_stands() {
    let page = html("<a href='foo-1.zip'></a><base href='https://files.example/x/'><base href='https://no.example/'>")
        .unwrap();
    assert_eq!(urls(&page), ["https://files.example/x/foo-1.zip"]);
    assert_eq!(
        html("<base href='ftp://f.example/'><a href='foo-1.zip'>").unwrap_err().refusal_code(),
        Some("unsafe-url")
    );
    assert!(html("<base href='//evil.example/'><a href='foo-1.zip'>").is_err());
}

#[test]
fn ix11_files_of_other_projects_are_no_candidates() {
    let page =
        html("<a href='bar-1.0.tar.gz'></a><a href='foo-1.0.tar.gz'></a><a href='foo_bar-1.0-py3-none-any.whl'></a>")
            .unwrap();
    assert_eq!(names(&page), ["foo-1.0.tar.gz"]);
    assert_eq!(page.skipped.len(), 2);
    let error = json(r#"{"meta":{"api-version":"1.0"},"name":"bar","files":[]}"#).unwrap_err();
    assert_eq!(error.refusal_code(), Some("foreign-project"));
}

#[test]
fn ix20_weak_digests_are_none() {
    let page =
        json_file("foo-1.zip", r#","hashes":{"md5":"d41d8cd98f00b204e9800998ecf8427e","sha1":"zz","sha512":"q"}"#)
            .unwrap();
    assert_eq!(page.files[0].sha256, None);
    let page = html("<a href='foo-1.zip#md5=d41d8cd98f00b204e9800998ecf8427e' data-core-metadata='md5=00'>").unwrap();
    assert_eq!((page.files[0].sha256, page.files[0].core_metadata), (None, CoreMetadata::Present(None)));
}

#[test]
fn ix22_malformed_digests_are_refused_and_upper_case_is_read() {
    let zeros = "0".repeat(63);
    for digest in ["", "00", "xyz", &zeros, &format!("{zeros}g"), &format!("{zeros}00"), &"é".repeat(32)] {
        for page in [
            json_file("foo-1.zip", &format!(r#","hashes":{{"sha256":"{digest}"}}"#)),
            json_file("foo-1.zip", &format!(r#","core-metadata":{{"sha256":"{digest}"}}"#)),
            html(&format!("<a href='foo-1.zip#sha256={digest}'>")),
            html(&format!("<a href='foo-1.zip' data-core-metadata='sha256={digest}'>")),
        ] {
            assert_eq!(page.unwrap_err().refusal_code(), Some("malformed-digest"), "{digest}");
        }
    }
    let upper = DIGEST.to_uppercase();
    for page in [
        json_file("foo-1.zip", &format!(r#","hashes":{{"sha256":"{upper}"}}"#)),
        html(&format!("<a href='foo-1.zip#sha256={upper}'>")),
    ] {
        assert_eq!(page.unwrap().files[0].sha256, Some(DIGEST.parse().unwrap()));
    }
}

#[test]
fn ix28_urls_that_lead_elsewhere_are_refused() {
    for url in [
        "ftp://f.example/foo-1.zip",
        "data:application/zip,foo-1.zip",
        "javascript:foo-1.zip",
        "//evil.example/foo-1.zip",
        "\\\\\\\\evil.example/foo-1.zip",
        "https://user:pw@files.example/foo-1.zip",
        "https://index.example@evil.example/foo-1.zip",
        "https://[/foo-1.zip",
    ] {
        let page = json(&format!(
            r#"{{"meta":{{"api-version":"1.0"}},"files":[{{"filename":"foo-1.zip","url":"{url}","hashes":{{}}}}]}}"#
        ));
        match page {
            Err(error) => assert_eq!(error.refusal_code(), Some("unsafe-url"), "{url}"),
            Ok(page) => panic!("{url} was read as {:?}", urls(&page)),
        }
        assert_eq!(html(&format!("<a href='{url}'>")).unwrap_err().refusal_code(), Some("unsafe-url"), "{url}");
    }
    // The index's own host is the only thing that a `file:` URL on a remote page could name; origin checks refuse it.
    assert_eq!(
        urls(&html("<a href='HTTPS://Files.example:443/foo-1.zip?x=1#y'>").unwrap()),
        ["https://files.example/foo-1.zip?x=1"]
    );
}

#[test]
fn a_url_is_held_in_one_way() {
    for (link, expected) in [
        ("https://files.example/a/foo-1.zip", "https://files.example/a/foo-1.zip"),
        ("https://FILES.example:443/a/foo-1.zip", "https://files.example/a/foo-1.zip"),
        ("https://files.example/x/../a/foo-1.zip", "https://files.example/a/foo-1.zip"),
        ("https://files.example/a/%66oo-1.zip", "https://files.example/a/%66oo-1.zip"),
        ("/a/foo-1.zip", "https://index.example/a/foo-1.zip"),
        ("/.hidden/foo-1.zip", "https://index.example/.hidden/foo-1.zip"),
    ] {
        let page = html(&format!("<a href='{link}'>")).unwrap();
        assert_eq!(urls(&page), [expected]);
        assert_eq!(page.files[0].url, FileUrl::from(expected.parse::<SafeUrl>().unwrap()), "{link}");
    }
    let file: SafeUrl = "file:///srv/foo-1.zip".parse().unwrap();
    assert_eq!(FileUrl::from(file.clone()).to_safe_url(), file);
}

/// Reads a page in HTML; returns how many bytes were looked at for each byte of it, too.
fn looked_at(text: &str) -> (Result<SimplePage, PageError>, f64) {
    super::html::LOOKED_AT.set(0);
    let page = html(text);
    (page, super::html::LOOKED_AT.get() as f64 / text.len() as f64)
}

/// Nothing in a page makes its reading slow: each byte is looked at a few times, however often what it begins is repeated.
#[test]
fn ix37_large_pages_are_looked_at_a_few_times() {
    let storms = [
        "<!--",
        "<a \"",
        "<a href='",
        "<script>",
        "<",
        "<a =",
        "<title></",
        "<a a",
        "&#",
        "<a/",
        "<a  ",
        "<a //",
        "<a a=",
        "<!---->",
        "<style></style",
        "<a href='&",
        "< /",
        "<b>",
        "<base href=x>",
        "<a a ",
        "<script></x>",
    ];
    for (storm, count) in storms.into_iter().flat_map(|storm| [(storm, 1_000), (storm, 20_000)]) {
        for (before, after) in
            [("", ""), ("", ">"), ("<a href='foo-1.zip", "'>"), ("<a ", ">"), ("<!-- ", "-->"), ("<a a=", ">")]
        {
            let (_, looked) = looked_at(&format!("{before}{}{after}", storm.repeat(count)));
            assert!(looked < MOST_LOOKS, "{looked} for each byte of {before}{storm} × {count}{after}");
        }
    }
    // The control: everything is looked at, and what would look again from each place on would be seen.
    let (page, looked) = looked_at(&"<a href='foo-1.zip'>".repeat(1_000));
    assert_eq!(page.unwrap().files.len(), 1);
    assert!(looked > 1.0, "{looked}");
    let blanks = " ".repeat(1_000);
    super::html::LOOKED_AT.set(0);
    (0..blanks.len()).for_each(|at| assert_eq!(super::html::found(&blanks[at..], None), None));
    assert!(super::html::LOOKED_AT.get() as f64 / blanks.len() as f64 > MOST_LOOKS * 10.0);
    let entities = format!("<a href='foo-1.zip' data-yanked='{}'>", "&amp;".repeat(1_000_000));
    let (page, looked) = looked_at(&entities);
    assert_eq!(page.unwrap().files[0].yanked.as_deref().unwrap().len(), 1_000_000);
    assert!(looked < MOST_LOOKS, "{looked}");
    let (page, looked) = looked_at(&format!("<a {}href='foo-1.zip'>", "x=1 ".repeat(500_000)));
    assert_eq!(page.unwrap().files, []);
    assert!(looked < MOST_LOOKS, "{looked}");
}

/// An attribute's beginning is looked at by each of the steps that may end it.
const MOST_LOOKS: f64 = 8.0;

/// What is too much is refused before more of it is kept.
#[test]
fn ix37_large_pages_are_refused() {
    let deep =
        format!(r#"{{"meta":{{"api-version":"1.0"}},"x":{}{},"files":[]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(json(&deep), Err(PageError::TooDeep));
    assert_eq!(json(&format!(r#"{{"meta":{}"#, "{\"a\":".repeat(100_000))), Err(PageError::TooDeep));
    assert_eq!(json(&format!(r#"{{"files":{}"#, "[".repeat(100_000))), Err(PageError::TooDeep));
    assert_eq!(json(&"[".repeat(100_000)), Err(PageError::TooDeep));
    assert_eq!(PageError::TooDeep.refusal_code(), Some("page-limit"));
    // What a file says beside what is read is passed over without a stack; brackets in a text are none.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let file = format!(
        r#"{{"meta":{{"api-version":"1.0"}},"files":[{{"filename":"foo-1.zip","url":"foo-1.zip","x":{deep}}}]}}"#
    );
    assert_eq!(json(&file).unwrap().files.len(), 1);
    let text =
        format!(r#"{{"meta":{{"api-version":"1.0"}},"x":["\"{deep}",1,-1,0.5,null,true,{{"y":{{}}}}],"files":[]}}"#);
    assert_eq!(json(&text).unwrap().files, []);
    // Nobody reads it, so it need not be readable.
    let odd = r#"{"meta":{"api-version":"1.0"},"x":["\ud800",1e999],"files":[]}"#;
    assert_eq!(json(odd).unwrap().files, []);
    assert!(matches!(json(&text[..text.len() - 1]), Err(PageError::Malformed { .. })));
    let anchors = "<a href='foo-1.zip'>".repeat(Limits::PAGE_FILES + 1);
    assert_eq!(html(&anchors), Err(PageError::TooManyFiles));
    let files = r#"{"filename":"x","url":"x"},"#.repeat(Limits::PAGE_FILES + 1);
    let files = format!(r#"{{"meta":{{"api-version":"1.0"}},"files":[{}]}}"#, files.trim_end_matches(','));
    assert_eq!(json(&files).unwrap_err().refusal_code(), Some("page-limit"));
    let huge = vec![b' '; usize::try_from(Limits::PAGE_BYTES).unwrap() + 1];
    let page = SimplePage::parse(&huge, PageFormat::Html, &page_url(), &"foo".parse().unwrap());
    assert_eq!(page, Err(PageError::TooLarge));
}

#[test]
fn ix41_one_bad_file_does_not_spoil_the_page() {
    let page = html(
        "<a href='foo-1.zip' data-requires-python='junk'></a><a href='foo-2.zip' data-requires-python='>=3.6.*'></a>\
         <a href='foo-3.zip' data-requires-python=>=3.7>x</a><a href='foo-%ff.zip'></a><a href='foo-4-x.whl'></a>\
         <a href='foo-x.zip'></a><a href='foo-5.zip' data-requires-python='a\" < b'></a>< a <3 & </a></a>\
         <a href='foo-6.zip' data-requires-python=''></a>",
    )
    .unwrap();
    assert_eq!(names(&page), ["foo-2.zip", "foo-3.zip", "foo-6.zip"]);
    assert_eq!(page.skipped.len(), 4, "{:?}", page.skipped);
    let broken: Vec<_> = page.files.iter().map(|file| file.broken_python.as_deref()).collect();
    assert_eq!(broken, [Some(">=3.6.*"), None, None]);
    let missed =
        page.skipped.iter().filter(|skipped| skipped.missed.is_some()).map(|skipped| skipped.filename.as_str());
    assert_eq!(missed.collect::<Vec<_>>(), ["foo-1.zip", "foo-5.zip"]);
    // What a cache keeps of the page says the same.
    let releases = Releases::from(page.clone());
    let again = Releases::from_bytes(releases.to_bytes().into()).unwrap();
    assert_eq!(again.to_page(), page);
    assert_eq!(page.files[0].requires_python.as_ref().unwrap().to_string(), ">=3.6");
    assert_eq!(page.files[2].requires_python, None);
    let page = json_file("foo-1.zip", r#","upload-time":"yesterday""#).unwrap();
    assert_eq!((page.files.len(), page.skipped[0].reason.as_str()), (0, "its upload time is none"));
    // Also of a file with a long name.
    let name = format!("foo-1-py3-none-{}.whl", "any.".repeat(30).trim_end_matches('.'));
    let page = json_file(&name, r#","upload-time":"yesterday""#).unwrap();
    assert_eq!(page.skipped[0].filename, name);
    let again = Releases::from_bytes(Releases::from(page.clone()).to_bytes().into()).unwrap();
    assert_eq!(again.to_page(), page);
}

#[test]
fn what_is_no_page_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "not found",
        r#"{"meta":{"api-version":"1.0"}}"#,
        r#"{"meta":{"api-version":"1.0"},"files":{}}"#,
    ] {
        assert!(matches!(json(text), Err(PageError::Malformed { .. })), "{text}");
    }
    for text in ["<a href='x", "<!-- a", "<a href=x", "<script>"] {
        assert!(matches!(html(text), Err(PageError::Malformed { .. })), "{text}");
    }
    assert!(json_file("foo-1.zip", r#","size":-1"#).is_err());
    assert!(SimplePage::parse(b"\xff", PageFormat::Html, &page_url(), &"foo".parse().unwrap()).is_err());
    assert_eq!(html("").unwrap().files, []);
}

#[test]
fn ix43_status_of_the_project() {
    for (status, expected) in [
        ("active", ProjectState::Active),
        ("archived", ProjectState::Archived),
        ("deprecated", ProjectState::Deprecated),
        ("quarantined", ProjectState::Quarantined),
        ("later", ProjectState::Active),
    ] {
        let page = json(&format!(
            r#"{{"meta":{{"api-version":"1.4"}},"project-status":{{"status":"{status}","reason":"because"}},"files":[]}}"#
        ))
        .unwrap();
        assert_eq!(page.status, ProjectStatus { state: expected, reason: Some("because".to_owned()) });
        let page = html(&format!("<meta name='pypi:project-status' content='{status}'>")).unwrap();
        assert_eq!(page.status, ProjectStatus { state: expected, reason: None });
    }
}

#[test]
fn ix46_other_versions_of_the_interface_are_not_guessed_at() {
    for (version, accepted) in
        [("1.0", true), ("1.99", true), ("2.0", false), ("1", false), ("10.0", false), ("1.x", false), ("", false)]
    {
        let meta = format!(r#"{{"meta":{{"api-version":"{version}"}},"files":[]}}"#);
        assert_eq!(json(&meta).is_ok(), accepted, "{version}");
        assert_eq!(
            html(&format!("<meta name='pypi:repository-version' content='{version}'>")).is_ok(),
            accepted,
            "{version}"
        );
    }
    assert!(matches!(json(r#"{"files":[]}"#), Err(PageError::ApiVersion { .. })));
    for (header, expected) in [
        ("application/vnd.pypi.simple.v1+json", Some(PageFormat::Json)),
        ("application/vnd.pypi.simple.v1+html; charset=utf-8", Some(PageFormat::Html)),
        ("Text/HTML;charset=UTF-8", Some(PageFormat::Html)),
        ("application/json", None),
        ("application/vnd.pypi.simple.v2+json", None),
        ("application/octet-stream", None),
        ("", None),
    ] {
        assert_eq!(PageFormat::from_content_type(header), expected, "{header}");
    }
}

/// As long as what a message shows: what comes after it differs all the same.
const LONG: &str = ">=3.8,!=3.9.0,!=3.9.1,!=3.9.2,!=3.9.3,!=3.9.4,!=3.9.5,!=3.9.6,!=3.9.7,!=3.10.11";

/// Reads a page with two entries for one file, in both orders: the outcome must be the same.
fn listed_twice(first: &str, second: &str) -> Result<SimplePage, PageError> {
    let page = |one: &str, other: &str| html(&format!("<a {one}></a><a href='foo-2.zip'></a><a {other}></a>"));
    let (read, turned) = (page(first, second), page(second, first));
    let files = |page: &SimplePage| {
        let mut files = page.files.clone();
        files.sort_by(|one, other| one.filename.cmp(&other.filename));
        files
    };
    match (&read, &turned) {
        (Ok(read), Ok(turned)) => assert_eq!(files(read), files(turned)),
        (read, turned) => assert!(read.is_err() && turned.is_err(), "{read:?}, {turned:?}"),
    }
    read
}

#[test]
fn the_order_of_two_entries_for_one_file_decides_nothing() {
    let page = listed_twice("href='b/foo-1.zip'", "href='a/foo-1.zip'").unwrap();
    assert_eq!(urls(&page)[0], "https://index.example/simple/foo/a/foo-1.zip");
    assert_eq!((page.files.len(), page.skipped.len()), (2, 1));
}

#[test]
fn two_things_said_of_one_file_make_a_page_useless() {
    let (digest, other) = (format!("href='foo-1.zip#sha256={DIGEST}'"), format!("href='foo-1.zip#sha256={OTHER}'"));
    let attribute = |text: &str| format!("{digest} {text}");
    let metadata = |digest: &str| attribute(&format!("data-core-metadata='sha256={digest}'"));
    for (first, second, what) in [
        (digest.clone(), other, "sha256"),
        (digest.clone(), "href='foo-1.zip'".to_owned(), "nothing"),
        (digest.clone(), attribute("data-requires-python='>=3.8'"), "requires-python"),
        (attribute("data-requires-python='>=3.9'"), attribute("data-requires-python='>=3.8'"), ">=3.9"),
        (
            attribute(&format!("data-requires-python='{LONG}'")),
            attribute(&format!("data-requires-python='{LONG},!=3.99'")),
            LONG,
        ),
        (attribute("data-requires-python='>=3.6.*'"), attribute("data-requires-python='>=3.6'"), ">=3.6.*"),
        (digest.clone(), attribute("data-yanked='bad'"), "yanked"),
        (digest.clone(), attribute("data-yanked=''"), "yanked"),
        (digest.clone(), attribute("data-core-metadata='true'"), "core-metadata"),
        (metadata(DIGEST), metadata(OTHER), OTHER),
    ] {
        let error = listed_twice(&first, &second).unwrap_err();
        assert_eq!(error.refusal_code(), Some("ambiguous-page"), "{first}, {second}");
        assert!(error.to_string().contains(what), "{error}");
    }
    let again = |time: &str, size: u64| {
        let file = |time: &str, size: u64| {
            format!(
                r#"{{"filename":"foo-1.zip","url":"foo-1.zip","hashes":{{}},"upload-time":"{time}","size":{size}}}"#
            )
        };
        json(&format!(
            r#"{{"meta":{{"api-version":"1.0"}},"name":"foo","files":[{},{}]}}"#,
            file("2024-01-01T00:00:00Z", 1),
            file(time, size)
        ))
    };
    insta::assert_snapshot!(again("2024-01-02T00:00:00Z", 1).unwrap_err(), @"the page lists `foo-1.zip` twice, with `2024-01-01T00:00:00Z` as upload time and with `2024-01-02T00:00:00Z`");
    insta::assert_snapshot!(again("2024-01-01T00:00:00Z", 2).unwrap_err(), @"the page lists `foo-1.zip` twice, with `1` as size and with `2`");
    // The same moment, written otherwise.
    assert_eq!(again("2024-01-01T01:00:00+01:00", 1).unwrap().files.len(), 1);
}

/// Returns what may be kept of a page, which must say the same of everything but the values that sign URLs.
#[track_caller]
fn kept(text: &str, format: PageFormat) -> WithoutSecrets {
    let read = |bytes: &[u8]| SimplePage::parse(bytes, format, &page_url(), &"foo".parse().unwrap());
    let kept = WithoutSecrets::of(text.as_bytes(), format);
    if let WithoutSecrets::Written(bytes) = &kept {
        assert!(!String::from_utf8_lossy(bytes).contains("s3cr3t"), "{}", String::from_utf8_lossy(bytes));
        assert_eq!(WithoutSecrets::of(bytes, format), WithoutSecrets::Same);
        let (mut page, bare) = (read(text.as_bytes()).unwrap(), read(bytes).unwrap());
        for (file, bare) in page.files.iter_mut().zip(&bare.files) {
            assert_eq!(file.url.secret_in_query(), bare.url.secret_in_query());
            let url = SafeUrl::without_secrets(file.url.to_safe_url().as_str());
            file.url = url.map_or(file.url.clone(), |url| url.parse::<SafeUrl>().unwrap().into());
        }
        assert_eq!(page, bare);
    }
    kept
}

#[test]
fn what_signs_urls_is_left_out_of_what_is_kept() {
    let check = |text: &str, format, expected: &str| {
        assert_eq!(kept(text, format), WithoutSecrets::Written(expected.as_bytes().to_vec()), "{text}");
    };
    let json = |files: &str| format!(r#"{{"meta":{{"api-version":"1.0"}},"name":"foo","files":[{files}]}}"#);
    let file = |number: u32, url: &str| format!(r#"{{"filename":"foo-{number}.zip","hashes":{{}}, "url":"{url}"}}"#);
    for (url, expected) in [
        ("foo-1.zip?token=s3cr3t", "foo-1.zip?token=hidden"),
        (
            r"foo-1.zip\u003FX-Amz-Date=1\u0026X-Amz-Signature=s3cr3t\u0022&a=b",
            "foo-1.zip?X-Amz-Date=1&X-Amz-Signature=hidden&a=b",
        ),
        (
            r"https:\/\/index.example\/foo-1.zip?\u0074oken=s3cr3t#sha256=0",
            "https://index.example/foo-1.zip?token=hidden#sha256=0",
        ),
    ] {
        let (before, after) = (file(0, "foo-0.zip?a=1"), file(2, r"foo-2.zip"));
        let page = |url: &str| json(&[before.clone(), file(1, url), after.clone()].join(" , "));
        check(
            &page(&url.replace("#sha256=0", &format!("#sha256={DIGEST}"))),
            PageFormat::Json,
            &page(&expected.replace("#sha256=0", &format!("#sha256={DIGEST}"))),
        );
    }
    let html = "<!DOCTYPE html><title>a?b</title><a href='foo-1.zip'>x</a>";
    for (tags, expected) in [
        ("<a href=\"foo-2.zip?token=s3cr3t\">foo-2.zip</a>", "<a href=\"foo-2.zip?token=hidden\">foo-2.zip</a>"),
        (
            "<a href='foo-2.zip?a=1&amp;X-Amz-Signature=s3cr3t&amp;b=\"' data-requires-python='&gt;=3'>",
            "<a href='foo-2.zip?a=1&amp;X-Amz-Signature=hidden&amp;b=&#34;' data-requires-python='&gt;=3'>",
        ),
        ("<A x HREF = foo-2.zip&#63;t&#111;ken=s3cr3t>", "<A x HREF = foo-2.zip?token=hidden>"),
        ("<a href='foo-2.zip?sig=s3cr3t s3cr3t'>", "<a href='foo-2.zip?sig=hidden'>"),
        (
            "<a href='foo-2.zip?sig=1'>foo-2.zip?sig=s3cr3t</a>",
            "<a href='foo-2.zip?sig=hidden'>foo-2.zip?sig=hidden</a>",
        ),
        ("<!-- x?sig=s3cr3t --><link href='x?sig=s3cr3t'>", "<!-- x?sig=hidden --><link href='x?sig=hidden'>"),
    ] {
        check(&format!("{html}{tags}<p>"), PageFormat::Html, &format!("{html}{expected}<p>"));
    }
    // Nothing is signed, or nobody knows.
    for (text, format, expected) in [
        (json(&file(1, "foo-1.zip?a=1")), PageFormat::Json, WithoutSecrets::Same),
        (json(&file(1, "foo-1.zip")), PageFormat::Json, WithoutSecrets::Same),
        (format!("{html}<a href='foo-2.zip?a=1'>"), PageFormat::Html, WithoutSecrets::Same),
        (html.to_owned(), PageFormat::Html, WithoutSecrets::Same),
        (r#"{"url":"a?token=s3cr3t"#.to_owned(), PageFormat::Json, WithoutSecrets::Unknown),
        (r#"{"url":"a?token=s3cr3t\x"}"#.to_owned(), PageFormat::Json, WithoutSecrets::Unknown),
        ("<a href='a?token=s3cr3t".to_owned(), PageFormat::Html, WithoutSecrets::Unknown),
    ] {
        assert_eq!(kept(&text, format), expected, "{text}");
    }
}

fn rich_page() -> SimplePage {
    html(&format!(
        "<a href='https://files.example/a/foo-1.0-cp310-cp310-linux_x86_64.whl#sha256={DIGEST}' data-requires-python='>=3.8'></a>\
         <a href='https://files.example/a/foo-1.1.tar.gz?x=1' data-yanked='no' data-requires-python='>=3.8'></a>\
         <a href='https://other.example/b/foo-1.2%2Bl.tar.gz' data-core-metadata='sha256={OTHER}' data-requires-python='>=3.6.*'></a>\
         <a href='file:///srv/foo-1.3.zip'></a><a href='foo-1.3.exe'></a><meta name='pypi:project-status' content='archived'>"
    ))
    .unwrap()
}

/// Returns the page as the cache gives it back, and how it was grouped before.
fn through_cache(page: &SimplePage) -> (Releases, Releases) {
    let releases = Releases::from(page.clone());
    (Releases::from_bytes(releases.to_bytes().into()).unwrap(), releases)
}

#[test]
fn the_cache_gives_back_the_same_page() {
    let timed = json_file("foo-1.zip", r#","upload-time":"2024-08-20T01:02:03.123456Z","size":7"#).unwrap();
    for page in [rich_page(), timed, html("").unwrap()] {
        let (cached, releases) = through_cache(&page);
        assert_eq!(cached.to_page(), releases.to_page());
        assert_eq!(cached.hosts(), releases.hosts());
        assert_eq!(cached.to_bytes(), releases.to_bytes());
    }
}

#[test]
fn what_would_grow_too_long_when_it_is_written_is_left_out() {
    // `1.1…crdev` is written `1.1…rc0.post0.dev0`, and `>=1.1…-1` is written `>=1.1….post1`.
    let version = format!("1{}crdev", ".1".repeat(121));
    let clauses: Vec<String> = (0..64).map(|n| format!(">=1{}.{}-1", ".1".repeat(27), 10 + n)).collect();
    for (version, python) in [(version.as_str(), ">=3.8"), ("1", &clauses.join(","))] {
        let text = format!(
            r#"{{"meta":{{"api-version":"1.1"}},"name":"a","files":[{{"filename":"a-{version}.zip","url":"a-{version}.zip",
            "hashes":{{}},"requires-python":"{python}"}}]}}"#
        );
        let page = SimplePage::parse(text.as_bytes(), PageFormat::Json, &page_url(), &"a".parse().unwrap()).unwrap();
        let (cached, _) = through_cache(&page);
        assert_eq!((0..cached.len()).filter(|at| cached.version(*at).is_local()).count(), 0);
        assert_eq!(cached.to_page(), page);
        assert_eq!((page.files.len(), page.skipped.len()), (0, 1));
    }
}

#[test]
fn files_after_a_moment_are_passed_over_unread() {
    let text = r#"{"meta":{"api-version":"1.1"},"name":"foo","files":[
        {"filename":"foo-1.zip","url":"foo-1.zip","hashes":{},"upload-time":"2024-01-01T00:00:00Z"},
        {"filename":"foo-2.zip","url":"foo-2.zip","hashes":{},"upload-time":"2024-01-01T00:00:01Z"},
        {"filename":"foo-3.zip","url":"ftp://elsewhere.example/foo-3.zip","hashes":{},"upload-time":"2024-02-01T00:00:00Z"},
        {"filename":"foo-4.zip","url":"foo-4.zip","hashes":{}},
        {"filename":"foo-5.zip","url":"foo-5.zip","hashes":{},"upload-time":"soon"}]}"#;
    let until = |moment: &str| {
        let moment = Some(moment.parse().unwrap());
        let project = "foo".parse().unwrap();
        SimplePage::parse_until(text.as_bytes(), PageFormat::Json, &page_url(), &project, moment)
    };
    let page = until("2024-01-01T00:00:00Z").unwrap();
    assert_eq!(names(&page), ["foo-1.zip", "foo-4.zip"]);
    assert_eq!(page.skipped.len(), 1, "a time that is none is told, not passed over");
    assert_eq!(names(&until("2024-01-31T00:00:00Z").unwrap()), ["foo-1.zip", "foo-2.zip", "foo-4.zip"]);
    assert!(until("2024-02-01T00:00:00Z").is_err(), "what exists is read, and refused");
}

#[test]
fn a_page_is_grouped_by_version() {
    let names = ["foo-1.10.zip", "foo-1.0-py3-none-any.whl", "foo-1.9.zip", "foo-1.0.0.zip", "foo-2.0a1.zip"];
    let page = html(&names.map(|name| format!("<a href='{name}'></a>")).concat()).unwrap();
    let (cached, releases) = through_cache(&page);
    for grouped in [cached, releases] {
        let versions: Vec<String> = (0..grouped.len()).map(|position| grouped.version(position).to_string()).collect();
        assert_eq!(versions, ["1.0", "1.9", "1.10", "2.0a1"]);
        let files: Vec<&str> = grouped.files(0).iter().map(|file| file.filename.as_str()).collect();
        assert_eq!(files, ["foo-1.0-py3-none-any.whl", "foo-1.0.0.zip"]);
        for (version, position) in
            [("1.0.0", Some(0)), ("1.10", Some(2)), ("2.0a1", Some(3)), ("0.9", None), ("3", None)]
        {
            assert_eq!(grouped.position(&version.parse().unwrap()), position, "{version}");
        }
        assert_eq!(grouped.partition(|version| *version < "1.9".parse().unwrap()), 1);
    }
}

#[test]
fn a_cached_page_of_another_form_or_shape_is_not_read() {
    let bytes = Releases::from(rich_page()).to_bytes();
    assert!(Releases::from_bytes(bytes.clone().into()).is_ok());
    let mut other_form = bytes.clone();
    other_form[4] += 1;
    let longer = [&bytes[..], b"x"].concat();
    for wrong in [other_form, longer, bytes[..bytes.len() - 1].to_vec(), bytes[..10].to_vec(), Vec::new()] {
        assert!(Releases::from_bytes(wrong.into()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_page_panics(text in "[ -~é\n]{0,80}", pieces in prop::collection::vec(prop::sample::select(vec![
        "<a", " href=", "'", "\"", "foo-1.zip", ">", "<!--", "-->", "</a>", "#sha256=", "&", "&#x41;", "%2B", "%", "<script>", "</script>",
        "<base", " data-yanked", "=", "/", "é", "{", "}", ":", ",", "[", "]", "?sig=x", "&#63;", "\"files\"", "\"meta\"", "\\", "//",
    ]), 0..24)) {
        for text in [text, pieces.concat()] {
            for format in [PageFormat::Html, PageFormat::Json] {
                if let WithoutSecrets::Written(kept) = WithoutSecrets::of(text.as_bytes(), format) {
                    let is_read = |bytes: &[u8]| {
                        SimplePage::parse(bytes, format, &page_url(), &"foo".parse().unwrap()).map(|page| page.files.len()).ok()
                    };
                    prop_assert_eq!(is_read(&kept), is_read(text.as_bytes()));
                    prop_assert_eq!(WithoutSecrets::of(&kept, format), WithoutSecrets::Same);
                }
            }
            for page in [html(&text), json(&text)].into_iter().flatten() {
                let (cached, releases) = through_cache(&page);
                prop_assert_eq!(cached.to_page(), releases.to_page());
            }
        }
    }

    #[test]
    fn no_outline_of_a_cached_page_panics(bytes in prop::collection::vec(any::<u8>(), 0..120), at in 0..400usize, byte: u8) {
        let _ = Releases::from_bytes(bytes.into());
        let mut real = Releases::from(rich_page()).to_bytes();
        if let Some(place) = real.get_mut(at) {
            *place = byte;
        }
        let _ = Releases::from_bytes(real.into());
    }

    /// A link that is not parsed must be one that parsing would not change.
    #[test]
    fn plain_links_are_what_the_parser_makes_of_them(path in "(/[a-z0-9._~+!-]{0,6}){1,4}", host in "[a-z]{1,3}\\.(example|test)(:[0-9]{1,4})?") {
        let link = format!("https://{host}{path}");
        let mut links = file::Links { page_url: page_url(), known: None };
        let held = links.resolve(&link).unwrap();
        prop_assert_eq!(held.to_safe_url(), link.parse::<SafeUrl>().unwrap());
        prop_assert_eq!(held, FileUrl::from(link.parse::<SafeUrl>().unwrap()));
    }
}
