//! The door to the network against servers that lie, break and lure; each beside the case that must work.

mod downloads;
mod local_files;
mod pages;
mod parts;
mod pieces;
mod proxies;
mod redirects;
mod scripted;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use pinfold_artifact::{Origin, SafeUrl};
use pinfold_store::Store;
use pinfold_testkit::{Index, Server};

use crate::{Connectivity, FetchError, FetchSettings, Fetcher, Freshness, Page, PageReply, Timing};

/// A directory for cache and store, and what was set up for a fetcher there.
struct Bench {
    directory: tempfile::TempDir,
    settings: FetchSettings,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = FetchSettings::new(directory.path().join("cache"), Connectivity::Online);
        settings.timing = Timing {
            connect: Duration::from_secs(20),
            stall: Duration::from_secs(20),
            deadline_floor: Duration::from_secs(60),
            back_off: Duration::ZERO,
            longest_pause: Duration::ZERO,
            ..Timing::usual()
        };
        Self { directory, settings }
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher::new(self.settings.clone()).unwrap()
    }

    fn offline(&self) -> Fetcher {
        Fetcher::new(FetchSettings { connectivity: Connectivity::Offline, ..self.settings.clone() }).unwrap()
    }

    fn store(&self) -> Store {
        Store::open(&self.directory.path().join("store")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Files that an interrupted or refused download left in the store.
fn leftovers(store: &Store) -> usize {
    let count = |name: &str| std::fs::read_dir(store.root().join(name)).unwrap().count();
    count("partial") + count("quarantine") + count("staging")
}

fn url(text: &str) -> SafeUrl {
    text.parse().unwrap()
}

fn origin_of(text: &str) -> Origin {
    Origin::new(&url(text), [])
}

/// Returns what went wrong in one line: the cause's name, the attempts, and the code of a refusal.
fn summary(error: &FetchError) -> String {
    let cause = format!("{:?}", error.cause);
    let mut name = cause.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    if name == "Store" {
        name =
            cause.trim_start_matches("Store(").split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    }
    match error.refusal_code() {
        Some(code) => format!("{name} x{} [{code}]", error.attempts),
        None => format!("{name} x{}", error.attempts),
    }
}

fn found(reply: Result<PageReply, FetchError>) -> Page {
    match reply.unwrap() {
        PageReply::Found(page) => page,
        PageReply::Absent => panic!("the page is absent"),
    }
}

fn page(fetcher: &Fetcher, server: &Server, freshness: Freshness) -> Result<PageReply, FetchError> {
    fetcher.page(&server.origin(), &url(&server.page_url("a")), freshness)
}

/// An index with one file of a megabyte.
fn with_file() -> Index {
    Index::new().file("a", FILE, contents())
}

const FILE: &str = "a-1.0-py3-none-any.whl";

fn contents() -> Vec<u8> {
    (0..1_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}
