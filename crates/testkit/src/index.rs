//! An index from a recipe: projects, their files, and what is wrong with them.
//!
//! Calls read in order: [`Index::wheel`], [`Index::sdist`], [`Index::file`] and [`Index::project`] begin a subject, and what
//! follows is said about it. [`Index::start`] then serves it all on 127.0.0.1.

use std::collections::BTreeMap;
use std::path::Path;

use crate::digest::sha256_hex;
use crate::fault::Fault;
use crate::page::{HTML, JSON, Page, Row};
use crate::sdist::SdistRecipe;
use crate::server::{Resource, Server, Variant};
use crate::wheel::{WheelRecipe, normalised};

/// In which formats an index serves its pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageFormats {
    /// The one that the client prefers; JSON where it takes both.
    #[default]
    Both,
    /// HTML, whatever the client accepts.
    Html,
    /// JSON, whatever the client accepts.
    Json,
}

/// An index that is not served yet.
#[derive(Clone, Debug, Default)]
pub struct Index {
    projects: BTreeMap<String, Project>,
    entries: Vec<Entry>,
    subject: Subject,
    page_name: Option<String>,
    formats: PageFormats,
    sidecars: bool,
    absolute: bool,
    pub(crate) own_file_origin: bool,
    pub(crate) serving: Serving,
}

/// How a server behaves as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serving {
    pub(crate) no_ranges: bool,
    pub(crate) no_validators: bool,
    pub(crate) shuffle: Option<u64>,
    pub(crate) login: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Subject {
    Entry(usize),
    #[default]
    Nothing,
    Page,
}

#[derive(Clone, Debug, Default)]
struct Project {
    api_version: Option<String>,
    status: Option<(String, Option<String>)>,
    last_serial: Option<u64>,
    raw: Option<(String, Vec<u8>)>,
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Entry {
    project: String,
    kind: Kind,
    filename: Option<String>,
    bytes: Option<Vec<u8>>,
    sidecar: Option<Vec<u8>>,
    metadata_on_page: Option<Vec<u8>>,
    sidecar_faults: Vec<Fault>,
    requires_python: Option<String>,
    uploaded: Option<String>,
    yanked: Option<String>,
    provenance: Option<String>,
    link: Option<String>,
    has_size: bool,
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
enum Kind {
    Raw,
    Sdist(SdistRecipe),
    Wheel(WheelRecipe),
}

impl Index {
    /// Makes an empty index: pages in both formats, ranges and validators, no sidecars, every file with size and SHA-256.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a wheel for every Python.
    pub fn wheel(self, name: &str, version: &str) -> Self {
        self.wheel_from(WheelRecipe::new(name, version))
    }

    /// Begins a wheel from a recipe.
    pub fn wheel_from(self, recipe: WheelRecipe) -> Self {
        let name = recipe.name().to_owned();
        self.entry(&name, Kind::Wheel(recipe))
    }

    /// Begins an sdist.
    pub fn sdist(self, name: &str, version: &str) -> Self {
        self.sdist_from(SdistRecipe::new(name, version))
    }

    /// Begins an sdist from a recipe.
    pub fn sdist_from(self, recipe: SdistRecipe) -> Self {
        let name = recipe.name().to_owned();
        self.entry(&name, Kind::Sdist(recipe))
    }

    /// Begins a file whose bytes are given: a hostile archive, or one under a hostile name.
    pub fn file(self, project: &str, filename: &str, bytes: impl AsRef<[u8]>) -> Self {
        let mut index = self.entry(project, Kind::Raw);
        let entry = index.last("file");
        entry.filename = Some(filename.to_owned());
        entry.bytes = Some(bytes.as_ref().to_vec());
        index
    }

    /// Begins a project's page; without files it is an empty page, not a missing one.
    pub fn project(mut self, name: &str) -> Self {
        let name = normalised(name);
        self.projects.entry(name.clone()).or_default();
        self.subject = Subject::Page;
        self.page_name = Some(name);
        self
    }

    /// Says what goes wrong with the wheel, sdist, file or page begun last. Faults add up.
    pub fn fault(mut self, fault: Fault) -> Self {
        match self.subject {
            Subject::Entry(position) => self.entries[position].faults.push(fault),
            Subject::Page => self.page().faults.push(fault),
            Subject::Nothing => panic!("begin a wheel, sdist, file or project before its fault"),
        }
        self
    }

    /// Adds a requirement to the wheel or sdist.
    pub fn requires(self, requirement: &str) -> Self {
        self.map(|wheel| wheel.requires(requirement), |sdist| sdist.requires(requirement))
    }

    /// Adds an extra with a requirement to the wheel.
    pub fn extra(self, extra: &str, requirement: &str) -> Self {
        self.map_wheel(|wheel| wheel.extra(extra, requirement))
    }

    /// Sets the wheel's tags.
    pub fn tag(self, tag: &str) -> Self {
        self.map_wheel(|wheel| wheel.tag(tag))
    }

    /// Adds a file to the wheel.
    pub fn module(self, path: &str, contents: &str) -> Self {
        self.map_wheel(|wheel| wheel.file(path, contents))
    }

    /// Adds a console script to the wheel.
    pub fn console_script(self, name: &str, target: &str) -> Self {
        self.map_wheel(|wheel| wheel.console_script(name, target))
    }

    /// Adds a file of a `.data` scheme to the wheel.
    pub fn data(self, scheme: &str, path: &str, contents: &str) -> Self {
        self.map_wheel(|wheel| wheel.data(scheme, path, contents))
    }

    /// Sets which Pythons the file is for, in its metadata and on the page.
    pub fn requires_python(self, specifiers: &str) -> Self {
        let mut index = self.map(|wheel| wheel.requires_python(specifiers), |sdist| sdist.requires_python(specifiers));
        index.last("requires_python").requires_python = Some(specifiers.to_owned());
        index
    }

    /// Sets which Pythons the file is for, on the page only.
    pub fn page_requires_python(mut self, specifiers: &str) -> Self {
        self.last("page_requires_python").requires_python = Some(specifiers.to_owned());
        self
    }

    /// Sets when the file was uploaded: `2024-08-20T00:00:00Z`. JSON pages show it.
    pub fn uploaded(mut self, time: &str) -> Self {
        self.last("uploaded").uploaded = Some(time.to_owned());
        self
    }

    /// Yanks the file; the reason may be empty.
    pub fn yanked(mut self, reason: &str) -> Self {
        self.last("yanked").yanked = Some(reason.to_owned());
        self
    }

    /// Names a provenance document for the file.
    pub fn provenance(mut self, url: &str) -> Self {
        self.last("provenance").provenance = Some(url.to_owned());
        self
    }

    /// Lists the file under this URL, wherever it leads.
    pub fn link(mut self, url: &str) -> Self {
        self.last("link").link = Some(url.to_owned());
        self
    }

    /// Lists the file under another name; it is served under it too.
    pub fn named(mut self, filename: &str) -> Self {
        self.last("named").filename = Some(filename.to_owned());
        self
    }

    /// Says nothing about the file's size.
    pub fn without_size(mut self) -> Self {
        self.last("without_size").has_size = false;
        self
    }

    /// Replaces the sidecar's bytes; the digest on the page stays that of the true METADATA.
    pub fn sidecar(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.last("sidecar").sidecar = Some(bytes.as_ref().to_vec());
        self
    }

    /// Puts the digest of these bytes on the page as that of the METADATA.
    pub fn metadata_on_page(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.last("metadata_on_page").metadata_on_page = Some(bytes.as_ref().to_vec());
        self
    }

    /// Says what goes wrong with the file's sidecar.
    pub fn sidecar_fault(mut self, fault: Fault) -> Self {
        self.last("sidecar_fault").sidecar_faults.push(fault);
        self
    }

    /// Sets the project's status (PEP 792): `archived`, `deprecated`, `quarantined`.
    pub fn status(mut self, status: &str, reason: Option<&str>) -> Self {
        self.page().status = Some((status.to_owned(), reason.map(str::to_owned)));
        self
    }

    /// Sets the page's serial number.
    pub fn last_serial(mut self, serial: u64) -> Self {
        self.page().last_serial = Some(serial);
        self
    }

    /// Sets the version of the protocol that the page claims.
    pub fn api_version(mut self, version: &str) -> Self {
        self.page().api_version = Some(version.to_owned());
        self
    }

    /// Replaces the page as a whole.
    pub fn raw_page(mut self, content_type: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.page().raw = Some((content_type.to_owned(), bytes.as_ref().to_vec()));
        self
    }

    /// Sets the formats of the pages.
    pub fn formats(mut self, formats: PageFormats) -> Self {
        self.formats = formats;
        self
    }

    /// Serves METADATA beside each wheel (PEP 658), with its digest on the page.
    pub fn sidecars(mut self) -> Self {
        self.sidecars = true;
        self
    }

    /// Writes absolute file URLs on the pages.
    pub fn absolute_urls(mut self) -> Self {
        self.absolute = true;
        self
    }

    /// Serves the files from an origin of their own, a second port; the pages lead there.
    pub fn files_elsewhere(mut self) -> Self {
        self.own_file_origin = true;
        self.absolute = true;
        self
    }

    /// Ignores `Range` everywhere.
    pub fn without_ranges(mut self) -> Self {
        self.serving.no_ranges = true;
        self
    }

    /// Sends no `ETag`.
    pub fn without_validators(mut self) -> Self {
        self.serving.no_validators = true;
        self
    }

    /// Holds answers back for some milliseconds each, in an order that depends on this number.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.serving.shuffle = Some(seed);
        self
    }

    /// Asks for a user name and a password (Basic); 401 without them.
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.serving.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Serves the index on 127.0.0.1 until the [`Server`] is dropped.
    pub fn start(self) -> Server {
        Server::start(self)
    }

    /// Writes the index into a directory: `simple/NAME/index.html`, `simple/NAME/index.json` and `files/`.
    ///
    /// Faults of the transport have no meaning there and are left out.
    pub fn write_to(&self, directory: &Path) {
        for ((_, path), resource) in self.resources("../../files/") {
            for variant in &resource.variants {
                let name = match (path.ends_with('/'), variant.content_type == JSON) {
                    (true, true) => format!("{path}index.json"),
                    (true, false) => format!("{path}index.html"),
                    (false, _) => path.clone(),
                };
                let file = directory.join(name.trim_start_matches('/'));
                std::fs::create_dir_all(file.parent().expect("every path has a directory"))
                    .expect("can make directories");
                std::fs::write(file, &variant.bytes).expect("can write an index");
            }
        }
    }

    /// Returns what is served, by listener (0: pages, 1: files) and path.
    pub(crate) fn resources(&self, file_prefix: &str) -> BTreeMap<(usize, String), Resource> {
        let mut resources = BTreeMap::new();
        let listener = usize::from(self.own_file_origin);
        let mut pages: BTreeMap<String, Page> = BTreeMap::new();
        for (name, project) in &self.projects {
            let api_version = project.api_version.clone().unwrap_or_else(|| "1.1".to_owned());
            let (status, last_serial) = (project.status.clone(), project.last_serial);
            pages.insert(name.clone(), Page { name: name.clone(), api_version, status, last_serial, rows: Vec::new() });
        }
        for entry in &self.entries {
            let (filename, bytes) = (entry.filename(), entry.bytes());
            let page = pages.get_mut(&normalised(&entry.project)).expect("every entry has a project");
            page.rows.push(entry.row(&filename, &bytes, file_prefix, self.sidecars));
            if let (Some(sidecar), true) = (entry.sidecar(), self.sidecars) {
                let variant = Variant { content_type: "application/octet-stream".to_owned(), bytes: sidecar };
                let path = format!("/files/{filename}.metadata");
                resources.insert((listener, path), Resource::new(vec![variant], entry.sidecar_faults.clone()));
            }
            let variant = Variant { content_type: "application/octet-stream".to_owned(), bytes };
            let path = format!("/files/{filename}");
            resources.insert((listener, path), Resource::new(vec![variant], entry.faults.clone()));
        }
        for (name, page) in pages {
            let project = &self.projects[&name];
            let resource = Resource::new(self.variants(project, &page), project.faults.clone());
            resources.insert((0, format!("/simple/{name}/")), resource);
        }
        resources
    }

    fn variants(&self, project: &Project, page: &Page) -> Vec<Variant> {
        if let Some((content_type, bytes)) = &project.raw {
            return vec![Variant { content_type: content_type.clone(), bytes: bytes.clone() }];
        }
        let json = || Variant { content_type: JSON.to_owned(), bytes: page.json() };
        let html = || Variant { content_type: HTML.to_owned(), bytes: page.html() };
        match self.formats {
            PageFormats::Both => vec![json(), html()],
            PageFormats::Html => vec![html()],
            PageFormats::Json => vec![json()],
        }
    }

    pub(crate) fn has_absolute_urls(&self) -> bool {
        self.absolute
    }

    fn entry(mut self, project: &str, kind: Kind) -> Self {
        self.projects.entry(normalised(project)).or_default();
        self.page_name = Some(normalised(project));
        self.subject = Subject::Entry(self.entries.len());
        self.entries.push(Entry::new(project, kind));
        self
    }

    fn last(&mut self, what: &str) -> &mut Entry {
        let Subject::Entry(position) = self.subject else { panic!("begin a wheel, sdist or file before `{what}`") };
        &mut self.entries[position]
    }

    fn page(&mut self) -> &mut Project {
        let name = self.page_name.clone().expect("begin a project before what is said about its page");
        self.projects.entry(name).or_default()
    }

    fn map(
        mut self,
        wheel: impl FnOnce(WheelRecipe) -> WheelRecipe,
        sdist: impl FnOnce(SdistRecipe) -> SdistRecipe,
    ) -> Self {
        let entry = self.last("what is in a file");
        entry.kind = match entry.kind.clone() {
            Kind::Raw => panic!("the bytes of this file are given, so its contents cannot be described"),
            Kind::Sdist(recipe) => Kind::Sdist(sdist(recipe)),
            Kind::Wheel(recipe) => Kind::Wheel(wheel(recipe)),
        };
        self
    }

    fn map_wheel(self, wheel: impl FnOnce(WheelRecipe) -> WheelRecipe) -> Self {
        self.map(wheel, |_| panic!("only a wheel has this"))
    }
}

impl Entry {
    fn new(project: &str, kind: Kind) -> Self {
        Self {
            project: project.to_owned(),
            kind,
            filename: None,
            bytes: None,
            sidecar: None,
            metadata_on_page: None,
            sidecar_faults: Vec::new(),
            requires_python: None,
            uploaded: None,
            yanked: None,
            provenance: None,
            link: None,
            has_size: true,
            faults: Vec::new(),
        }
    }

    fn filename(&self) -> String {
        if let Some(filename) = &self.filename {
            return filename.clone();
        }
        match &self.kind {
            Kind::Raw => unreachable!("a raw file is named when it is made"),
            Kind::Sdist(recipe) => recipe.filename(),
            Kind::Wheel(recipe) => recipe.filename(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(bytes) = &self.bytes {
            return bytes.clone();
        }
        match &self.kind {
            Kind::Raw => unreachable!("a raw file gets its bytes when it is made"),
            Kind::Sdist(recipe) => recipe.build(),
            Kind::Wheel(recipe) => recipe.build(),
        }
    }

    /// Returns METADATA as it is in the file.
    fn true_metadata(&self) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Wheel(recipe) => Some(recipe.metadata().into_bytes()),
            Kind::Raw | Kind::Sdist(_) => None,
        }
    }

    fn sidecar(&self) -> Option<Vec<u8>> {
        self.sidecar.clone().or_else(|| self.true_metadata())
    }

    fn row(&self, filename: &str, bytes: &[u8], file_prefix: &str, sidecars: bool) -> Row {
        let mut hashes = vec![("sha256".to_owned(), sha256_hex(bytes))];
        let mut size_bytes = self.has_size.then_some(bytes.len() as i64);
        for fault in &self.faults {
            match fault {
                // The digits are made up: pinfold may not look at them.
                Fault::Md5Only => hashes = vec![("md5".to_owned(), sha256_hex(bytes)[..32].to_owned())],
                Fault::NoHash => hashes.clear(),
                Fault::WrongHash => hashes = vec![("sha256".to_owned(), sha256_hex(b"something else"))],
                Fault::WrongSize(lie) => size_bytes = size_bytes.map(|size| size + lie),
                _ => {}
            }
        }
        let metadata = self.metadata_on_page.clone().or_else(|| self.true_metadata()).or_else(|| self.sidecar.clone());
        Row {
            filename: filename.to_owned(),
            url: self.link.clone().unwrap_or_else(|| format!("{file_prefix}{filename}")),
            hashes,
            size_bytes,
            uploaded: self.uploaded.clone(),
            requires_python: self.requires_python.clone(),
            yanked: self.yanked.clone(),
            core_metadata: metadata.filter(|_| sidecars).map(|metadata| Some(sha256_hex(&metadata))),
            provenance: self.provenance.clone(),
            version: match &self.kind {
                Kind::Raw => None,
                Kind::Sdist(recipe) => Some(recipe.version().to_owned()),
                Kind::Wheel(recipe) => Some(recipe.version().to_owned()),
            },
        }
    }
}
