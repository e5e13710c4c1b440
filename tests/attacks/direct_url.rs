//! What is required by URL or from a repository belongs to others: bytes that were exchanged, redirects, and everything by
//! which `git` could be brought to run something.

use pinfold_testkit::{Fault, Index, Server, WheelRecipe};

use super::{leaves, other_digit, refuses, refuses_bytes, refuses_from_nothing, wheel};
use crate::direct::{Repository, files_below};
use crate::project::Project;

fn served() -> Server {
    Index::new().wheel("tool", "1.0").start()
}

/// A project with `base` installed that requires `tool` by URL.
fn project(server: &Server) -> Project {
    let project = Project::new(Index::new().wheel("base", "1.0"), &["base"]);
    project.installed();
    super::want(&project, &[&format!("tool @ {}", server.file_url(&wheel("tool", "1.0")))], "");
    project
}

#[test]
fn bytes_behind_a_url_that_were_exchanged() {
    let (server, file) = (served(), wheel("tool", "1.0"));
    let project = project(&server);
    project.installed();
    let digest = server.artifact(&file).sha256.to_string();
    let evil = WheelRecipe::new("tool", "1.0").file("tool/evil.py", "").build();
    server.replace_file(&file, &evil);
    project.pinfold("lock").arg("--check").run().expect_code(3).expect_refusal("file-replaced");
    project.pinfold("lock").arg("--upgrade").run().expect_code(3).expect_refusal("file-replaced");
    project.forget_cache();
    std::fs::rename(project.home.project().join(".venv"), project.home.project().join("former")).unwrap();
    refuses_bytes(&project, "lock", "file-replaced", &[&digest, &server.file_url(&file), "--accept-replaced"]);
    leaves(&project, "sync", 3, &["staging"], &["error[size-mismatch]", &server.file_url(&file)]);

    server.replace_file(&file, WheelRecipe::new("tool", "1.0").build());
    project.pinfold("lock").arg("--check").run().expect_code(0);
    project.sync().expect_code(0);
    // And by the maintainer's decision, the other bytes.
    server.replace_file(&file, evil);
    project.pinfold("lock").args(["--accept-replaced", &file]).run().expect_code(0);
    project.sync().expect_code(0);
    assert_eq!(project.python("import tool.evil; print('there')"), "there\n");
}

#[test]
fn a_url_that_redirects_to_another_host() {
    let (server, other, file) = (served(), served(), wheel("tool", "1.0"));
    let project = project(&server);
    server.fault_on(&format!("/files/{file}"), Fault::RedirectTo(other.file_url(&file)));
    refuses(&project, "lock", "foreign-redirect", &[&server.file_url(&file), &other.host()]);
    assert!(other.requests().is_empty(), "the other host was asked");
    server.heal();
    project.lock();
    server.fault_on(&format!("/files/{file}"), Fault::RedirectTo(other.file_url(&file)));
    refuses_from_nothing(&project, "sync", "foreign-redirect", &[&other.host()]);
    assert!(other.requests().is_empty(), "the other host was asked");
    server.heal();
    project.sync().expect_code(0);
}

#[test]
fn a_digest_that_is_demanded_and_not_met() {
    let (server, file) = (served(), wheel("tool", "1.0"));
    let project = project(&server);
    let digest = server.artifact(&file).sha256.to_string();
    let demand = |digest: &str| format!("tool @ {}#sha256={digest}", server.file_url(&file));
    super::want(&project, &[&demand(&other_digit(&digest))], "");
    refuses_bytes(&project, "lock", "hash-mismatch", &[&digest, "the requirement"]);
    super::want(&project, &[&demand(&digest)], "");
    project.installed();
}

#[test]
fn a_wheel_by_url_that_is_another_project_inside() {
    let lying = WheelRecipe::new("tool", "1.0").metadata_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n");
    let server = Index::new().wheel_from(lying).start();
    let project = project(&server);
    leaves(&project, "lock", 3, &["trees", "staging"], &["error[metadata-mismatch]", "tool 1.0", "other 1.0"]);
}

#[test]
fn secrets_in_a_url() {
    let server = served();
    let project = project(&server);
    let url = server.file_url(&wheel("tool", "1.0"));
    let with_login = url.replace("http://", "http://me:s3cr3t@");
    let signed = format!("{url}?X-Amz-Signature=s3cr3t");
    for reference in
        [with_login.as_str(), &signed, "git+https://me:s3cr3t@git.test/tool", "git+ssh://git:s3cr3t@git.test/tool"]
    {
        super::want(&project, &[&format!("tool @ {reference}")], "");
        let run = project.pinfold("lock").args(["--log-format", "json", "-v"]).run().expect_code(2);
        assert!(!run.stderr.contains("s3cr3t"), "{run}");
        project.home.write("r.txt", format!("tool @ {}\n", reference.replace("s3cr3t", "${TOKEN}")));
        super::want(&project, &["base"], "");
        let run = project.pinfold("lock").args(["-r", "r.txt", "--index-url", &project.server.url()]);
        let run = run.args(["--python-version", "3.10"]).env("TOKEN", "s3cr3t").run().expect_code(2);
        assert!(!run.stderr.contains("s3cr3t"), "{run}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_repository_that_is_an_option_or_a_command() {
    let repository = Repository::new();
    let project = repository.project("");
    let marker = project.home.project().join("marker");
    let touch = format!("touch%20{}", marker.display());
    for reference in [
        format!("git+ext::sh%20-c%20{touch}"),
        format!("git+ssh://-oProxyCommand={touch}/x"),
        format!("git+ssh://git@-oProxyCommand={touch}/x"),
        format!("git+file://{}@--upload-pack={touch}", repository.path()),
        format!("git+file://{}@-u{touch}", repository.path()),
        format!("git+fd::17/{touch}"),
        "git+git://git.test/tool".to_owned(),
        "git+http://git.test/tool".to_owned(),
    ] {
        project.write_manifest(&[&format!("tool @ {reference}")], "build = [\"tool\"]", "");
        project.pinfold("lock").run().expect_code(2).expect_stderr("pinfold.toml:4:");
        assert!(!marker.exists(), "{reference} ran");
    }
    project.write_manifest(&[&repository.requirement("")], "build = [\"tool\"]", "");
    project.installed();
}

#[test]
fn a_lock_whose_repository_is_a_command() {
    let repository = Repository::new();
    let project = repository.project("@v1");
    let lock = project.lock();
    let marker = project.home.project().join("marker");
    let own = format!("file://{}", repository.path());
    for url in [
        format!("ext::sh -c touch% {}", marker.display()),
        format!("ssh://-oProxyCommand=touch {}/x", marker.display()),
        "--upload-pack=x".to_owned(),
    ] {
        project.home.write("pylock.toml", lock.replace(&own, &url));
        project.forget_cache();
        project.sync().expect_code(3).expect_refusal("unpinned-source");
        assert!(!marker.exists(), "{url} ran");
    }
    project.home.write("pylock.toml", lock.replace("requested-revision = \"v1\"", "requested-revision = \"--x\""));
    project.sync().expect_code(3).expect_refusal("unpinned-source");
    project.home.write("pylock.toml", &lock);
    project.sync().expect_code(0);
}

/// Configuration of the user and attributes of the repository that make a plain `git` run commands.
#[cfg(unix)]
#[test]
fn filters_hooks_and_configuration_of_git() {
    let repository = Repository::new();
    repository.write(".gitattributes", "* filter=evil diff=evil eol=crlf export-subst\n");
    repository.write(".gitconfig", "[core]\n\thooksPath = .\n");
    repository.write("post-checkout", "#!/bin/sh\nexit 1\n");
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "-m", "attributes"]);
    let project = repository.project("");
    let marker = project.home.home().join("marker");
    let hooks = project.home.home().join("hooks");
    let script = format!("#!/bin/sh\ntouch {}\n", marker.display());
    project.home.write("../home/hooks/post-checkout", &script);
    project.home.write("../home/hooks/reference-transaction", &script);
    project.home.write("../home/template/hooks/post-checkout", &script);
    for file in ["hooks/post-checkout", "hooks/reference-transaction", "template/hooks/post-checkout"] {
        use std::os::unix::fs::PermissionsExt;
        let path = project.home.home().join(file);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let touch = format!("touch {}; cat", marker.display());
    let configuration = format!(
        "[core]\n\thooksPath = {}\n\tfsmonitor = {touch}\n[filter \"evil\"]\n\tsmudge = {touch}\n\tclean = {touch}\n\
         \trequired = true\n[init]\n\ttemplateDir = {}\n[url \"ext::sh -c '{touch}' \"]\n\tinsteadOf = nothing:\n",
        hooks.display(),
        project.home.home().join("template").display(),
    );
    project.home.write("../home/.gitconfig", &configuration);
    project.home.write("../home/config/git/config", &configuration);
    let lock = project.pinfold("lock").env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "core.hooksPath");
    lock.env("GIT_CONFIG_VALUE_0", &hooks)
        .env("GIT_EXTERNAL_DIFF", &touch)
        .env("GIT_SSH_COMMAND", &touch)
        .run()
        .expect_code(0);
    project.sync().expect_code(0);
    assert!(!marker.exists(), "git ran what was configured");
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");

    // The same configuration makes a plain clone run all of it.
    let clone = project.home.project().join("clone");
    let mut git = std::process::Command::new("git");
    git.args(["clone", "--quiet", repository.path()]).arg(&clone).env("HOME", project.home.home());
    git.env_remove("GIT_CONFIG_GLOBAL").output().unwrap();
    assert!(marker.exists(), "the trap does not work");
}

#[cfg(unix)]
#[test]
fn a_submodule_is_not_fetched() {
    let repository = Repository::new();
    let marker = repository.path().to_owned() + "/../marker";
    repository.write(".gitmodules", format!("[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c touch% {marker}\n"));
    let head = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},x")]);
    repository.git(&["add", ".gitmodules"]);
    repository.git(&["commit", "--quiet", "-m", "submodule"]);
    let project = repository.project("");
    project.pinfold("lock").run().expect_code(0).expect_stderr("`x` of file://").expect_stderr("is a submodule");
    project.sync().expect_code(0);
    assert!(!std::path::Path::new(&marker).exists());
}

#[cfg(unix)]
#[test]
fn a_link_out_of_a_repository() {
    let repository = Repository::new();
    std::os::unix::fs::symlink("/etc/passwd", format!("{}/src/tool/link.py", repository.path())).unwrap();
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "-m", "link"]);
    let project = repository.project("");
    project.pinfold("lock").run().expect_code(3).expect_refusal("unsafe-link").expect_stderr("src/tool/link.py");
    let project = repository.project("@v1");
    project.installed();
}

#[test]
fn a_lock_that_names_another_commit_or_another_digest() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    let second =
        repository.commit(&pinfold_testkit::SdistRecipe::new("tool", "1.0").file("src/tool/evil.py", ""), "two");
    let project = repository.project(&format!("@{first}"));
    let lock = project.lock();
    project.forget_cache();
    project.home.write("pylock.toml", lock.replace(&first, &second));
    project.sync().expect_code(3).expect_refusal("hash-mismatch");
    // The digest is of another commit than the entry: then nothing pins the entry.
    project.home.write("pylock.toml", lock.replacen(&first, &second, 1));
    project.sync().expect_code(3).expect_refusal("unpinned-source");
    let tree = lock.split("[[tool.pinfold.tree]]").nth(1).unwrap();
    let digest = tree.split("sha256 = \"").nth(1).unwrap()[..64].to_owned();
    project.home.write("pylock.toml", lock.replace(&digest, &other_digit(&digest)));
    project.sync().expect_code(3).expect_refusal("hash-mismatch");
    assert!(!project.home.has(".venv"));
    project.home.write("pylock.toml", &lock);
    project.sync().expect_code(0);
}

#[test]
fn a_tag_that_was_moved() {
    let repository = Repository::new();
    let first = repository.git(&["rev-parse", "HEAD"]);
    let project = repository.project("@v1");
    project.lock();
    repository.commit(&pinfold_testkit::SdistRecipe::new("tool", "1.0").file("src/tool/evil.py", ""), "two");
    repository.git(&["tag", "-f", "-a", "v1", "-m", "moved"]);
    let check = project.pinfold("lock").arg("--check").run().expect_code(3).expect_refusal("tag-moved");
    check.expect_stderr(&first);
    // Locking again keeps what was locked, and asks nobody; by the maintainer's wish the tag is followed.
    assert!(project.lock().contains(&first));
    project.pinfold("lock").args(["--upgrade-package", "tool"]).run().expect_code(0);
    assert!(!project.home.read("pylock.toml").contains(&first));
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

#[test]
fn a_package_of_an_index_that_names_a_url() {
    let server = served();
    let url = server.file_url(&wheel("tool", "1.0"));
    let index = Index::new().wheel("base", "1.0").wheel("a", "1.0").requires(&format!("tool @ {url}"));
    let project = Project::new(index, &["base"]);
    project.installed();
    super::want(&project, &["a"], "");
    refuses(&project, "lock", "direct-url", &[&url]);
    assert!(server.requests().is_empty());
    // The maintainer may name it.
    super::want(&project, &["a", &format!("tool @ {url}")], "");
    project.installed();
}

#[test]
fn a_repository_that_redirects_to_another_host() {
    let repository = Repository::new();
    let served = || repository.served().start();
    let (server, other) = (served(), served());
    let reference = format!("tool @ git+{}@v1", server.file_url("repo"));
    let project = Project::with(Index::new().wheel("lib", "1.0"), &[&reference], "build = [\"tool\"]", "");
    server.fault_on("/files/repo/info/refs", Fault::RedirectTo(other.file_url("repo/info/refs")));
    project.pinfold("lock").run().expect_code(4).expect_stderr(&server.file_url("repo"));
    assert!(other.requests().is_empty(), "the other host was asked");
    assert!(!project.home.has("pylock.toml"));
    server.heal();
    project.installed();
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
}

#[test]
fn a_login_for_a_repository_is_for_its_host_and_gets_into_no_file() {
    let repository = Repository::new();
    let served = || repository.served().login("me", "s3cr3t").start();
    let (server, other) = (served(), served());
    let reference = format!("tool @ git+{}@v1", server.file_url("repo"));
    let project = Project::with(Index::new().wheel("lib", "1.0"), &[&reference], "build = [\"tool\"]", "");
    project.pinfold("lock").run().expect_code(4).expect_stderr(&server.file_url("repo")).expect_stderr("netrc");
    let netrc = project.home.home().join(".netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login me password s3cr3t\n").unwrap();
    // A file that others may read is not used for a repository either.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&netrc, std::fs::Permissions::from_mode(0o644)).unwrap();
        project.pinfold("lock").run().expect_code(3).expect_stderr("error[exposed-secret]");
        std::fs::set_permissions(&netrc, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    // It does not follow a redirect.
    server.fault_on("/files/repo/info/refs", Fault::RedirectTo(other.file_url("repo/info/refs")));
    project.pinfold("lock").run().expect_code(4);
    assert!(other.requests().is_empty(), "the login went along");
    server.heal();
    project.installed();
    assert_eq!(project.python("import tool; print(tool.__version__)"), "1.0\n");
    let basic = "Basic bWU6czNjcjN0";
    assert!(server.requests().iter().any(|request| request.header("authorization") == Some(basic)));
    let files = files_below(project.home.path()).into_iter().filter(|(path, _)| path != "home/.netrc");
    for (path, bytes) in files {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("s3cr3t") && !text.contains(basic), "it is in {path}");
    }
}

#[test]
fn a_commit_that_was_never_on_the_branch() {
    let repository = Repository::new();
    let evil = pinfold_testkit::SdistRecipe::new("tool", "1.0").requires("lib").built_requires("lib");
    repository.git(&["checkout", "--quiet", "-b", "fork"]);
    let forked = repository.commit(&evil.file("src/tool/evil.py", ""), "evil");
    repository.git(&["checkout", "--quiet", "main"]);
    let project = repository.project("@main");
    // A lock that is right in itself, of another branch: what an attacker would propose.
    project.write_manifest(&[&repository.requirement("@fork")], "build = [\"tool\"]", "");
    let inputs = |lock: &str| lock.lines().find(|line| line.starts_with("inputs-sha256")).unwrap().to_owned();
    let of_fork = project.lock();
    assert!(of_fork.contains(&forked));
    project.write_manifest(&[&repository.requirement("@main")], "build = [\"tool\"]", "");
    let of_main = project.lock();
    let proposed = of_fork.replace("= \"fork\"", "= \"main\"").replace("@fork", "@main");
    project.home.write("pylock.toml", proposed.replace(&inputs(&of_fork), &inputs(&of_main)));
    project.pinfold("lock").arg("--check").run().expect_code(3).expect_refusal("foreign-commit").expect_stderr(&forked);
    // What was on the branch may stay locked while the branch goes on.
    project.home.write("pylock.toml", &of_main);
    repository.commit(&pinfold_testkit::SdistRecipe::new("tool", "2.0"), "two");
    project.pinfold("lock").arg("--check").run().expect_code(0);
}

#[cfg(unix)]
#[test]
fn a_login_from_netrc_is_for_the_host_of_the_url() {
    use std::os::unix::fs::PermissionsExt;
    let served = || Index::new().wheel("tool", "1.0").login("me", "s3cr3t").start();
    let (server, other, file) = (served(), served(), wheel("tool", "1.0"));
    let project = project(&server);
    project.pinfold("lock").run().expect_code(4).expect_stderr("netrc");
    project.home.write("../home/.netrc", "machine 127.0.0.1 login me password s3cr3t\n");
    let netrc = project.home.home().join(".netrc");
    std::fs::set_permissions(netrc, std::fs::Permissions::from_mode(0o600)).unwrap();
    server.fault_on(&format!("/files/{file}"), Fault::RedirectTo(other.file_url(&file)));
    refuses(&project, "lock", "foreign-redirect", &[&other.host()]);
    assert!(other.requests().is_empty(), "the login went along");
    server.heal();
    let lock = project.lock();
    assert!(!lock.contains("s3cr3t"), "{lock}");
    project.forget_cache();
    project.sync().expect_code(0);
}
