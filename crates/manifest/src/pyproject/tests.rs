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
    let expected = "`dependencies` are dynamic: only running the project's build backend would tell them, and pinfold runs \
                    nobody's code\n --> pyproject.toml:3:23\n  |\n3 | dynamic = ['version', 'dependencies']\n  | \
                    \u{20}                     ^^^^^^^^^^^^^^\n  = help: write them as `requirements` or `dependencies` of [tool.pinfold]";
    assert_eq!(error.report(), expected);
    let given = [
        "requirements = ['requirements.txt']",
        "dependencies = ['x']",
        "dependencies = []",
        "[tool.pinfold.project]\ndependencies = ['x']",
    ];
    for given in given {
        read(&format!("{dynamic}[tool.pinfold]\n{given}"));
    }
    assert!(Manifest::parse_pyproject(&format!("{dynamic}[tool.pinfold]\nexclude = ['x']"), "p").is_err());
    read("[project]\nname = 'a'\ndynamic = ['version']");
}

#[test]
fn extras_that_only_code_would_tell_are_refused() {
    let dynamic = "[project]\nname = 'a'\ndependencies = ['x']\ndynamic = ['optional-dependencies']\n";
    let error = Manifest::parse_pyproject(dynamic, "pyproject.toml").unwrap_err();
    let ManifestErrorKind::Dynamic { field: "optional-dependencies", .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!((error.place().line, error.place().column), (4, 12));
    for (extras, expected) in [("gpu = ['y']", 1), ("", 0)] {
        assert_eq!(read(&format!("{dynamic}[tool.pinfold.extras]\n{extras}")).extras.len(), expected);
    }
}

#[test]
fn what_is_given_is_not_dynamic() {
    check("[project]\ndynamic = 'dependencies'", "2:11: `dynamic` must be an array of strings, not a string");
    check("[project]\ndynamic = ['version', 1]", "2:23: `dynamic` holds a number where a string belongs");
    for (field, value) in
        [("dependencies", "['x']"), ("optional-dependencies", "{}"), ("requires-python", "'>=3.10'"), ("name", "'a'")]
    {
        let text = format!(
            "[project]\n{field} = {value}\ndynamic = ['{field}']\n[tool.pinfold]\nrequirements = ['r.txt']\n[tool.pinfold.extras]"
        );
        check(&text, &format!("3:12: `{field}` is called dynamic, and is given in [project]"));
    }
    read(
        "[project]\ndynamic = ['version', 'readme', 'requires-python']\nreadme = 'x'\n[tool.pinfold]\nrequires-python = '>=3.10'",
    );
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
fn the_application_may_include_its_extras_under_a_condition() {
    let text = "[project]\nname = 'app'\ndependencies = [\"app[b]; python_version < '3.11'\"]\n[project.optional-dependencies]\n\
                a = ['x', \"y>1; os_name == 'nt' or os_name == 'posix'\", \"z @ https://h.example/z-1-py3-none-any.whl\"]\n\
                b = [\"app[a]; sys_platform == 'linux'\"]\n\
                c = [\"app[a]; sys_platform == 'linux'\", \"app[a]; sys_platform == 'win32'\", \"App[A];sys_platform=='linux'\"]\n\
                d = ['app[a]', \"app[a]; sys_platform == 'linux'\"]\n";
    let manifest = read(text);
    let of = |extra: &str| requirements(&manifest.extras[extra]);
    let all = |marker: &str| {
        format!(
            "x; {marker} | y>1; ({marker}) and (os_name == 'nt' or os_name == 'posix') | \
                 z @ https://h.example/z-1-py3-none-any.whl ; {marker}"
        )
    };
    assert_eq!(of("b"), all("sys_platform == 'linux'"));
    assert_eq!(of("c"), format!("{} | {}", all("sys_platform == 'linux'"), all("sys_platform == 'win32'")));
    assert_eq!(of("d"), of("a"));
    assert_eq!(
        requirements(&manifest.dependencies).split(" | ").next(),
        Some("x; (python_version < '3.11') and (sys_platform == 'linux')")
    );
    // What is included is where it is written.
    assert_eq!((manifest.extras["b"][0].line, manifest.extras["b"][0].column), (5, 6));
    for other in ["app[a]>=1", "app[a] @ https://h.example/app-1-py3-none-any.whl"] {
        check(
            &format!("[project]\nname = 'app'\n[project.optional-dependencies]\na = []\nb = ['{other}']"),
            "5:6: the application's own extras are those of this manifest, without versions or URL",
        );
    }
    // Conditions do not hide a cycle, nor what is too much.
    check(
        "[project]\nname = 'app'\n[project.optional-dependencies]\na = [\"app[a]; os_name == 'nt'\"]",
        "4:6: the extra includes itself: `a` → `a`",
    );
    let twice = |number| {
        let include = |own: char| format!("\"app[e{number}]; extra == '{own}{number}'\"");
        format!("e{} = [{}, {}]\n", number + 1, include('a'), include('b'))
    };
    let storm: String = (0..40).map(twice).collect();
    let storm = format!("[project]\nname = 'app'\n[project.optional-dependencies]\ne0 = ['x']\n{storm}");
    let error = Manifest::parse_pyproject(&storm, "pyproject.toml").unwrap_err();
    assert_eq!(*error.kind(), ManifestErrorKind::SectionDepth);
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
