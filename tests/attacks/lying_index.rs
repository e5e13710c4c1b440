//! Pages and metadata that lie, or that say what must not be guessed at.

use pinfold_testkit::{Fault, Index, PageFormats, WheelRecipe, sha256_hex};

use super::replaced_file::release;
use super::{guarded, leaves, refuses, want, wheel};
use crate::project::Project;

const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// A JSON page of `a` whose one file has these members.
fn page(members: &str) -> String {
    format!(
        "{{\"meta\":{{\"api-version\":\"1.1\"}},\"name\":\"a\",\"files\":[{{\"filename\":\"{}\",{members}}}]}}",
        wheel("a", "1.0")
    )
}

/// The same page in a form that locks: the control of every page that does not.
fn honest() -> Index {
    Index::new().wheel("base", "1.0").wheel("a", "1.0")
}

#[test]
fn metadata_of_another_release() {
    for text in ["Metadata-Version: 2.1\nName: b\nVersion: 1.0\n", "Metadata-Version: 2.1\nName: a\nVersion: 2.0\n"] {
        let recipe = WheelRecipe::new("a", "1.0").metadata_text(text);
        let project = guarded(Index::new().wheel_from(recipe), &["a"]);
        let url = project.server.file_url(&wheel("a", "1.0"));
        refuses(&project, "lock", "metadata-mismatch", &[&wheel("a", "1.0"), &url, "expected: a 1.0", "found: "]);
        project.server.update(&honest());
        project.installed();
    }
}

#[test]
fn a_sidecar_that_is_not_what_the_page_says() {
    let lie = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: malware\n";
    let index = Index::new().sidecars().wheel("a", "1.0").sidecar(lie);
    let project = guarded(index, &["a"]);
    let truth = sha256_hex(WheelRecipe::new("a", "1.0").metadata().as_bytes());
    let parts = [&wheel("a", "1.0"), &project.server.file_url(&wheel("a", "1.0")), &truth, &sha256_hex(lie.as_bytes())];
    refuses(&project, "lock", "metadata-hash-mismatch", &parts.map(String::as_str));
    project.server.update(&honest().sidecars());
    project.installed();
}

#[test]
fn a_sidecar_that_the_wheel_contradicts() {
    // The page and the sidecar agree, the wheel says something else: found when it is unpacked.
    let bytes = WheelRecipe::new("a", "1.0").requires("hidden").build();
    let sidecar = WheelRecipe::new("a", "1.0").metadata();
    let project = guarded(Index::new().sidecars().file("a", &wheel("a", "1.0"), bytes).sidecar(&sidecar), &["a"]);
    project.lock();
    refuses(&project, "sync", "metadata-mismatch", &[&wheel("a", "1.0"), &sha256_hex(sidecar.as_bytes())]);
}

#[test]
fn yanked_files_need_an_exact_pin() {
    let index = Index::new().wheel("a", "1.0").wheel("a", "2.0").yanked("steals tokens");
    let project = guarded(index, &["a"]);
    assert!(project.lock().contains(&wheel("a", "1.0")));
    want(&project, &["a>=2"], "");
    leaves(&project, "lock", 1, &[], &["yanked"]);
    want(&project, &["a==2.0"], "");
    project.pinfold("lock").run().expect_code(0).expect_stderr("steals tokens");
    assert!(project.home.read("pylock.toml").contains(&wheel("a", "2.0")));
}

#[test]
fn files_without_a_hash_or_with_a_weak_one_are_hashed_whole() {
    for fault in [Fault::NoHash, Fault::Md5Only] {
        for formats in [PageFormats::Json, PageFormats::Html] {
            let (file, honest) = (wheel("a", "1.0"), release("x = 'good'\n"));
            let project = guarded(Index::new().file("a", &file, &honest).fault(fault.clone()).formats(formats), &["a"]);
            let (lock, digest) = (project.lock(), sha256_hex(&honest));
            assert!(lock.contains(&digest), "{lock}");
            assert!(!lock.contains("md5"), "{lock}");
            project.sync().expect_code(0);
            // What was computed once is what holds from then on.
            project.server.replace_file(&file, release("x = 'evil'\n"));
            refuses(&project, "lock", "file-replaced", &[&file, &digest]);
        }
    }
}

#[test]
fn digests_that_are_none() {
    let project = guarded(Index::new().project("a"), &["a"]);
    for digest in ["abc", &"g".repeat(64), &"0".repeat(63)] {
        let members = format!("\"url\":\"../../files/{}\",\"hashes\":{{\"sha256\":\"{digest}\"}}", wheel("a", "1.0"));
        project.server.update(&Index::new().wheel("base", "1.0").project("a").raw_page(JSON, page(&members)));
        refuses(&project, "lock", "malformed-digest", &[&project.server.page_url("a")]);
    }
    let bytes = WheelRecipe::new("a", "1.0").build();
    let upper = sha256_hex(&bytes).to_uppercase();
    let members = format!("\"url\":\"../../files/{}\",\"hashes\":{{\"sha256\":\"{upper}\"}}", wheel("a", "1.0"));
    let index = Index::new().wheel("base", "1.0").file("a", &wheel("a", "1.0"), bytes);
    project.server.update(&index.project("a").raw_page(JSON, page(&members)));
    project.installed();
}

#[test]
fn urls_that_lead_elsewhere() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    for scheme in ["ftp://files.example/", "data:,", "javascript:", "http://me@files.example/"] {
        let digest = "0".repeat(64);
        let members = format!("\"url\":\"{scheme}{}\",\"hashes\":{{\"sha256\":\"{digest}\"}}", wheel("a", "1.0"));
        project.server.update(&Index::new().wheel("base", "1.0").project("a").raw_page(JSON, page(&members)));
        refuses(&project, "lock", "unsafe-url", &[&project.server.page_url("a")]);
    }
    // An index that is a directory has such files; one that is a server has not.
    let members = format!("\"url\":\"file:///etc/{}\",\"hashes\":{{}}", wheel("a", "1.0"));
    project.server.update(&Index::new().wheel("base", "1.0").project("a").raw_page(JSON, page(&members)));
    refuses(&project, "lock", "origin-mismatch", &["file:///etc/", &project.server.url()]);
    project.server.update(&honest());
    project.installed();
}

#[test]
fn files_that_do_not_say_when_they_came_do_not_exist_before_a_cutoff() {
    let index = Index::new().wheel("base", "1.0").uploaded("2024-01-01T00:00:00Z");
    let index = index.wheel("a", "1.0").uploaded("2024-01-01T00:00:00Z").wheel("a", "2.0");
    let project = Project::new(index.wheel("a", "3.0").uploaded("2024-12-01T00:00:00Z"), &["base"]);
    project.installed();
    project.write_manifest(&["a"], "exclude-newer = \"2024-06-01T00:00:00Z\"", "");
    assert!(project.lock().contains(&wheel("a", "1.0")));
    project.write_manifest(&["a>=2"], "exclude-newer = \"2024-06-01T00:00:00Z\"", "");
    leaves(&project, "lock", 1, &[], &["exclude-newer"]);
    project.write_manifest(&["a"], "", "");
    project.pinfold("lock").arg("--upgrade").run().expect_code(0);
    assert!(project.home.read("pylock.toml").contains(&wheel("a", "3.0")));
}

#[test]
fn a_page_without_end() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    project.server.fault_on("/simple/a/", Fault::Endless);
    let run = project.pinfold("lock").run();
    assert!(matches!(run.code, 3 | 4), "{run}");
    assert!(run.stderr.contains(&project.server.page_url("a")), "{run}");
    project.server.heal();
    project.lock();
}

#[test]
fn a_page_that_is_deeper_than_any() {
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        deep.clone(),
        "{\"a\":".repeat(100_000),
        format!("{{\"meta\":{{\"api-version\":\"1.1\"}},\"name\":\"a\",\"x\":{deep},\"files\":[]}}"),
    ] {
        project.server.update(&Index::new().project("a").raw_page(JSON, text).wheel("base", "1.0"));
        refuses(&project, "lock", "page-limit", &["nested", &project.server.page_url("a")]);
    }
    project.server.update(&honest());
    project.installed();
}

#[test]
fn projects_in_quarantine() {
    let index = |status: &str| Index::new().wheel("base", "1.0").wheel("a", "1.0").status(status, Some("malware"));
    let project = guarded(index("quarantined"), &["a"]);
    refuses(&project, "lock", "quarantined", &["`a`", "malware"]);
    for status in ["archived", "deprecated"] {
        project.server.update(&index(status));
        project.forget_cache();
        project.pinfold("lock").run().expect_code(0).expect_stderr(status);
    }
}

#[test]
fn urls_in_published_metadata() {
    let other = Index::new().wheel("evil", "1.0").start();
    let url = other.file_url(&wheel("evil", "1.0"));
    let project = guarded(Index::new().wheel("a", "1.0").requires(&format!("evil @ {url}")), &["a"]);
    refuses(&project, "lock", "direct-url", &["`a` 1.0", &url]);
    assert!(other.requests().is_empty());
    // Behind an extra it is waited for that somebody wants it, whatever it is; cold, and from what is kept.
    for url in [url.as_str(), "git+https://git.example/evil", "ftp://files.example/evil.zip"] {
        let project = guarded(Index::new().wheel("a", "1.0").extra("x", &format!("evil @ {url}")), &["a"]);
        for _ in 0..2 {
            project.pinfold("lock").run().expect_code(0);
        }
        want(&project, &["a[x]"], "");
        refuses(&project, "lock", "direct-url", &["`a` 1.0", url]);
    }
    project.server.update(&honest());
    project.installed();
}

#[test]
fn pages_that_are_no_pages_are_not_guessed_at() {
    let json = page("\"url\":\"x\",\"hashes\":{}");
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    for index in [
        Index::new().project("a").raw_page(JSON, json.replace("1.1", "2.0")),
        Index::new().project("a").raw_page("text/plain", "a-1.0-py3-none-any.whl"),
        Index::new().project("a").raw_page("application/json", "{}"),
        Index::new().project("a").raw_page(JSON, "<!DOCTYPE html>"),
    ] {
        project.server.update(&index.wheel("base", "1.0"));
        leaves(&project, "lock", 4, &[], &[&project.server.page_url("a")]);
    }
    project.server.update(&honest());
    project.installed();
}

#[test]
fn names_that_only_look_like_others() {
    // A Cyrillic а in a requirement.
    let project = guarded(Index::new().wheel("a", "1.0").requires("b\u{0430}se"), &["a"]);
    refuses(&project, "lock", "foreign-character", &[&wheel("a", "1.0")]);
    project.server.update(&honest());
    project.installed();
}
