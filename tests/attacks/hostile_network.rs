//! What the environment says about the way to an index: a proxy sees a tunnel, and certificates that cannot be read end the run.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use pinfold_testkit::Index;

use crate::project::Project;

const SECRET: &str = "s3cr3t-of-the-proxy";

/// A proxy that says no, and what it was asked.
struct Proxy {
    address: String,
    heads: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    fn start() -> Self {
        Self::answering("403 Forbidden")
    }

    fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let (sender, heads) = channel();
        let thread = std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                if head.is_empty() {
                    return;
                }
                // Whoever asked has seen enough when it hangs up.
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
                let _ = sender.send(String::from_utf8_lossy(&head).into_owned());
            }
        });
        Self { address, heads, thread: Some(thread) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Ends the thread, which takes a connection without a request for the end.
        drop(TcpStream::connect(&self.address));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A project whose index is behind TLS on a host that does not exist.
fn far_away() -> Project {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace(&project.server.url(), "https://index.test/simple/"));
    project
}

#[test]
fn a_proxy_from_the_environment_sees_a_tunnel_and_its_login_stays_its_own() {
    let project = far_away();
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start();
        let run = project.pinfold("lock").arg("-v").env("PINFOLD_INDEX_MAIN_TOKEN", "t0ken");
        let run = run.env(name, format!("http://me:{SECRET}@{}", proxy.address)).run().expect_code(4);
        assert!(!format!("{run}").contains(SECRET), "{run}");
        for head in proxy.heads.try_iter() {
            assert!(head.starts_with("CONNECT index.test:443 "), "{name}: {head}");
            assert!(!head.contains("t0ken") && !head.contains("/simple"), "{name}: {head}");
        }
    }
    assert!(!project.home.has("pylock.toml"));
}

#[test]
fn hosts_that_no_proxy_names_are_reached_without_one() {
    let proxy = Proxy::start();
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let through = |run: pinfold_testkit::Pinfold<'_>| run.env("HTTP_PROXY", format!("http://{}", proxy.address)).run();
    through(project.pinfold("lock")).expect_code(4);
    assert!(proxy.heads.recv().is_ok_and(|head| head.starts_with("GET http://127.0.0.1:")));
    through(project.pinfold("lock").env("NO_PROXY", "index.test,127.0.0.1")).expect_code(0);
    through(project.pinfold("sync").env("no_proxy", "127.0.0.1")).expect_code(0);
    // With a port, at that port alone.
    let own = project.server.host();
    assert!(own.starts_with("127.0.0.1:"), "{own}");
    for (no_proxy, code) in [(own.as_str(), 0), ("127.0.0.1:1", 4)] {
        project.forget_cache();
        through(project.pinfold("lock").env("NO_PROXY", no_proxy)).expect_code(code);
    }
}

/// Whoever is behind the proxy was not asked, and is not to blame.
#[test]
fn a_proxy_that_fails_is_told_of_and_not_the_index() {
    let near = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let far = far_away();
    let (refusing, asking) = (Proxy::start(), Proxy::answering("407 Proxy Authentication Required"));
    for (project, variable, address, told, help) in [
        (&near, "HTTP_PROXY", "127.0.0.1:1", "cannot be reached: ", "see to it that the proxy runs"),
        (&far, "https_proxy", "127.0.0.1:1", "cannot be reached: ", "add it to `no_proxy`"),
        (&near, "all_proxy", asking.address.as_str(), "answers 407: it wants another login", "USER:PASSWORD@"),
        (&far, "ALL_PROXY", &asking.address, "answers 407: it wants another login", "USER:PASSWORD@"),
        (&far, "HTTPS_PROXY", &refusing.address, "refuses to open a tunnel", "whether it lets index.test through"),
    ] {
        let run = project.pinfold("lock").arg("-v").env(variable, format!("http://me:{SECRET}@{address}")).run();
        let run = run.expect_code(4).expect_stderr(&format!("the proxy {address} of `{variable}` {told}"));
        let run = run.expect_stderr("help: ").expect_stderr(help);
        assert!(!format!("{run}").contains(SECRET), "{run}");
    }
    assert!(near.server.requests().is_empty() && !near.home.has("pylock.toml"));
}

#[test]
fn git_is_asked_through_the_same_proxies() {
    let project = Project::with(Index::new(), &["a @ git+https://git.test/a@main"], "build = [\"a\"]", "");
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start();
        let run =
            project.pinfold("lock").env(name, format!("http://me:{SECRET}@{}", proxy.address)).run().expect_code(4);
        assert!(!format!("{run}").contains(SECRET), "{run}");
        let heads: Vec<String> = proxy.heads.try_iter().collect();
        assert!(
            !heads.is_empty() && heads.iter().all(|head| head.starts_with("CONNECT git.test:443 ")),
            "{name}: {heads:?}"
        );
    }
}

/// Without the refusal the index would be asked without any proxy.
#[test]
fn a_proxy_that_is_none_ends_the_command() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    for (name, value, shown) in [
        ("HTTP_PROXY", "http://me:{}", "http://me:…"),
        ("http_proxy", "not a proxy", "not a proxy"),
        ("all_proxy", "socks5://me:{}@127.0.0.1:1", "socks5://…@127.0.0.1:1"),
        ("ALL_PROXY", "ftp://{}@127.0.0.1:1/{}", "ftp://…@127.0.0.1:1/…"),
        ("HTTPS_PROXY", "http://127.0.0.1:port", "http://127.0.0.1:…"),
    ] {
        let run = project.pinfold("lock").arg("-v").env(name, value.replace("{}", SECRET)).run().expect_code(2);
        assert!(!format!("{run}").contains(SECRET), "{run}");
        let run = run.expect_stderr(&format!("error: `{name}` names a proxy that cannot be used")).expect_stderr(shown);
        run.expect_stderr("http://HOST:PORT").expect_stderr("help: ");
    }
    assert!(project.server.requests().is_empty() && !project.home.has("pylock.toml"));
    project.pinfold("lock").env("HTTP_PROXY", "").run().expect_code(0);
}

#[test]
fn certificates_that_cannot_be_read_end_the_command() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    project.lock();
    project.home.write("empty.pem", "");
    std::fs::create_dir(project.home.project().join("empty")).expect("can make a directory");
    for (variable, value) in [
        ("SSL_CERT_FILE", "empty.pem"),
        ("SSL_CERT_FILE", "missing.pem"),
        ("SSL_CERT_DIR", "empty"),
        ("SSL_CERT_DIR", "missing"),
    ] {
        for verb in ["lock", "sync"] {
            let run = project.pinfold(verb).env(variable, value).run().expect_code(4);
            run.expect_stderr(variable).expect_stderr(&format!("from {value}: "));
        }
    }
    project.sync().expect_code(0);
    // The control: one of several directories that has some.
    let authority = include_str!("../../crates/fetch/src/tests/certificates/authority.pem");
    std::fs::create_dir(project.home.project().join("trusted")).expect("can make a directory");
    project.home.write("trusted/authority.pem", authority);
    let directories = std::env::join_paths(["missing", "trusted"]).expect("the names have no separator");
    project.forget_cache();
    project.pinfold("lock").env("SSL_CERT_DIR", directories).run().expect_code(0);
}

/// An empty value is what a script gives that takes a variable away. Without this, whoever reads the system's certificates would
/// look for a file without a name, and find none.
#[test]
fn empty_names_of_certificates_are_none() {
    let project = Project::new(Index::new().wheel("a", "1.0"), &["a"]);
    let manifest = project.home.read("pinfold.toml");
    project.home.write("pinfold.toml", manifest.replace(&project.server.url(), "https://127.0.0.1:1/simple/"));
    let unset = project.pinfold("lock").run().expect_code(4).stderr;
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        assert_eq!(project.pinfold("lock").env(variable, "").run().expect_code(4).stderr, unset, "{variable}");
    }
}
