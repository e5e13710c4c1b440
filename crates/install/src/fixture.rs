//! A small world for tests: a store, a place for an environment, wheels from recipes, and a lock that names them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pinfold_artifact::{ArchivePath, SafeUrl, Sha256};
use pinfold_lock::{Accepted, Lock, LockedArchive, LockedFile, Package, Selection, Wanted, select};
use pinfold_packaging::PackageName;
use pinfold_store::{Store, StoredTree};
use pinfold_testkit::WheelRecipe;
use tempfile::TempDir;

use crate::exchange::{Method, Placed};
use crate::receipt::digest;
use crate::{
    Bytecode, Depth, Environment, InstallError, Intent, Interpreter, LinkMode, Plan, Receipt, ReceiptFiles, Relocation,
    Report, StageOptions, Staging, VerifyOptions, plan, stage, unpack_wheel, verify,
};

/// The world; it goes away when dropped.
pub(crate) struct World {
    home: TempDir,
    pub(crate) store: Store,
    pub(crate) environment: Environment,
    pub(crate) accepts: Vec<Accepted>,
    pub(crate) link_mode: LinkMode,
    pub(crate) bytecode: Bytecode,
    /// Where an install keeps what sources compile to.
    pub(crate) compiled: Option<PathBuf>,
    pub(crate) relocation: Relocation,
    /// What environments are made for.
    pub(crate) interpreter: Interpreter,
    /// How many former generations are kept.
    pub(crate) keep: usize,
    /// Whether packages are locked by URL, without an index.
    pub(crate) by_url: bool,
}

/// The interpreter of this machine, asked once.
pub(crate) fn interpreter() -> &'static Interpreter {
    static FOUND: OnceLock<Interpreter> = OnceLock::new();
    FOUND.get_or_init(|| Interpreter::find(&std::env::var_os("PATH").unwrap(), None).unwrap())
}

impl World {
    pub(crate) fn new() -> Self {
        Self::at(".venv")
    }

    /// Makes a world whose environment is at a path below its home.
    pub(crate) fn at(venv: &str) -> Self {
        let home = tempfile::Builder::new().prefix("pinfold-install-").tempdir().unwrap();
        let store = Store::open(&home.path().join("store")).unwrap();
        let venv = home.path().join(venv);
        std::fs::create_dir_all(venv.parent().unwrap()).unwrap();
        let environment = Environment::at(&venv).unwrap();
        Self {
            home,
            store,
            environment,
            accepts: Vec::new(),
            link_mode: LinkMode::Auto,
            bytecode: Bytecode::Leave,
            compiled: None,
            relocation: Relocation::Fixed,
            interpreter: interpreter().clone(),
            keep: StageOptions::KEEP,
            by_url: false,
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns a path inside the environment.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.environment.venv().join(inside)
    }

    /// Returns a path inside the environment's site directory.
    pub(crate) fn site(&self, inside: &str) -> PathBuf {
        self.path(&format!("{}/{inside}", interpreter().scheme.purelib))
    }

    pub(crate) fn lock(&self, wheels: &[WheelRecipe]) -> Lock {
        let mut packages: Vec<Package> = wheels.iter().map(|wheel| self.package(wheel)).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Lock {
            requires_python: None,
            environments: Vec::new(),
            extras: std::collections::BTreeSet::new(),
            dependency_groups: std::collections::BTreeSet::new(),
            default_groups: std::collections::BTreeSet::new(),
            created_by: "pinfold".to_owned(),
            packages,
            tool: None,
        }
    }

    fn package(&self, wheel: &WheelRecipe) -> Package {
        let bytes = wheel.build();
        let file = LockedFile {
            filename: wheel.filename().parse().unwrap(),
            url: format!("https://index.example/files/{}", wheel.filename()).parse().unwrap(),
            size_bytes: bytes.len() as u64,
            sha256: digest(&bytes),
            upload_time: None,
        };
        let index: SafeUrl = "https://index.example/simple/".parse().unwrap();
        Package {
            name: wheel.name().parse().unwrap(),
            version: Some(wheel.version().parse().unwrap()),
            marker: None,
            requires_python: None,
            index: (!self.by_url).then_some(index),
            dependencies: Vec::new(),
            wheels: if self.by_url { Vec::new() } else { vec![file.clone()] },
            sdist: None,
            archive: self.by_url.then_some(LockedArchive { file, path: None, subdirectory: None }),
            tree: None,
        }
    }

    pub(crate) fn selection(&self, wheels: &[WheelRecipe]) -> Selection {
        select(&self.lock(wheels), &interpreter().host().unwrap(), &Wanted::default()).unwrap()
    }

    pub(crate) fn unpack(&self, wheels: &[WheelRecipe]) -> Result<BTreeMap<PackageName, StoredTree>, InstallError> {
        let mut trees = BTreeMap::new();
        for selected in self.selection(wheels).packages {
            let wheel = wheels.iter().find(|wheel| wheel.name().parse() == Ok(selected.name.clone())).unwrap();
            let stored = self.store.admit(&selected.artifact, &mut &wheel.build()[..])?;
            let tree = unpack_wheel(&self.store, &stored, &selected, &self.accepts)?;
            trees.insert(selected.name, tree);
        }
        Ok(trees)
    }

    pub(crate) fn plan(&self, wheels: &[WheelRecipe]) -> Plan {
        let selection = self.selection(wheels);
        let lock_sha256 = self.lock_sha256(wheels);
        let receipt = self.environment.receipt().unwrap();
        plan(&self.intent(&selection, &lock_sha256, &Wanted::default()), receipt.as_ref())
    }

    pub(crate) fn intent<'a>(
        &'a self,
        selection: &'a Selection,
        lock_sha256: &'a Sha256,
        wanted: &'a Wanted,
    ) -> Intent<'a> {
        Intent {
            environment: &self.environment,
            interpreter: &self.interpreter,
            lock_sha256,
            selection,
            wanted,
            lock_as_of: None,
            relocation: self.relocation,
        }
    }

    pub(crate) fn lock_sha256(&self, wheels: &[WheelRecipe]) -> Sha256 {
        digest(self.lock(wheels).to_text().as_bytes())
    }

    /// Does what `sync` does with a lock of these wheels.
    pub(crate) fn install(&self, wheels: &[WheelRecipe]) -> Result<Receipt, InstallError> {
        let trees = self.unpack(wheels)?;
        self.install_trees(wheels, &trees)
    }

    /// Returns the trees as the store has them, whatever became of their files.
    pub(crate) fn trees(&self, wheels: &[WheelRecipe]) -> BTreeMap<PackageName, StoredTree> {
        let stored = |wheel: &WheelRecipe| self.store.tree(&digest(&wheel.build())).unwrap().unwrap();
        wheels.iter().map(|wheel| (wheel.name().parse().unwrap(), stored(wheel))).collect()
    }

    pub(crate) fn install_trees(
        &self,
        wheels: &[WheelRecipe],
        trees: &BTreeMap<PackageName, StoredTree>,
    ) -> Result<Receipt, InstallError> {
        self.exchange(wheels, trees, Method::Best)
    }

    /// As [`World::install`], exchanging by this method.
    pub(crate) fn install_by(&self, wheels: &[WheelRecipe], method: Method) -> Result<Receipt, InstallError> {
        self.exchange(wheels, &self.unpack(wheels)?, method)
    }

    fn exchange(
        &self,
        wheels: &[WheelRecipe],
        trees: &BTreeMap<PackageName, StoredTree>,
        method: Method,
    ) -> Result<Receipt, InstallError> {
        self.placed(wheels, trees, method).map(|placed| placed.receipt)
    }

    pub(crate) fn options(&self) -> StageOptions<'_> {
        StageOptions {
            link_mode: self.link_mode,
            bytecode: self.bytecode,
            compiled: self.compiled.as_deref(),
            installed_at: "2024-08-20T00:00:00Z",
            keep: self.keep,
            total: &|_| {},
            progress: &|_| {},
        }
    }

    pub(crate) fn placed(
        &self,
        wheels: &[WheelRecipe],
        trees: &BTreeMap<PackageName, StoredTree>,
        method: Method,
    ) -> Result<Placed, InstallError> {
        let (selection, lock_sha256) = (self.selection(wheels), self.lock_sha256(wheels));
        let wanted = Wanted::default();
        let guard = self.environment.lock()?;
        let options = self.options();
        stage(&guard, &self.intent(&selection, &lock_sha256, &wanted), trees, &options)?.exchange_by(method)
    }

    /// As [`World::install`], but distributions are placed one by one in this order first. `meddle` is given the directory of
    /// the new generation before that.
    pub(crate) fn install_ahead(
        &self,
        wheels: &[WheelRecipe],
        order: &[&str],
        meddle: impl FnOnce(&Path),
    ) -> Result<Receipt, InstallError> {
        let (selection, lock_sha256, trees) = (self.selection(wheels), self.lock_sha256(wheels), self.unpack(wheels)?);
        let wanted = Wanted::default();
        let guard = self.environment.lock()?;
        let options = self.options();
        let intent = self.intent(&selection, &lock_sha256, &wanted);
        let staging = Staging::begin(&guard, &intent, &options)?;
        meddle(&self.environment.staging().join("new-1"));
        for name in order {
            let selected = selection.packages.iter().find(|selected| selected.name.as_str() == *name).unwrap();
            staging.place_ahead(selected, &trees[&selected.name]);
        }
        staging.finish(&trees)?.exchange().map(|placed| placed.receipt)
    }

    /// Returns what is in the environment, with mode and digest; not its receipt, and nothing that names where it is.
    pub(crate) fn files(&self) -> Vec<String> {
        let (list, _) = ReceiptFiles::read(self.environment.venv()).unwrap().unwrap();
        let own =
            |path: &str| ["bin/", "pyvenv.cfg"].iter().any(|own| path.starts_with(own)) || path.ends_with("/RECORD");
        let shown = |file: crate::InstalledFile| {
            let path = self.path(file.path.as_str());
            let bytes = std::fs::read(&path).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            let digest = if own(file.path.as_str()) { String::new() } else { digest(&bytes).to_string() };
            format!("{} {mode:o} {:?} {digest}", file.path, file.owners)
        };
        list.files.into_iter().map(shown).collect()
    }

    pub(crate) fn verify(&self, wheels: &[WheelRecipe]) -> Report {
        self.verify_with(wheels, Some(&self.store))
    }

    pub(crate) fn verify_with(&self, wheels: &[WheelRecipe], store: Option<&Store>) -> Report {
        let compiled = self.home().join("compiled");
        let options = VerifyOptions { depth: Depth::Full, store, compiled: Some(&compiled), progress: &|_| {} };
        self.verify_as(wheels, &options).unwrap()
    }

    pub(crate) fn verify_as(
        &self,
        wheels: &[WheelRecipe],
        options: &VerifyOptions<'_>,
    ) -> Result<Report, InstallError> {
        verify(&self.environment, &self.lock(wheels), &self.lock_sha256(wheels), options)
    }

    /// Runs code with the environment's interpreter, with `site`, and returns what it prints.
    pub(crate) fn run(&self, code: &str) -> String {
        let output = std::process::Command::new(self.environment.python())
            .args(["-B", "-c", code])
            .env_clear()
            .current_dir(self.home())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the acceptance of a file of a wheel.
    pub(crate) fn acceptance(code: &str, package: &str, path: &str, bytes: &[u8]) -> Accepted {
        Accepted {
            code: code.to_owned(),
            package: package.parse().unwrap(),
            path: Some(path.parse::<ArchivePath>().unwrap()),
            sha256: digest(bytes),
            reason: "read".to_owned(),
        }
    }
}

/// Writes to a file that is read-only, as root or its owner can, without touching its links elsewhere.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}
