//! A secret is for its host: not in the lock, the log or the cache, and not in the hands of another host.

use pinfold_testkit::{Fault, Index};

use super::{guarded, want, wheel};
use crate::project::Project;

const SECRET: &str = "s3cr3t-t0ken";

/// Writes the netrc of the temporary home, with these rights where there are any.
fn write_netrc(project: &Project, text: &str, mode: u32) -> std::path::PathBuf {
    let path = project.home.home().join(".netrc");
    std::fs::write(&path, text).expect("can write a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("can change permissions");
    }
    let _ = mode;
    path
}

/// Panics if the secret, or its form in a Basic header, is anywhere below the temporary home.
fn is_nowhere(project: &Project) {
    let mut directories = vec![project.home.path().to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("can list").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("was listed"));
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                let bytes = std::fs::read(&path).expect("can read");
                assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "it is in {}", path.display());
            }
        }
    }
}

#[test]
fn a_token_gets_into_no_file_and_no_message() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    for verb in ["lock", "sync"] {
        let run = project.pinfold(verb).arg("-v").env("PINFOLD_INDEX_MAIN_TOKEN", SECRET).run().expect_code(0);
        assert!(!format!("{run}").contains(SECRET), "{run}");
    }
    let header = format!("Bearer {SECRET}");
    let requests = project.server.requests();
    assert!(requests.iter().all(|request| request.header("authorization") == Some(&header)), "{requests:?}");
    is_nowhere(&project);

    // Nor when it goes wrong.
    project.forget_cache();
    project.server.fault_on("/simple/a/", Fault::Status(500));
    let run = project.pinfold("lock").arg("-v").env("PINFOLD_INDEX_MAIN_TOKEN", SECRET).run().expect_code(4);
    assert!(!format!("{run}").contains(SECRET), "{run}");
}

#[test]
fn a_login_is_asked_for_and_gets_into_no_file() {
    let project = Project::new(Index::new().wheel("a", "1.0").login("me", SECRET), &["a"]);
    let run = project.pinfold("lock").run().expect_code(4).expect_stderr("PINFOLD_INDEX_MAIN_TOKEN");
    run.expect_stderr("answers 401: it wants a login, and none is known for ");
    let run = project.pinfold("lock").env("PINFOLD_INDEX_MAIN_TOKEN", SECRET).run().expect_code(4);
    let run =
        run.expect_stderr("PINFOLD_INDEX_MAIN_USERNAME").expect_stderr("another login than the one that was sent");
    assert!(!format!("{run}").contains(SECRET), "{run}");
    let signed = |verb: &str| {
        let run = project.pinfold(verb).arg("-v").env("PINFOLD_INDEX_MAIN_USERNAME", "me");
        run.env("PINFOLD_INDEX_MAIN_PASSWORD", SECRET).run()
    };
    for verb in ["lock", "sync"] {
        let run = signed(verb).expect_code(0);
        assert!(!format!("{run}").contains(SECRET), "{run}");
    }
    is_nowhere(&project);
}

#[test]
fn a_listed_host_does_not_get_the_token_of_the_index() {
    let other = Index::new().wheel("a", "1.0").start();
    let project = guarded(Index::new().wheel("a", "1.0"), &["a"]);
    want(&project, &["a"], &format!("file-hosts = [\"http://{}\"]", other.host()));
    project
        .server
        .fault_on(&format!("/files/{}", wheel("a", "1.0")), Fault::RedirectTo(other.file_url(&wheel("a", "1.0"))));
    for verb in ["lock", "sync"] {
        project.pinfold(verb).env("PINFOLD_INDEX_MAIN_TOKEN", SECRET).run().expect_code(0);
    }
    assert!(!other.requests().is_empty());
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_url_with_a_secret_is_not_taken_into_the_lock() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace("http://", &format!("http://me:{SECRET}@")));
    let run = project.pinfold("lock").run().expect_code(2).expect_stderr("pinfold.toml");
    assert!(!run.stderr.contains(SECRET), "{run}");
    assert!(!project.home.has("pylock.toml"));
    project.home.write("pinfold.toml", manifest);
    project.lock();
}

#[test]
fn a_login_that_no_header_can_carry_is_told_and_not_shown() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let run = |variables: &[(&str, &str)]| {
        let start = project.pinfold("lock");
        variables.iter().fold(start, |run, (name, value)| run.env(name, format!("{SECRET}{value}"))).run()
    };
    let (token, user, password) =
        ("PINFOLD_INDEX_MAIN_TOKEN", "PINFOLD_INDEX_MAIN_USERNAME", "PINFOLD_INDEX_MAIN_PASSWORD");
    for (variables, named) in [
        (&[(token, "\n")][..], token),
        (&[(token, " x")][..], token),
        (&[(user, ":x")][..], user),
        (&[(user, "x"), (password, "\r\nX-Header: y")][..], password),
    ] {
        let failed = run(variables).expect_code(2).expect_stderr(named);
        assert!(!format!("{failed}").contains(SECRET), "{failed}");
    }
    assert!(project.server.requests().is_empty());
    // The control: as they are meant.
    run(&[(user, "x"), (password, " with a blank, ä")]).expect_code(0);
    assert!(project.server.requests().iter().all(|request| request.header("authorization").is_some()));
}

#[test]
fn a_password_without_a_user_name_is_not_passed_over() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let alone = |verb: &str| project.pinfold(verb).env("PINFOLD_INDEX_MAIN_PASSWORD", SECRET);
    for run in [alone("lock"), alone("lock").env("PINFOLD_INDEX_MAIN_USERNAME", "")] {
        let run = run.run().expect_code(2);
        let run = run.expect_stderr("`PINFOLD_INDEX_MAIN_PASSWORD`").expect_stderr("`PINFOLD_INDEX_MAIN_USERNAME`");
        assert!(!format!("{run}").contains(SECRET), "{run}");
    }
    assert!(project.server.requests().is_empty());
    project.lock();
    alone("sync").run().expect_code(2);
    // A token is a login of its own.
    alone("sync").env("PINFOLD_INDEX_MAIN_TOKEN", "t").run().expect_code(0);
}

#[test]
fn a_query_of_an_index_is_neither_dropped_nor_shown() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let own = project.server.url();
    project.home.write("r.txt", "a\n");
    let manifest = project.home.read("pinfold.toml");
    for tail in [format!("?token={SECRET}"), format!("?{SECRET}"), format!("#{SECRET}")] {
        let url = format!("{own}{tail}");
        project.home.write("pinfold.toml", manifest.replace(&own, &url));
        let by_manifest = project.pinfold("lock").run().expect_code(2).expect_stderr("pinfold.toml:9:7");
        let flags = ["-r", "r.txt", "--python-version", "3.10", "--index-url", &url];
        let by_flag = project.pinfold("lock").args(flags).run().expect_code(2).expect_stderr("--index-url");
        for run in [by_manifest, by_flag] {
            assert!(!run.stderr.contains(SECRET), "{run}");
        }
    }
    assert!(project.server.requests().is_empty() && !project.home.has("pylock.toml"));
}

#[test]
fn a_login_is_not_sent_where_everybody_can_read_it() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let lock = project.lock();
    let own = project.server.url();
    let elsewhere = |text: &str| text.replace(&own, "http://index.test/simple/");
    let manifest =
        elsewhere(&project.home.read("pinfold.toml")).replace("default = true", "default = true\ninsecure = true");
    project.home.write("pinfold.toml", manifest);
    let hosts = own.replace("/simple/", "");
    let foreign =
        lock.replace(&hosts, "http://index.test").replace("name = \"main\"", "name = \"main\"\ninsecure = true");
    project.home.write("pylock.toml", foreign);
    for verb in ["lock", "sync"] {
        let run = project.pinfold(verb).env("PINFOLD_INDEX_MAIN_TOKEN", SECRET).run().expect_code(3);
        let run = run.expect_stderr("error[exposed-secret]").expect_stderr("http://index.test/simple/");
        assert!(!format!("{run}").contains(SECRET), "{run}");
    }
}

#[test]
fn a_signed_url_of_a_page_is_not_taken_into_the_lock() {
    let linked =
        |query: &str| Index::new().wheel("a", "1.0").link(&format!("../../files/{}?{query}", wheel("a", "1.0")));
    let project = Project::new(linked(&format!("X-Amz-Signature={SECRET}")), &["a"]);
    let run = project.pinfold("lock").run().expect_code(3).expect_stderr("error[exposed-secret]");
    let run = run.expect_stderr(&wheel("a", "1.0")).expect_stderr("`X-Amz-Signature`").expect_stderr("help: ");
    assert!(!format!("{run}").contains(SECRET), "{run}");
    assert!(!project.home.has("pylock.toml"));
    // Nor into a recording, which has more files than the lock.
    project.server.update(&linked(&format!("X-Amz-Signature={SECRET}")).wheel("a", "2.0"));
    let record = project.pinfold("lock").args(["--record", "answers.gz"]).run().expect_code(3);
    assert!(!format!("{record}").contains(SECRET), "{record}");
    assert!(!project.home.has("answers.gz") && !project.home.has("pylock.toml"));
    project.lock();
    std::fs::remove_file(project.home.project().join("pylock.toml")).expect("there is a lock");
    project.forget_cache();
    // The control: a query that is no credential is part of the file's URL.
    project.server.update(&linked("download=1"));
    assert!(project.lock().contains("?download=1"));
}

/// Whoever reads the cache must not find what the index gave to the maintainer alone; and what is kept is refused as it came.
#[test]
fn a_signed_url_of_a_page_stays_in_no_cache() {
    let link = |query: &str| format!("../../files/{}?{query}", wheel("a", "1.0"));
    let json = Index::new().wheel("a", "1.0").link(&link(&format!("X-Amz-Date=1&X-Amz-Signature={SECRET}")));
    let html = format!("<a href='{}'>a</a>", link(&format!("x=1&amp;X-Amz-Signature={SECRET}")));
    for index in [json, Index::new().wheel("a", "1.0").raw_page("text/html", html)] {
        let project = Project::new(index, &["a"]);
        let asked = || project.server.requests_to("/simple/a/").len();
        let lock = |arguments: &[&str]| {
            let run = project.pinfold("lock").args(arguments).run().expect_refusal("exposed-secret");
            is_nowhere(&project);
            run.stderr
        };
        let refused = lock(&[]);
        assert!(refused.contains("`X-Amz-Signature`"), "{refused}");
        // What was left out is not asked with: the index is asked anew, and in full.
        project.server.forget_requests();
        assert_eq!(lock(&[]), refused);
        assert!(asked() > 0);
        project.server.forget_requests();
        assert_eq!(lock(&["--offline"]), refused);
        assert_eq!(asked(), 0);
        // The resolution may choose another file, whose page is kept in the same way.
        project
            .server
            .update(&Index::new().wheel("a", "1.0").link(&link(&format!("token={SECRET}"))).wheel("a", "2.0"));
        let lock = project.lock();
        is_nowhere(&project);
        assert!(lock.contains(&wheel("a", "2.0")));
        project.pinfold("lock").args(["--check", "--offline"]).run().expect_code(0);
    }
}

/// Another tool may have locked signed URLs. They are asked for as they stand, and told without what signs them.
#[test]
fn a_signed_url_of_a_foreign_lock_is_not_shown() {
    let link = format!("../../files/{}?download=1", wheel("a", "1.0"));
    let index = || Index::new().wheel("a", "1.0").link(&link).wheel("b", "1.0");
    for direct in [false, true] {
        let project = Project::new(index(), &["a", "b"]);
        if direct {
            let url = format!("a @ {}?download=1", project.server.file_url(&wheel("a", "1.0")));
            project.write_manifest(&[&url, "b"], "", "");
        }
        project.lock();
        let plain = project.home.read("pylock.toml");
        project.home.write("old.toml", plain);
        project.tamper("download=1", &format!("X-Amz-Signature={SECRET}"));
        let silent = |verb: &str, arguments: &[&str], code: i32| {
            let run = project.pinfold(verb).args(arguments).run().expect_code(code);
            assert!(
                !format!("{}{}", run.stdout, run.stderr).contains(SECRET),
                "direct: {direct}, {verb} {arguments:?}: {run}"
            );
            run
        };
        let json = ["--log-format", "json", "-v"];
        let path = format!("/files/{}", wheel("a", "1.0"));
        silent("sync", &["--offline"], 4);
        for (fault, code) in [
            (Fault::Status(403), 4),
            (Fault::Status(500), 4),
            (Fault::Truncated, 4),
            (Fault::RedirectTo("http://files.test/a.whl".to_owned()), 3),
            (Fault::WrongBytes, 3),
        ] {
            project.server.update(&index());
            project.server.fault_on(&path, fault);
            silent("sync", &["-v"], code);
            silent("sync", &json, code);
        }
        project.server.update(&index());
        for arguments in
            [&["--dry-run", "-v"][..], &["--dry-run", "--format", "json"], &json, &["-v", "--format", "json"]]
        {
            silent("sync", arguments, 0);
        }
        for (verb, arguments) in [
            ("history", &["--format", "json"][..]),
            ("history", &["-v"]),
            ("trace", &["a"]),
            ("trace", &["a", "--format", "json"]),
            ("tree", &[]),
            ("why", &["a"]),
            ("verify", &["--format", "json"]),
        ] {
            silent(verb, arguments, 0);
        }
        for format in ["text", "json", "markdown"] {
            let run = silent("diff", &["old.toml", "pylock.toml", "--format", format], 1);
            assert!(run.stdout.contains("another query"), "{run}");
        }
        // The environment is of a lock whose URL has another query.
        let signed = project.home.read("pylock.toml");
        project.home.write("pylock.toml", signed.replace(SECRET, "other"));
        for format in ["text", "json"] {
            silent("verify", &["--format", format], 1).expect_stdout("another query");
        }
        silent("sync", &["--dry-run", "-v"], 0);
        // Refusals of the whole lock.
        for (from, to) in [("http://127.0.0.1", "http://files.test"), ("http://127.0.0.1", "https://files.test")] {
            project.home.write("pylock.toml", signed.replace(&format!("url = \"{from}"), &format!("url = \"{to}")));
            silent("sync", &["-v"], 3);
        }
    }
}

#[test]
fn the_login_that_pip_is_set_up_with_stays_pips() {
    let project = Project::new(Index::new().wheel("a", "1.0").login("me", SECRET), &["a"]);
    let url = format!("url = \"{}\"", project.server.url());
    let manifest = project.home.read("pinfold.toml");
    assert!(manifest.contains(&url), "{manifest}");
    project.home.write("pinfold.toml", manifest.replace(&url, "from = \"pip\""));
    // Nor does pip take code from where it is asked.
    project.home.write("json.py", "raise SystemExit('evil')\n");
    let with_login = project.server.url().replace("http://", &format!("http://me:{SECRET}@"));
    let lock = || project.pinfold("lock").arg("-v").env("PIP_INDEX_URL", &with_login).run();
    let first = lock();
    if first.code == 2 {
        // This machine's Python has no pip to ask.
        first.expect_stderr("has pip");
        return;
    }
    let first = first.expect_code(0);
    assert!(!format!("{first}").contains(SECRET), "{first}");
    is_nowhere(&project);
    // The lock knows the URL, and pip still knows the login.
    project.forget_cache();
    lock().expect_code(0);
    // A check asks pip, not the lock that it checks.
    let check = project.pinfold("lock").arg("--check").env("PIP_INDEX_URL", &with_login).run();
    check.expect_code(0);
    let other = Index::new().wheel("a", "1.0").start();
    let elsewhere = project.pinfold("lock").arg("--check").env("PIP_INDEX_URL", other.url()).run();
    elsewhere.expect_code(1).expect_stderr("another index than the pip");
    assert!(other.requests().is_empty());
    let merged = project.pinfold("lock").arg("--upgrade").env("PIP_INDEX_URL", &with_login);
    let merged = merged.env("PIP_EXTRA_INDEX_URL", "https://evil.example/simple").run().expect_code(2);
    merged.expect_stderr("[[index]]");
}

#[test]
fn a_netrc_serves_the_hosts_of_indexes_and_no_other() {
    let other = Index::new().wheel("a", "1.0").start();
    let project = Project::new(Index::new().wheel("a", "1.0").login("me", SECRET), &["a"]);
    // `default` is for nobody; without an entry for the host there is no login.
    write_netrc(
        &project,
        &format!("machine index.example login me password {SECRET}\ndefault login me password {SECRET}\n"),
        0o600,
    );
    project.pinfold("lock").run().expect_code(4).expect_stderr("netrc");
    let netrc = write_netrc(&project, &format!("machine 127.0.0.1 login me password {SECRET}\n"), 0o600);
    for verb in ["lock", "sync"] {
        let run = project.pinfold(verb).arg("-v").run().expect_code(0);
        assert!(!format!("{run}").contains(SECRET), "{run}");
    }
    // Nor behind a redirect, to a listed host: another port is another host.
    let hosts = format!("file-hosts = [\"http://{}\"]", other.host());
    project.write_manifest(&["a"], "", &hosts);
    let file = wheel("a", "1.0");
    project.server.fault_on(&format!("/files/{file}"), Fault::RedirectTo(other.file_url(&file)));
    project.forget_cache();
    for verb in ["lock", "sync"] {
        project.pinfold(verb).run().expect_code(0);
    }
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    std::fs::remove_file(&netrc).expect("can remove the netrc");
    is_nowhere(&project);

    // NETRC names another one, and the environment's own login for the index comes first.
    let elsewhere = project.home.path().join("logins");
    std::fs::rename(write_netrc(&project, "machine 127.0.0.1 login me password wrong\n", 0o600), &elsewhere)
        .expect("can move");
    project.forget_cache();
    project.pinfold("lock").env("NETRC", &elsewhere).run().expect_code(4);
    let run = project.pinfold("lock").env("NETRC", &elsewhere).env("PINFOLD_INDEX_MAIN_USERNAME", "me");
    run.env("PINFOLD_INDEX_MAIN_PASSWORD", SECRET).run().expect_code(0);
    project.forget_cache();
    project.pinfold("lock").env("NETRC", project.home.path().join("none")).run().expect_code(2).expect_stderr("NETRC");
}

#[test]
fn a_netrc_that_cannot_be_read_is_not_shown() {
    let project = Project::new(Index::new().wheel("a", "1.0").login("me", SECRET), &["a"]);
    write_netrc(&project, &format!("machine 127.0.0.1\nlogin me\npasswort {SECRET}\n"), 0o600);
    let run = project.pinfold("lock").run().expect_code(2).expect_stderr("line 3").expect_stderr(".netrc");
    assert!(!format!("{run}").contains(SECRET), "{run}");
    write_netrc(&project, &format!("machine 127.0.0.1\nlogin me\npassword {SECRET}\n"), 0o600);
    project.lock();
}

#[cfg(unix)]
#[test]
fn a_netrc_that_others_may_read_is_not_used() {
    let project = Project::new(Index::new().wheel("a", "1.0").login("me", SECRET), &["a"]);
    let text = format!("machine 127.0.0.1 login me password {SECRET}\n");
    for mode in [0o644, 0o640, 0o606] {
        write_netrc(&project, &text, mode);
        let run = project.pinfold("lock").run().expect_refusal("exposed-secret").expect_stderr("chmod 600");
        assert!(!format!("{run}").contains(SECRET), "{run}");
        assert!(project.server.requests().is_empty());
    }
    // Nor does it stand in the way of a run that logs in nowhere.
    project.pinfold("lock").arg("--offline").run().expect_code(4).expect_stderr("--offline");
    // What is in it for others is nobody's business here.
    write_netrc(&project, &text.replace("127.0.0.1", "ftp.example"), 0o644);
    project.pinfold("lock").run().expect_code(4);
    write_netrc(&project, &text, 0o600);
    project.installed();
}

#[test]
fn what_pip_complains_about_is_not_quoted() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let url = format!("url = \"{}\"", project.server.url());
    project.home.write("pinfold.toml", project.home.read("pinfold.toml").replace(&url, "from = \"pip\""));
    let configuration = project.home.home().join("pip.conf");
    // A line before any section, which pip's reader quotes.
    std::fs::write(&configuration, format!("index-url = https://me:{SECRET}@index.example/simple\n"))
        .expect("can write");
    let lock = project.pinfold("lock").arg("-v").env("PIP_CONFIG_FILE", &configuration);
    let run = lock.env("PIP_INDEX_URL", project.server.url()).run();
    assert!(!format!("{run}").contains(SECRET), "{run}");
    run.expect_code(2).expect_stderr("pip");
}
