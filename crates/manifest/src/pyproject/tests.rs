//! `pyproject.toml`: the standard's tables, `[tool.pinfold]`, and both together.

use crate::{Manifest, ManifestErrorKind};

fn read(text: &str) -> Manifest {
    Manifest::parse_pyproject(text, "pyproject.toml").unwrap_or_else(|error| panic!("{}", error.report()))
}

fn requirements(items: &[crate::Sourced<crate::Requested>]) -> String {
    items.iter().map(|item| item.value.to_string()).collect::<Vec<_>>().join(" | ")
}

const STANDARD: &str = r#"
[build-system]
requires = ["anything"]
[project]
name = "My.App"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["torch==2.1.0"]
readme = "README.md"
[project.optional-dependencies]
GPU = ["xformers"]
all = ["my-app[gpu]", "triton"]
[dependency-groups]
dev = ["pytest", { include-group = "Lint" }]
lint = ["ruff"]
[tool.other]
whatever = 1
"#;

#[test]
fn reads_what_the_standard_says() {
    let manifest = read(STANDARD);
    assert_eq!(manifest.name.as_deref(), Some("My.App"));
    assert_eq!(manifest.requires_python, ">=3.10".parse().ok());
    assert_eq!(requirements(&manifest.dependencies), "torch==2.1.0");
    assert_eq!(requirements(&manifest.extras["all"]), "xformers | triton");
    assert_eq!(requirements(&manifest.groups["dev"]), "pytest | ruff");
    assert_eq!(read(""), Manifest::empty());
}

#[test]
fn reads_tool_pinfold_in_both_forms() {
    let keys = "requires-python = '>=3.10,<3.11'\ndependencies = ['gradio']\nexclude = ['opencv-python']\ntargets = ['linux-x86_64']\n";
    let sources = "[tool.pinfold.groups]\ndocs = ['sphinx']\n[[tool.pinfold.index]]\nname = 'main'\nfrom = 'pip'\n";
    let flat = read(&format!("{STANDARD}[tool.pinfold]\n{keys}{sources}"));
    let nested = read(&format!("{STANDARD}[tool.pinfold.project]\n{keys}{sources}"));
    for manifest in [flat, nested] {
        assert_eq!(manifest.requires_python, ">=3.10,<3.11".parse().ok());
        assert_eq!(requirements(&manifest.dependencies), "torch==2.1.0 | gradio");
        assert_eq!(manifest.exclude.len(), 1);
        assert_eq!(manifest.targets.len(), 1);
        assert_eq!(requirements(&manifest.groups["docs"]), "sphinx");
        assert_eq!(requirements(&manifest.groups["dev"]), "pytest | ruff");
        assert_eq!(manifest.indexes.len(), 1);
    }
}

fn check(text: &str, expected: &str) {
    let error = Manifest::parse_pyproject(text, "pyproject.toml").unwrap_err();
    let place = error.place();
    assert_eq!(format!("{}:{}: {error}", place.line, place.column), expected);
}

#[test]
fn our_own_keys_are_judged_and_foreign_ones_are_not() {
    check("[tool.pinfold]\ntargts = []", "2:1: unknown key `targts` in [tool.pinfold]");
    check("[tool.pinfold.project]\nindex = []", "2:1: unknown key `index` in [tool.pinfold.project]");
    check("[tool]\npinfold = 1", "2:11: `[tool.pinfold]` must be a table, not a number");
    check(
        "[project]\ndependencies = ['a =']",
        "2:20: it must begin with one of `==`, `!=`, `<=`, `>=`, `<`, `>`, `~=`, `===`",
    );
    check("project = 1", "1:11: `[project]` must be a table, not a number");
    read("[project]\nanything = 1\n[tool]\nother = 1");
}

#[test]
fn nothing_is_said_twice() {
    check(
        "[tool.pinfold]\ntargets = ['linux-x86_64']\n[tool.pinfold.project]\ntargets = ['linux-x86_64']",
        "4:1: `targets` is given twice: here and in [tool.pinfold]",
    );
    check("[project.optional-dependencies]\ngpu = []\n[tool.pinfold.extras]\nGPU = []", "4:1: `GPU` is written twice");
    check("[dependency-groups]\ndev = []\n[tool.pinfold.groups]\ndev = []", "4:1: `dev` is written twice");
}

#[test]
fn dependencies_that_only_code_would_tell_are_refused() {
    let dynamic = "[project]\nname = 'a'\ndynamic = ['version', 'dependencies']\n";
    let error = Manifest::parse_pyproject(dynamic, "pyproject.toml").unwrap_err();
    assert_eq!(*error.kind(), ManifestErrorKind::Dynamic);
    assert_eq!((error.place().line, error.place().column), (3, 23));
    read(&format!("{dynamic}[tool.pinfold]\nrequirements = ['requirements.txt']"));
    read("[project]\nname = 'a'\ndynamic = ['version']");
}

#[test]
fn groups_and_extras_include_across_tables() {
    let text = "[project]\nname = 'a'\n[project.optional-dependencies]\ngpu = ['x']\n\
                [tool.pinfold.groups]\ntest = ['a[gpu]', {include-group = 'dev'}]\n[dependency-groups]\ndev = ['y']";
    assert_eq!(requirements(&read(text).groups["test"]), "x | y");
    check(
        "[dependency-groups]\na = [{include-group = 'b'}]\n[tool.pinfold.groups]\nb = [{include-group = 'a'}]",
        "4:23: the group includes itself: `a` → `b` → `a`",
    );
}

#[test]
fn the_application_may_name_its_own_extras_in_its_dependencies() {
    let text = "[project]\nname = 'Demo_App'\ndependencies = ['a', 'demo-app[x]']\n[project.optional-dependencies]\nx = ['b']\n";
    assert_eq!(requirements(&read(text).dependencies), "a | b");
    let wrong = text.replace("[x]'", "[y]'");
    let report = Manifest::parse_pyproject(&wrong, "pyproject.toml").unwrap_err().report();
    let expected = "there is no extra `y`\n --> pyproject.toml:3:22\n  |\n3 | dependencies = ['a', 'demo-app[y]']\n  | \
                    \u{20}                    ^^^^^^^^^^^^^\n  = help: the nearest that exists is `x`";
    assert_eq!(report, expected);
}
