//! Builds with a backend inside the sdist: what a hook may know and leave, and what is made of it.

use pinfold_artifact::{Artifact, Origin, SafeUrl};
use pinfold_sandbox::SandboxError;
use pinfold_store::Store;
use pinfold_testkit::{Python, SdistRecipe, TempHome, WheelRecipe, sha256};

use super::*;
use crate::requirements;

/// A store, a workbench and a place for the wheel, all in one temporary home.
struct Shop {
    home: TempHome,
    store: Store,
    bench: Workbench,
}

impl Shop {
    fn new() -> Self {
        let home = TempHome::new();
        let store = Store::open(&home.cache()).unwrap();
        for directory in ["scratch", "wheels"] {
            fs::create_dir(home.path().join(directory)).unwrap();
        }
        let search_path = std::env::var_os("PATH").unwrap_or_default();
        let bench = Workbench::new(&Python::found().path, &home.path().join("scratch"), &search_path);
        Self { home, store, bench }
    }

    /// A shop whose interpreter finds a backend among its own packages, as it finds a locked one.
    #[cfg(unix)]
    fn with_installed(code: &str) -> Self {
        let mut shop = Self::new();
        let (python, environment) = (Python::found(), shop.home.path().join("environment"));
        let packages = environment.join(format!("lib/python{}/site-packages", python.minor));
        fs::create_dir_all(&packages).unwrap();
        fs::create_dir(environment.join("bin")).unwrap();
        let home = python.path.parent().unwrap();
        fs::write(environment.join("pyvenv.cfg"), format!("home = {}\n", home.display())).unwrap();
        fs::write(packages.join("installed_backend.py"), code).unwrap();
        shop.bench.environment_python = environment.join("bin/python");
        std::os::unix::fs::symlink(&python.path, &shop.bench.environment_python).unwrap();
        shop
    }

    /// What a backend of [`Shop::with_installed`] says of the usual sdist.
    #[cfg(unix)]
    fn learn(&self) -> Result<Learned, BuildError> {
        let pyproject = "[build-system]\nrequires = []\nbuild-backend = 'installed_backend'\n";
        let sdist = self.sdist(&SdistRecipe::new("a", "1.0").pyproject(pyproject));
        learn(&sdist, &requirements(&sdist, None)?, &self.bench, &expected(None))
    }

    fn store(&self, filename: &str, bytes: &[u8]) -> Stored {
        let url: SafeUrl = format!("https://files.example/{filename}").parse().unwrap();
        let artifact = Artifact {
            filename: filename.parse().unwrap(),
            origin: Origin::direct(&url),
            url,
            size_bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        };
        self.store.admit(&artifact, &mut &*bytes).unwrap()
    }

    fn sdist(&self, recipe: &SdistRecipe) -> Stored {
        self.store(&recipe.filename(), &recipe.build())
    }

    fn wheels(&self) -> PathBuf {
        self.home.path().join("wheels")
    }

    fn build(&self, recipe: &SdistRecipe, expected: &Expected) -> Result<Built, BuildError> {
        let sdist = self.sdist(recipe);
        let system = requirements(&sdist, None)?;
        build_wheel(&sdist, &system, &self.bench, expected, &self.wheels())
    }

    /// Nothing stays behind in the scratch directory.
    fn is_clean(&self) -> bool {
        fs::read_dir(&self.bench.scratch).unwrap().next().is_none()
    }
}

fn recipe() -> SdistRecipe {
    SdistRecipe::new("a", "1.0").requires("b>=1")
}

fn expected(metadata: Option<&str>) -> Expected {
    let metadata = metadata.map(|text| sha256(text.as_bytes()));
    Expected { name: "a".parse().unwrap(), version: "1.0".parse().ok(), metadata }
}

/// An sdist with a backend of its own.
fn with_backend(code: &str) -> SdistRecipe {
    let pyproject = "[build-system]\nrequires = []\nbuild-backend = 'own_backend'\nbackend-path = ['.']\n";
    SdistRecipe::new("a", "1.0").pyproject(pyproject).file("own_backend.py", code)
}

#[test]
fn control_a_wheel_is_built_as_expected() {
    let shop = Shop::new();
    let built = shop.build(&recipe(), &expected(Some(&recipe().built_metadata()))).unwrap();
    assert_eq!(built.filename().as_str(), "a-1.0-py3-none-any.whl");
    let bytes = fs::read(built.path()).unwrap();
    assert_eq!((sha256(&bytes), bytes.len() as u64), (*built.sha256(), built.size_bytes()));
    assert_eq!(*built.metadata_sha256(), sha256(recipe().built_metadata().as_bytes()));
    assert!(shop.is_clean());
}

#[test]
fn the_same_sdist_gives_the_same_bytes() {
    let build = || *Shop::new().build(&recipe(), &expected(None)).unwrap().sha256();
    assert_eq!(build(), build());
}

#[test]
fn a_zip_sdist_builds_like_a_tar() {
    let shop = Shop::new();
    let sdist = shop.store("a-1.0.zip", &recipe().zip().build());
    let system = requirements(&sdist, None).unwrap();
    build_wheel(&sdist, &system, &shop.bench, &expected(None), &shop.wheels()).unwrap();
}

#[test]
fn tells_requirements_and_metadata_without_building() {
    let shop = Shop::new();
    let sdist = shop.sdist(&recipe().build_requires("tool==2.0").dynamic_requires("c>=3").build_runs("1 / 0"));
    let system = requirements(&sdist, None).unwrap();
    assert_eq!(system.requires[0].to_string(), "tool==2.0");
    let learned = learn(&sdist, &system, &shop.bench, &expected(None)).unwrap();
    assert_eq!(learned.extra.iter().map(ToString::to_string).collect::<Vec<_>>(), ["c>=3"]);
    assert!(learned.metadata.is_none());
    let found = metadata_of(&sdist, &system, &shop.bench, &expected(None)).unwrap();
    assert_eq!(found.bytes, recipe().built_metadata().as_bytes());
    assert_eq!(found.metadata.requires_dist.len(), 1);
    assert!(shop.is_clean());
}

/// A backend that notes each start beside itself, and tells of everything that a hook could see of an earlier one.
#[cfg(unix)]
const TELLING: &str = "
import os
with open(os.path.join(os.path.dirname(__file__), 'starts'), 'a') as file:
    file.write('x')
seen = []

def see(hook):
    assert not seen and not os.path.exists('left') and os.path.exists('pyproject.toml'), hook
    seen.append(hook)
    open('left', 'w').close()

def get_requires_for_build_wheel(settings=None):
    see('requires')
    return REQUIRES

def prepare_metadata_for_build_wheel(directory, settings=None):
    see('metadata')
    assert not REQUIRES
    os.mkdir(directory + '/a-1.0.dist-info')
    with open(directory + '/a-1.0.dist-info/METADATA', 'w') as file:
        file.write('Metadata-Version: 2.1\\nName: a\\nVersion: 1.0\\nRequires-Dist: b\\n')
    return 'a-1.0.dist-info'
";

#[test]
#[cfg(unix)]
fn one_start_serves_both_hooks_which_see_nothing_of_each_other() {
    let check = |requires: &str, expected: &[&str], has_metadata: bool| {
        let shop = Shop::with_installed(&TELLING.replace("REQUIRES", requires));
        let learned = shop.learn().unwrap();
        assert_eq!(learned.extra.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        let told = learned.metadata.map(|metadata| metadata.metadata.requires_dist[0].to_string());
        assert_eq!(told.as_deref(), has_metadata.then_some("b"));
        let python = Python::found();
        let starts = shop.home.path().join(format!("environment/lib/python{}/site-packages/starts", python.minor));
        assert_eq!(fs::read_to_string(starts).unwrap(), "x", "the backend was imported once");
        assert!(shop.is_clean());
    };
    check("[]", &[], true);
    check("['c>=3']", &["c>=3"], false);
}

#[test]
#[cfg(unix)]
fn the_hook_that_failed_is_named_whichever_it_was() {
    let fine = "def get_requires_for_build_wheel(settings=None):\n    return []\n";
    let ends = "import os\n    os.kill(os.getpid(), 9)";
    for (hook, body) in [
        ("get_requires_for_build_wheel", "raise ValueError('no compiler')"),
        ("get_requires_for_build_wheel", ends),
        ("prepare_metadata_for_build_wheel", "raise ValueError('no compiler')"),
        ("prepare_metadata_for_build_wheel", ends),
    ] {
        let shop = Shop::with_installed(&format!("{fine}def {hook}(*a):\n    {body}\n"));
        let failed = shop.learn().unwrap_err();
        assert!(matches!(&failed, BuildError::Backend { hook: found, .. } if *found == hook), "{hook}: {failed}");
        assert_eq!(body == ends, !failed.to_string().contains("no compiler"), "{failed}");
        assert!(shop.is_clean());
    }
}

#[test]
fn metadata_comes_from_the_wheel_where_the_backend_cannot_tell() {
    let recipe = WheelRecipe::new("a", "1.0").requires("b>=1");
    let wheel: String = recipe.build().iter().map(|byte| format!("{byte:02x}")).collect();
    let code = format!(
        "import os\ndef build_wheel(directory, settings=None, metadata=None):\n    \
         name = 'a-1.0-py3-none-any.whl'\n    \
         open(os.path.join(directory, name), 'wb').write(bytes.fromhex('{wheel}'))\n    return name\n"
    );
    let shop = Shop::new();
    let refusing = format!("{code}\ndef prepare_metadata_for_build_wheel(*a):\n    raise NotImplementedError\n");
    for code in [code, refusing] {
        let sdist = shop.sdist(&with_backend(&code));
        let system = requirements(&sdist, None).unwrap();
        let found = metadata_of(&sdist, &system, &shop.bench, &expected(None)).unwrap();
        assert_eq!(found.bytes, recipe.metadata().as_bytes());
        let learned = learn(&sdist, &system, &shop.bench, &expected(None)).unwrap();
        assert!(learned.extra.is_empty());
        assert_eq!(learned.metadata.unwrap().bytes, found.bytes);
    }
}

#[test]
fn sd11_a_built_wheel_that_is_not_the_locked_one() {
    let shop = Shop::new();
    let lying = recipe().built_requires("evil");
    let refused = shop.build(&lying, &expected(Some(&lying.metadata()))).unwrap_err();
    assert_eq!(refused.refusal_code(), Some("built-metadata-mismatch"));
    for (name, version) in [("b", "1.0"), ("a", "1.1")] {
        let other = Expected { name: name.parse().unwrap(), version: version.parse().ok(), metadata: None };
        let refused = shop.build(&recipe(), &other).unwrap_err();
        assert_eq!(refused.refusal_code(), Some("built-metadata-mismatch"), "{refused}");
        let sdist = shop.sdist(&recipe());
        let system = requirements(&sdist, None).unwrap();
        let refused = metadata_of(&sdist, &system, &shop.bench, &other).unwrap_err();
        assert_eq!(refused.refusal_code(), Some("built-metadata-mismatch"), "{refused}");
    }
    assert_eq!(fs::read_dir(shop.wheels()).unwrap().count(), 0);
    assert!(shop.is_clean());
}

#[test]
fn sd15_the_backend_sees_nothing_of_the_user() {
    let code = "
import os, sys
home = os.environ['HOME']
assert os.listdir(home) == [], os.listdir(home)
allowed = {'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'PATH', 'PIP_CONFIG_FILE', 'PIP_NO_INDEX', 'PYTHONDONTWRITEBYTECODE',
    'PYTHONHASHSEED', 'PYTHONNOUSERSITE', 'PYTHONSAFEPATH', 'SOURCE_DATE_EPOCH', 'TMPDIR', 'TZ', 'SYSTEMROOT'}
assert set(os.environ) <= allowed, set(os.environ) - allowed
assert '' not in sys.path and not sys.flags.hash_randomization
assert os.path.getmtime('pyproject.toml') == int(os.environ['SOURCE_DATE_EPOCH'])
";
    Shop::new().build(&recipe().build_runs(code), &expected(None)).unwrap();
}

#[test]
fn modules_beside_the_sources_do_not_shadow_the_library() {
    let evil = "raise SystemExit('shadowed')";
    let pyproject = "[build-system]\nrequires = []\nbuild-backend = 'own_backend'\nbackend-path = ['tools']\n";
    let shop = Shop::new();
    let sdist = SdistRecipe::new("a", "1.0").pyproject(pyproject).file("json.py", evil).file("importlib.py", evil);
    let sdist = sdist.file("tools/own_backend.py", "def get_requires_for_build_wheel(s=None):\n    return ['x']\n");
    let sdist = shop.sdist(&sdist);
    let system = requirements(&sdist, None).unwrap();
    assert_eq!(learn(&sdist, &system, &shop.bench, &expected(None)).unwrap().extra.len(), 1);
}

#[test]
fn sd16_endless_builds_and_endless_output_end() {
    let mut shop = Shop::new();
    shop.bench.timeout_ms = 1500;
    let endless = shop.build(&recipe().build_runs("while True: pass"), &expected(None)).unwrap_err();
    assert!(matches!(endless, BuildError::Sandbox { source: SandboxError::Timeout { .. }, .. }), "{endless:?}");
    assert_eq!(endless.refusal_code(), None);
    let mut shop = Shop::new();
    shop.bench.output_bytes = 10_000;
    let loud = shop.build(&recipe().build_runs("print('x' * 100_000, flush=True)"), &expected(None)).unwrap_err();
    assert!(matches!(loud, BuildError::Sandbox { source: SandboxError::Output { .. }, .. }), "{loud:?}");
    assert!(shop.is_clean());
}

#[test]
fn a_failing_backend_is_quoted() {
    let failing = recipe().build_runs("raise ValueError('\\x1b[31mno compiler\\x1b[0m')");
    let failed = Shop::new().build(&failing, &expected(None)).unwrap_err();
    let text = failed.to_string();
    assert!(text.contains("build_wheel") && text.contains("no compiler") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(failed.refusal_code(), None);
    let failed = Shop::new().build(&with_backend(""), &expected(None)).unwrap_err();
    assert!(failed.to_string().contains("no such hook"), "{failed}");
    let failed = Shop::new().build(&with_backend("import os\nos._exit(0)"), &expected(None)).unwrap_err();
    assert!(failed.to_string().contains("it left no answer"), "{failed}");
}

#[test]
fn answers_that_point_elsewhere_are_refused() {
    for answer in
        ["'../a-1.0-py3-none-any.whl'", "'/etc/passwd'", "'a.txt'", "None", "['x']", "''", "'b-1.0-py3-none-any.whl'"]
    {
        let code = format!("def build_wheel(*a):\n    return {answer}\n");
        let refused = Shop::new().build(&with_backend(&code), &expected(None)).unwrap_err();
        assert!(matches!(refused, BuildError::Malformed { .. } | BuildError::Differs { .. }), "{answer}: {refused:?}");
    }
    let name = "a-1.0-py3-none-any.whl";
    let link = format!(
        "import os\ndef build_wheel(d, *a):\n    os.symlink(os.__file__, d + '/{name}')\n    return '{name}'\n"
    );
    let refused = Shop::new().build(&with_backend(&link), &expected(None)).unwrap_err();
    assert!(refused.to_string().contains("no regular file"), "{refused}");
    for answer in ["'x'", "[1]", "['a b']", "None"] {
        let shop = Shop::new();
        let sdist = shop.sdist(&with_backend(&format!("def get_requires_for_build_wheel(*a):\n    return {answer}\n")));
        let system = requirements(&sdist, None).unwrap();
        assert!(learn(&sdist, &system, &shop.bench, &expected(None)).is_err(), "{answer}");
    }
}

#[test]
fn a_backend_outside_its_path_is_refused() {
    let pyproject = "[build-system]\nrequires = []\nbuild-backend = 'zipfile'\nbackend-path = ['tools']\n";
    let shop = Shop::new();
    let sdist = SdistRecipe::new("a", "1.0").pyproject(pyproject).file("tools/x.py", "");
    let failed = shop.build(&sdist, &expected(None)).unwrap_err();
    assert!(failed.to_string().contains("not found in backend-path"), "{failed}");
}

#[test]
fn a_hostile_wheel_from_a_backend_is_refused_like_any_other() {
    let hidden = "
import zipfile
_write = zipfile.ZipFile.close
def close(self):
    if self.mode == 'w' and self.fp: self.writestr('hidden.py', 'x')
    _write(self)
zipfile.ZipFile.close = close
";
    let refused = Shop::new().build(&recipe().build_runs(hidden), &expected(None)).unwrap_err();
    assert_eq!(refused.refusal_code(), Some("unlisted-file"), "{refused:?}");
}

#[test]
fn a_hostile_sdist_is_refused_before_anything_runs() {
    let shop = Shop::new();
    let bytes = recipe().tar().file("../evil.py", "x").build_gz();
    let sdist = shop.store("a-1.0.tar.gz", &bytes);
    assert_eq!(requirements(&sdist, None).unwrap_err().refusal_code(), Some("unsafe-path"));
    let system = BuildSystem::from_recipe("backend", &[".".to_owned()], None);
    let refused = build_wheel(&sdist, &system, &shop.bench, &expected(None), &shop.wheels()).unwrap_err();
    assert_eq!(refused.refusal_code(), Some("unsafe-path"));
    assert!(shop.is_clean());
}

#[test]
fn links_in_an_sdist_become_copies() {
    use pinfold_testkit::TarEntry;
    let shop = Shop::new();
    let tar = recipe().tar().entry(TarEntry::symlink("a-1.0/src/a/linked.py", "__init__.py"));
    let sdist = shop.store("a-1.0.tar.gz", &tar.build_gz());
    let system = requirements(&sdist, None).unwrap();
    let built = build_wheel(&sdist, &system, &shop.bench, &expected(None), &shop.wheels()).unwrap();
    let wheel = read_wheel(&mut File::open(built.path()).unwrap(), "a", "1.0").unwrap();
    assert!(wheel.members.iter().any(|member| member.member.path.as_str() == "a/linked.py"));
}
