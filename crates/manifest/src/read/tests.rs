//! Manifests that are right, and manifests that mean harm.

use std::collections::BTreeSet;

use pinfold_packaging::{BuildPolicy, Prerelease, Strategy};

use crate::{Cutoff, IndexLocation, Manifest, Routes};

fn shown<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" | ")
}

const FULL: &str = r#"
[project]
name = "fooocus"
requires-python = ">=3.10,<3.11"
requirements = ["requirements_docker.txt", "requirements_versions.txt"]
dependencies = ["torch==2.1.0", "gradio ; sys_platform != 'darwin'"]
constraints = ["setuptools<70", "constraints.txt", "more/constraints", "a @ https://a.example/a-1-py3-none-any.whl"]
overrides = ["numpy==1.23.5"]
exclude = ["opencv-python"]
exclude-newer = "2024-08-20T00:00:00Z"
targets = ["linux-x86_64", "windows-x86_64", "macos-aarch64-11.0"]
prerelease = "explicit"
resolution = "lowest-direct"
build = ["Antlr4.Python3_runtime"]
no-binary = ["lxml"]

[groups]
dev = ["pytest", { include-group = "lint" }]
lint = ["ruff"]
[extras]
gpu = ["xformers==0.0.23"]
all = ["Fooocus[GPU]", "triton"]

[[index]]
name = "main"
url = "https://packages.example/simple/"
default = true
[[index]]
name = "torch"
url = "https://wheels.example/cu121"
packages = ["torch", "torchvision"]
file-hosts = ["files.wheels.example"]

[[accept]]
code = "executable-pth"
package = "coloredlogs"
path = "coloredlogs.pth"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
reason = "start-up hook of the library, read on 2024-08-20"
"#;

#[test]
fn reads_every_key_of_the_contract() {
    let manifest = Manifest::parse_toml(FULL, "pinfold.toml").unwrap();
    assert_eq!(manifest.name.as_deref(), Some("fooocus"));
    assert_eq!(manifest.requires_python, ">=3.10,<3.11".parse().ok());
    assert_eq!(
        shown(manifest.requirement_files.iter().map(|file| &file.value)),
        "requirements_docker.txt | requirements_versions.txt"
    );
    assert_eq!(
        shown(manifest.dependencies.iter().map(|requirement| &requirement.value)),
        "torch==2.1.0 | gradio; sys_platform != 'darwin'"
    );
    let (line, column) = (manifest.dependencies[1].line, manifest.dependencies[1].column);
    assert_eq!((manifest.dependencies[1].file.as_str(), line, column), ("pinfold.toml", 6, 33));
    assert_eq!(
        shown(manifest.constraints.iter().map(|requirement| &requirement.value)),
        "setuptools<70 | a @ https://a.example/a-1-py3-none-any.whl"
    );
    assert_eq!(shown(manifest.constraint_files.iter().map(|file| &file.value)), "constraints.txt | more/constraints");
    assert_eq!(shown(manifest.overrides.iter().map(|requirement| &requirement.value)), "numpy==1.23.5");
    assert_eq!(shown(&manifest.exclude), "opencv-python");
    assert_eq!(manifest.exclude_newer, "2024-08-20T00:00:00Z".parse::<Cutoff>().ok());
    assert_eq!(shown(&manifest.targets), "linux-x86_64 | windows-x86_64 | macos-aarch64-11.0");
    assert_eq!(manifest.prerelease, Prerelease::Explicit);
    assert_eq!(manifest.resolution, Strategy::LowestDirect);
    assert_eq!(manifest.build.to_string(), "antlr4-python3-runtime");
    assert_eq!(shown(&manifest.no_binary), "lxml");
}

#[test]
fn reads_groups_extras_indexes_and_accepted_findings() {
    let manifest = Manifest::parse_toml(FULL, "pinfold.toml").unwrap();
    let section = |requirements: &[crate::Sourced<crate::Requested>]| {
        shown(requirements.iter().map(|requirement| &requirement.value))
    };
    let groups = manifest.groups.iter().map(|(name, requirements)| format!("{name}: {}", section(requirements)));
    assert_eq!(groups.collect::<Vec<_>>(), ["dev: pytest | ruff", "lint: ruff"]);
    let extras = manifest.extras.iter().map(|(name, requirements)| format!("{name}: {}", section(requirements)));
    assert_eq!(extras.collect::<Vec<_>>(), ["all: xformers==0.0.23 | triton", "gpu: xformers==0.0.23"]);

    let [main, torch] = &manifest.indexes[..] else { panic!("{:?}", manifest.indexes) };
    assert!(main.default && !torch.default && !main.insecure);
    assert_eq!(torch.location, IndexLocation::Url("https://wheels.example/cu121".parse().unwrap()));
    assert_eq!(shown(&torch.packages), "torch | torchvision");
    assert_eq!(shown(torch.file_hosts.as_ref().unwrap()), "https://files.wheels.example");
    let routes = Routes::new(&manifest.indexes).unwrap();
    assert_eq!(routes.index_of(&"Torch".parse().unwrap()).name, "torch");
    assert_eq!(routes.index_of(&"torchtriton".parse().unwrap()).name, "main");

    let accept = &manifest.accepts[0];
    assert_eq!((accept.code.as_str(), accept.package.as_str()), ("executable-pth", "coloredlogs"));
    assert_eq!(accept.path.as_ref().map(ToString::to_string).as_deref(), Some("coloredlogs.pth"));
    assert_eq!(accept.sha256.short(), "9f86d081884c");
    assert!(accept.reason.starts_with("start-up hook"));
}

#[test]
fn a_key_that_is_not_given_has_its_default() {
    let manifest = Manifest::parse_toml("", "pinfold.toml").unwrap();
    assert_eq!(manifest, Manifest::empty());
    assert_eq!(shown(&manifest.targets), "linux-x86_64 | windows-x86_64 | macos-aarch64");
    assert_eq!((manifest.prerelease, manifest.resolution), (Prerelease::IfNecessary, Strategy::Highest));
    assert_eq!(manifest.build, BuildPolicy::Named(BTreeSet::new()));
    assert_eq!(manifest.exclude_newer, None);
    assert_eq!(Manifest::parse_toml("\u{feff}[project]\r\n", "pinfold.toml").unwrap(), manifest);
}

#[test]
fn reads_the_other_spellings() {
    let text = "[project]\nexclude-newer = 2024-08-20T00:00:00Z\nbuild = ['*']\n[[index]]\nname = 'a'\nfrom = 'pip'";
    let manifest = Manifest::parse_toml(text, "pinfold.toml").unwrap();
    assert_eq!(manifest.exclude_newer, "2024-08-20T00:00:00Z".parse::<Cutoff>().ok());
    assert_eq!(manifest.build, BuildPolicy::All);
    assert_eq!(manifest.indexes[0].location, IndexLocation::Pip);
    let manifest = Manifest::parse_toml("[project]\nexclude-newer = '7 days'", "pinfold.toml").unwrap();
    assert!(matches!(manifest.exclude_newer, Some(Cutoff::Span { seconds: 604_800, .. })));
    let text = "[[index]]\nname = 'a'\nurl = 'http://a.example'\ninsecure = true";
    assert!(Manifest::parse_toml(text, "pinfold.toml").is_ok());
}

#[test]
fn inclusion_is_bounded() {
    let check = |text: String| {
        let error = Manifest::parse_toml(&text, "pinfold.toml").unwrap_err();
        assert_eq!(*error.kind(), crate::ManifestErrorKind::SectionDepth);
    };
    let include = |group: usize| format!("{{ include-group = 'g{group}' }}");
    let chain = (0..200).map(|group| format!("g{group} = [{}]\n", include(group + 1)));
    check(format!("[groups]\n{}g200 = []", chain.collect::<String>()));
    // A thousand groups, each with the thousand requirements of the first.
    let many = (0..1000).map(|number| format!("'p{number}',")).collect::<String>();
    let groups = (1..1000).map(|group| format!("g{group} = [{}]\n", include(0)));
    check(format!("[groups]\ng0 = [{many}]\n{}", groups.collect::<String>()));
    // What is included over many ways is there once.
    let diamond = (0..30).map(|group| format!("g{group} = [{0}, {0}]\n", include(group + 1)));
    let text = format!("[groups]\n{}g30 = ['a']", diamond.collect::<String>());
    assert_eq!(Manifest::parse_toml(&text, "pinfold.toml").unwrap().groups["g0"].len(), 1);
}

#[test]
fn hostile_text_ends_in_an_error() {
    let deep = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let tables = format!("[{}]", vec!["a"; 100_000].join("."));
    let large = " ".repeat(usize::try_from(pinfold_artifact::Limits::MANIFEST_BYTES).unwrap() + 1);
    for text in
        [deep, tables, large, "\u{1b}[31m = 1".to_owned(), "\"".to_owned(), "=".to_owned(), "a.b.c = ".to_owned()]
    {
        let report = Manifest::parse_toml(&text, "pinfold.toml").unwrap_err().report();
        assert!(report.contains(" --> pinfold.toml") && report.len() < 2_000 && !report.contains('\u{1b}'), "{report}");
    }
}
