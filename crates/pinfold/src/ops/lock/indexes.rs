//! Which index a name belongs to, and which hosts may serve its files: decided before the first request.
//!
//! The map is total and exclusive. A name that no index is routed for belongs to the default index; a routed name belongs to
//! its index and to no other, whatever that index answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use pinfold_artifact::{FileHost, Origin, SafeUrl};
use pinfold_lock::{Lock, LockedIndex};
use pinfold_manifest::{IndexEntry, IndexLocation, Routes, UploadTime};
use pinfold_packaging::{PackageName, Releases};

use super::first_seen::FirstSeen;
use crate::exit::{Exit, Failure};

/// One index of the manifest, with its URL known.
#[derive(Debug, Clone)]
pub(super) struct Index {
    /// The maintainer's name for it.
    pub(super) name: String,
    /// Its URL, in directory form.
    pub(super) url: SafeUrl,
    /// Hosts that may serve its files; none while nobody has decided yet.
    pub(super) file_hosts: Option<BTreeSet<FileHost>>,
    /// Whether plain `http` to another machine was asked for.
    pub(super) insecure: bool,
    /// What counts as the upload time of a file of which the index tells none.
    pub(super) upload_time: UploadTime,
    /// Whether the hosts are the manifest's word. Those that an earlier lock remembers narrow, and are not written again.
    has_given_hosts: bool,
    /// What the page that came last names, and the origin of its files: most pages of an index name one host.
    last_origin: Arc<Mutex<Option<KnownOrigin>>>,
}

/// The hosts that a page names, and the origin of its files.
type KnownOrigin = (BTreeSet<SafeUrl>, Origin);

/// The indexes of one lock.
#[derive(Debug, Clone)]
pub(super) struct Indexes {
    routes: Routes,
    known: Vec<Index>,
    first_seen: Option<Arc<FirstSeen>>,
}

impl Indexes {
    /// Takes the indexes of a manifest; `pip` is the URL that pip is set up with.
    ///
    /// # Errors
    /// Exit 2 unless every project belongs to exactly one index, over https or on this machine (IX26).
    pub(super) fn new(entries: &[IndexEntry], pip: Option<&SafeUrl>) -> Result<Self, Failure> {
        let mut entries = entries.to_vec();
        let mut known = Vec::new();
        for entry in &mut entries {
            let url = match (&entry.location, pip) {
                (IndexLocation::Url(url), _) => url.as_directory(),
                (IndexLocation::Pip, Some(url)) => url.as_directory(),
                (IndexLocation::Pip, None) => return Err(Failure::new(Exit::Bug, "nobody asked pip for its index")),
            };
            entry.location = IndexLocation::Url(url.clone());
            known.push(Index {
                name: entry.name.clone(),
                url,
                file_hosts: entry.file_hosts.clone(),
                insecure: entry.insecure,
                upload_time: entry.upload_time,
                has_given_hosts: entry.file_hosts.is_some(),
                last_origin: Arc::default(),
            });
        }
        let routes = Routes::new(&entries).map_err(|e| {
            Failure::of(Exit::Input, &e)
                .help("an index is a decision: write it into the manifest as `[[index]]`, or give --index-url")
        })?;
        Ok(Self { routes, known, first_seen: None })
    }

    /// Lets the hosts that an earlier lock recorded stand for those that the manifest leaves open.
    pub(super) fn remember_hosts(&mut self, previous: &Lock) {
        let locked = previous.tool.iter().flat_map(|tool| &tool.indexes);
        for before in locked {
            let same = self.known.iter_mut().find(|index| index.url == before.url.as_directory());
            if let Some(index) = same.filter(|index| index.file_hosts.is_none()) {
                index.file_hosts = Some(before.file_hosts.clone());
            }
        }
    }

    /// Lets a moment stand for the upload times that an index does not tell, where the manifest says so.
    pub(super) fn remember_moments(&mut self, first_seen: FirstSeen) {
        let is_wanted = self.known.iter().any(|index| index.upload_time == UploadTime::FirstSeen);
        self.first_seen = is_wanted.then(|| Arc::new(first_seen));
    }

    /// Returns the memory of files without an upload time, if an index has one.
    pub(super) const fn first_seen(&self) -> Option<&Arc<FirstSeen>> {
        self.first_seen.as_ref()
    }

    /// Returns a project's page as the resolver is to see it.
    pub(super) fn stamped(&self, name: &PackageName, page: Releases) -> Releases {
        let is_wanted = self.of(name).is_ok_and(|index| index.upload_time == UploadTime::FirstSeen);
        match &self.first_seen {
            Some(first_seen) if is_wanted => first_seen.stamp(name, &page),
            _ => page,
        }
    }

    /// Returns the index that a project belongs to.
    ///
    /// # Errors
    /// Exit 70: the routes are total.
    pub(super) fn of(&self, name: &PackageName) -> Result<&Index, Failure> {
        let routed = &self.routes.index_of(name).name;
        let index = self.known.iter().find(|index| index.name == *routed);
        index.ok_or_else(|| Failure::new(Exit::Bug, format!("no index is known under the name `{routed}`")))
    }

    /// Returns true if the maintainer wrote down which index a project belongs to.
    pub(super) fn is_routed(&self, name: &PackageName) -> bool {
        self.routes.is_routed(name)
    }

    /// Returns the projects that the maintainer gave to an index, sorted.
    pub(super) fn routed_to(&self, index: &Index) -> impl Iterator<Item = &PackageName> {
        let entries = self.routes.indexes().iter().filter(|entry| entry.name == index.name);
        entries.flat_map(|entry| &entry.packages)
    }

    /// Returns every project that the maintainer gave to an index, with the name of the index.
    pub(super) fn routed(&self) -> impl Iterator<Item = (&PackageName, &str)> {
        let entries = self.routes.indexes().iter();
        entries.flat_map(|entry| entry.packages.iter().map(|name| (name, entry.name.as_str())))
    }

    /// Returns the name of the index that unrouted projects belong to.
    pub(super) fn default_name(&self) -> &str {
        &self.routes.default_index().name
    }

    /// Returns all indexes.
    pub(super) fn all(&self) -> &[Index] {
        &self.known
    }

    /// Returns what the lock says about the indexes: with the hosts that serve locked files, where none were given.
    pub(super) fn locked(&self, files: &BTreeMap<SafeUrl, BTreeSet<FileHost>>) -> Vec<LockedIndex> {
        let used = self.known.iter().filter(|index| files.contains_key(&index.url));
        used.map(|index| {
            let given = index.file_hosts.clone().filter(|_| index.has_given_hosts);
            let mut file_hosts = given.unwrap_or_else(|| files[&index.url].clone());
            file_hosts.retain(|host| Some(host) != index.url.file_host().as_ref());
            LockedIndex { name: index.name.clone(), url: index.url.clone(), file_hosts, insecure: index.insecure }
        })
        .collect()
    }
}

impl Index {
    /// Returns where the page of a project is (PEP 503).
    pub(super) fn page_url(&self, name: &PackageName) -> Result<SafeUrl, Failure> {
        self.url.join(&format!("{name}/")).map_err(|e| Failure::of(Exit::Input, &e).with("index", &self.url))
    }

    /// Returns the origin of the index itself.
    pub(super) fn origin(&self) -> Origin {
        Origin::new(&self.url, self.file_hosts.clone().unwrap_or_default())
    }

    /// Returns the origin of the files of one page. While nobody has decided which hosts may serve files, those that the
    /// page names are allowed: over https only, unless the index itself is not.
    pub(super) fn origin_for(&self, page: &Releases) -> Origin {
        if self.file_hosts.is_some() {
            return self.origin();
        }
        let hosts = page.hosts();
        let mut last = self.last_origin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, origin)) = last.as_ref().filter(|(same, _)| *same == hosts) {
            return origin.clone();
        }
        let named = hosts.iter().filter(|url| url.scheme() == "https" || url.scheme() == self.url.scheme());
        let named: BTreeSet<FileHost> = named.filter_map(SafeUrl::file_host).collect();
        let origin = Origin::new(&self.url, named);
        *last = Some((hosts, origin.clone()));
        origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, url: &str, packages: &[&str]) -> IndexEntry {
        let mut entry = IndexEntry::default_at(name.to_owned(), IndexLocation::Url(url.parse().unwrap()));
        entry.default = packages.is_empty();
        entry.packages = packages.iter().map(|name| name.parse().unwrap()).collect();
        entry
    }

    #[test]
    fn a_routed_name_belongs_to_its_index_alone() {
        let entries = [entry("main", "https://a.example/simple", &[]), entry("torch", "https://b.example", &["torch"])];
        let indexes = Indexes::new(&entries, None).unwrap();
        let torch: PackageName = "Torch".parse().unwrap();
        assert_eq!(indexes.of(&torch).unwrap().page_url(&torch).unwrap().as_str(), "https://b.example/torch/");
        assert_eq!(indexes.of(&"torch-vision".parse().unwrap()).unwrap().name, "main");
    }

    #[test]
    fn plain_http_to_another_machine_is_refused() {
        let failure = Indexes::new(&[entry("main", "http://a.example/simple", &[])], None).unwrap_err();
        assert_eq!(failure.exit, Exit::Input);
        assert!(Indexes::new(&[entry("main", "http://127.0.0.1:1/simple", &[])], None).is_ok());
    }
}
