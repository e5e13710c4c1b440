//! A tiny world: four projects, what their files say, what is asked; and the text that it is for the resolver.

use std::fmt::{self, Write as _};

use proptest::prelude::*;

use super::marker::{Keys, Marker, Place, marker};
use super::version::{Clause, Sign, Version};

pub(crate) const NAMES: [&str; 4] = ["a", "b", "c", "d"];
pub(crate) const EXTRAS: [&str; 3] = ["x", "y", "z"];

/// The targets, each as the first interpreter of it.
pub(crate) const TARGETS: [(&str, Place); 4] = [
    ("linux-x86_64 3.10", LINUX),
    ("windows-x86_64 3.10", WINDOWS),
    ("linux-x86_64 3.11", LINUX_11),
    ("macos-aarch64 3.11", MACOS),
];
const LINUX: Place = Place {
    sys_platform: "linux",
    os_name: "posix",
    platform_system: "Linux",
    platform_machine: "x86_64",
    minor: 10,
    patch: 0,
};
const LINUX_11: Place = Place { minor: 11, ..LINUX };
const WINDOWS: Place =
    Place { sys_platform: "win32", os_name: "nt", platform_system: "Windows", platform_machine: "AMD64", ..LINUX };
const MACOS: Place =
    Place { sys_platform: "darwin", platform_system: "Darwin", platform_machine: "arm64", minor: 11, ..LINUX };

/// Versions that lie close together, with every kind of suffix.
pub(crate) const POOL: [&str; 30] = [
    "0.9",
    "1.0.dev1",
    "1.0a1",
    "1.0a1.post1",
    "1.0rc1.dev2",
    "1.0rc1",
    "1.0",
    "1.0+cpu",
    "1.0+cu.1",
    "1.0.post1.dev1",
    "1.0.post1",
    "1.0.post2",
    "1.0.1",
    "1.1.dev3",
    "1.1",
    "1.1.post1+l",
    "1.9",
    "1.10",
    "2a1",
    "2",
    "2+l",
    "2.0.1",
    "2.1rc1",
    "2.1",
    "3.0b1",
    "3.0",
    "10",
    "1!0.5",
    "1!1.0rc1",
    "1!1.0",
];

/// A requirement on one of the [`NAMES`].
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) name: usize,
    pub(crate) extras: Vec<usize>,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) marker: Option<Marker>,
}

/// A version of a project. Its parts have their own files, and each its own metadata.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) version: Version,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) yanked: bool,
    pub(crate) time: Time,
    pub(crate) page_python: Vec<Clause>,
    pub(crate) metadata_python: Vec<Clause>,
    pub(crate) needs: Vec<Need>,
}

/// What a file is, in the order in which a target takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Linux,
    Macos,
    Windows,
    Eleven,
    Any,
    Sdist,
}

/// When a file was uploaded, seen from the cutoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    Before,
    After,
    Untold,
}

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asker {
    Base,
    Extra,
    Group,
}

pub(crate) const ASKERS: [Asker; 3] = [Asker::Base, Asker::Extra, Asker::Group];

/// Projects with their releases in ascending order, and what is asked.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) projects: Vec<Vec<Release>>,
    pub(crate) roots: Vec<(Asker, Need)>,
    pub(crate) constraints: Vec<Need>,
    pub(crate) overrides: Vec<Need>,
    pub(crate) excluded: Option<usize>,
    pub(crate) built: Vec<usize>,
    pub(crate) no_binary: Option<usize>,
    pub(crate) locked: Vec<(usize, Version)>,
    pub(crate) preferred: Vec<(usize, Version)>,
    pub(crate) has_cutoff: bool,
    pub(crate) strategy: &'static str,
    pub(crate) prerelease: &'static str,
}

/// A requirement whose versions are still to be found among those of its project.
type Draft = (usize, Vec<usize>, Vec<(Sign, bool, prop::sample::Index, usize)>, Option<Marker>);

fn draft(keys: Keys) -> impl Strategy<Value = Draft> {
    let sign = prop_oneof![
        12 => Just(Sign::AtLeast), 6 => Just(Sign::AtMost), 3 => Just(Sign::Above), 6 => Just(Sign::Below), 3 => Just(Sign::Equal),
        6 => Just(Sign::NotEqual), 4 => Just(Sign::Compatible), 1 => Just(Sign::Identical), 3 => Just(Sign::EqualPrefix),
        3 => Just(Sign::NotEqualPrefix),
    ];
    let clause = (sign, prop::bool::weighted(0.85), any::<prop::sample::Index>(), 1..3usize);
    let count = prop_oneof![8 => Just(0usize), 7 => Just(1), 2 => Just(2), 1 => Just(3)];
    let clauses = count.prop_flat_map(move |count| prop::collection::vec(clause.clone(), count));
    let extras = prop_oneof![3 => Just(vec![]), 2 => prop::collection::vec(0..EXTRAS.len(), 1..3)];
    (0..NAMES.len(), extras, clauses, prop::option::weighted(0.4, marker(keys)))
}

/// Finds the versions of a draft: most are those that the project has.
fn settled((name, mut extras, clauses, marker): Draft, versions: &[Vec<Version>]) -> Need {
    extras.sort_unstable();
    extras.dedup();
    let pool: Vec<Version> = POOL.iter().map(|text| Version::read(text)).collect();
    let clause = |(sign, own, index, count): (Sign, bool, prop::sample::Index, usize)| {
        let among = if own && !versions[name].is_empty() { &versions[name] } else { &pool };
        let version = index.get(among);
        match sign {
            Sign::EqualPrefix | Sign::NotEqualPrefix => Clause::prefix(sign, version, count),
            _ => Clause::new(sign, version),
        }
    };
    Need { name, extras, clauses: clauses.into_iter().map(clause).collect(), marker }
}

fn pythons() -> impl Strategy<Value = Vec<Clause>> {
    let clause = |sign, version: &str| vec![Clause::new(sign, &Version::read(version))];
    prop_oneof![
        60 => Just(Vec::new()),
        2 => Just(clause(Sign::AtLeast, "3.11")), 2 => Just(clause(Sign::Below, "3.11")), 1 => Just(clause(Sign::Compatible, "3.9")),
        1 => Just(clause(Sign::EqualPrefix, "3.10")), 1 => Just(clause(Sign::NotEqualPrefix, "3.10")),
        1 => Just(clause(Sign::AtLeast, "3.12")), 1 => Just(clause(Sign::AtLeast, "3.10.4")),
    ]
}

type DraftPart = (Vec<Kind>, bool, Time, Vec<Clause>, Vec<Clause>, Vec<Draft>);

fn part() -> impl Strategy<Value = DraftPart> {
    let kinds = prop_oneof![
        24 => Just(vec![Kind::Any]), 2 => Just(vec![Kind::Sdist]), 2 => Just(vec![Kind::Linux, Kind::Macos]),
        2 => Just(vec![Kind::Windows]), 1 => Just(vec![Kind::Linux, Kind::Sdist]), 1 => Just(vec![Kind::Eleven]),
        1 => Just(vec![Kind::Any, Kind::Sdist]),
    ];
    let time = prop_oneof![16 => Just(Time::Before), 1 => Just(Time::After), 1 => Just(Time::Untold)];
    let needs = prop::collection::vec(draft(Keys::OfTargetAndExtras), 0..3);
    (kinds, prop::bool::weighted(0.08), time, pythons(), pythons(), needs)
}

fn project() -> impl Strategy<Value = Vec<(Version, Vec<DraftPart>)>> {
    let parts =
        prop_oneof![6 => Just(1usize), 1 => Just(2)].prop_flat_map(|count| prop::collection::vec(part(), count));
    let count = prop_oneof![1 => Just(0usize), 20 => 1..5usize];
    let release = (prop::sample::select(&POOL[..]), parts);
    let releases = count.prop_flat_map(move |count| prop::collection::vec(release.clone(), count));
    releases.prop_map(|releases| {
        let mut releases: Vec<_> = releases.into_iter().map(|(text, parts)| (Version::read(text), parts)).collect();
        releases.sort_by(|(one, _), (other, _)| one.key().cmp(&other.key()));
        releases.dedup_by(|(one, _), (other, _)| one == other);
        releases
    })
}

/// Constraints and overrides; what is excluded, what may be built, and of what no wheel is to be used.
type Directions = (Vec<Draft>, Vec<Draft>, Option<usize>, Vec<usize>, Option<usize>);

fn directions() -> impl Strategy<Value = Directions> {
    let some = |weight: u32| prop_oneof![10 - weight => Just(Vec::new()), weight => prop::collection::vec(draft(Keys::OfTarget), 1..3)];
    let name = || prop::option::weighted(0.08, 0..NAMES.len());
    let built =
        prop_oneof![3 => Just(vec![]), 1 => Just(vec![0, 1, 2, 3]), 1 => (0..NAMES.len()).prop_map(|name| vec![name])];
    (some(2), some(1), name(), built, name())
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let projects = prop::collection::vec(project(), NAMES.len());
    let asker = prop_oneof![6 => Just(Asker::Base), 1 => Just(Asker::Extra), 1 => Just(Asker::Group)];
    let roots = prop::collection::vec((asker, draft(Keys::OfTarget)), 1..4);
    let chosen = || prop::collection::vec((0..NAMES.len(), any::<prop::sample::Index>()), 0..3);
    let strategy = prop::sample::select(vec!["highest", "highest", "lowest", "lowest-direct"]);
    let prerelease =
        prop::sample::select(vec!["if-necessary", "if-necessary", "if-necessary", "allow", "explicit", "never"]);
    (projects, roots, directions(), (chosen(), chosen()), prop::bool::weighted(0.2), strategy, prerelease).prop_map(
        |(
            projects,
            roots,
            (constraints, overrides, excluded, built, no_binary),
            chosen,
            has_cutoff,
            strategy,
            prerelease,
        )| {
            let versions: Vec<Vec<Version>> =
                projects.iter().map(|releases| releases.iter().map(|(version, _)| version.clone()).collect()).collect();
            let of_projects = |chosen: Vec<(usize, prop::sample::Index)>| {
                let known = chosen.into_iter().filter(|(name, _)| !versions[*name].is_empty());
                known.map(|(name, index)| (name, index.get(&versions[name]).clone())).collect()
            };
            let direction = |draft| Need { extras: Vec::new(), ..settled(draft, &versions) };
            World {
                roots: roots.into_iter().map(|(asker, draft)| (asker, settled(draft, &versions))).collect(),
                constraints: constraints.into_iter().map(direction).collect(),
                overrides: overrides.into_iter().map(direction).collect(),
                locked: of_projects(chosen.0),
                preferred: of_projects(chosen.1),
                projects: projects.into_iter().map(|releases| releases_of(releases, &versions)).collect(),
                excluded,
                built,
                no_binary,
                has_cutoff,
                strategy,
                prerelease,
            }
        },
    )
}

fn releases_of(releases: Vec<(Version, Vec<DraftPart>)>, versions: &[Vec<Version>]) -> Vec<Release> {
    let release = |(version, drafts): (Version, Vec<DraftPart>)| {
        let mut seen: Vec<Kind> = Vec::new();
        let mut parts = Vec::new();
        for (mut kinds, yanked, time, page_python, metadata_python, needs) in drafts {
            kinds.retain(|kind| !seen.contains(kind));
            if kinds.is_empty() {
                continue;
            }
            seen.extend(&kinds);
            let needs = needs.into_iter().map(|draft| settled(draft, versions)).collect();
            parts.push(Part { kinds, yanked, time, page_python, metadata_python, needs });
        }
        Release { version, parts }
    };
    releases.into_iter().map(release).collect()
}

impl Need {
    pub(crate) fn accepts(&self, version: &Version) -> bool {
        self.clauses.iter().all(|clause| clause.accepts(version))
    }

    pub(crate) fn names_prerelease(&self) -> bool {
        self.clauses.iter().any(Clause::names_prerelease)
    }

    pub(crate) fn is_pin(&self) -> bool {
        self.clauses.iter().any(Clause::is_pin)
    }

    /// Returns true if it is made where an extra of who makes it is wanted, or none.
    pub(crate) fn holds(&self, place: &Place, extra: Option<usize>) -> bool {
        let extra = extra.map(|extra| EXTRAS[extra]);
        self.marker.as_ref().is_none_or(|marker| marker.holds(place, extra))
    }
}

fn specifiers(clauses: &[Clause]) -> String {
    clauses.iter().map(Clause::to_string).collect::<Vec<_>>().join(",")
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extras: Vec<&str> = self.extras.iter().map(|extra| EXTRAS[*extra]).collect();
        let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
        write!(f, "{}{extras}{}", NAMES[self.name], specifiers(&self.clauses))?;
        self.marker.as_ref().map_or(Ok(()), |marker| write!(f, "; {marker}"))
    }
}

impl Kind {
    /// The end of the file's name.
    pub(crate) const fn end(self) -> &'static str {
        match self {
            Self::Any => "-py3-none-any.whl",
            Self::Eleven => "-py311-none-any.whl",
            Self::Linux => "-cp310-abi3-manylinux_2_17_x86_64.whl",
            Self::Macos => "-cp310-abi3-macosx_11_0_arm64.whl",
            Self::Sdist => ".tar.gz",
            Self::Windows => "-cp310-abi3-win_amd64.whl",
        }
    }

    /// Returns true if an interpreter of the place takes it.
    pub(crate) fn serves(self, place: &Place) -> bool {
        match self {
            Self::Any | Self::Sdist => true,
            Self::Eleven => place.minor >= 11,
            Self::Linux => place.sys_platform == "linux",
            Self::Macos => place.sys_platform == "darwin",
            Self::Windows => place.sys_platform == "win32",
        }
    }
}

impl Part {
    /// The words of a line of a universe.
    fn words(&self) -> String {
        let mut words = String::new();
        for kind in &self.kinds {
            match kind.end().strip_prefix('-').and_then(|end| end.strip_suffix(".whl")) {
                Some(tags) => write!(words, " wheel={tags}").unwrap(),
                None => words.push_str(" sdist"),
            }
        }
        words.push_str(if self.yanked { " yanked" } else { "" });
        words.push_str(match self.time {
            Time::Before => " at=2024-01-01",
            Time::After => " at=2024-09-01",
            Time::Untold => "",
        });
        for (word, clauses) in [("python", &self.page_python), ("metapython", &self.metadata_python)] {
            if !clauses.is_empty() {
                write!(words, " {word}={}", specifiers(clauses)).unwrap();
            }
        }
        words
    }
}

impl World {
    /// The universe, as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, releases) in NAMES.iter().zip(&self.projects) {
            for release in releases {
                for part in &release.parts {
                    let needs: Vec<String> = part.needs.iter().map(Need::to_string).collect();
                    let (words, needs) = (part.words(), needs.join(" | "));
                    writeln!(text, "{name} {}{words} extras=x,y,z -> {needs}", release.version).unwrap();
                }
            }
        }
        text
    }

    /// The question of a target, as text.
    pub(crate) fn problem_text(&self, target: &str) -> String {
        let asked = |(asker, need): &(Asker, Need)| match asker {
            Asker::Base => need.to_string(),
            Asker::Extra => format!("{{gpu}} {need}"),
            Asker::Group => format!("[dev] {need}"),
        };
        let mut lines: Vec<String> = self.roots.iter().map(asked).collect();
        lines.extend(self.constraints.iter().map(|need| format!("constraint: {need}")));
        lines.extend(self.overrides.iter().map(|need| format!("override: {need}")));
        lines.extend(self.excluded.map(|name| format!("exclude: {}", NAMES[name])));
        let built: Vec<&str> = self.built.iter().map(|name| NAMES[*name]).collect();
        lines.extend((!built.is_empty()).then(|| format!("build: {}", built.join(","))));
        lines.extend(self.no_binary.map(|name| format!("no-binary: {}", NAMES[name])));
        for (word, versions) in [("locked", &self.locked), ("prefer", &self.preferred)] {
            lines.extend(versions.iter().map(|(name, version)| format!("{word}: {} {version}", NAMES[*name])));
        }
        lines.extend(self.has_cutoff.then(|| "newer: 2024-06-01T00:00:00Z".to_owned()));
        lines.push(format!("strategy: {}", self.strategy));
        lines.push(format!("prerelease: {}", self.prerelease));
        lines.push(format!("target: {target}"));
        lines.join("\n")
    }

    /// Returns true if anything tells patch releases of one Python apart.
    pub(crate) fn divides(&self) -> bool {
        let roots = self.roots.iter().map(|(_, need)| need);
        let parts = || self.projects.iter().flatten().flat_map(|release| &release.parts);
        let mut needs =
            roots.chain(&self.constraints).chain(&self.overrides).chain(parts().flat_map(|part| &part.needs));
        let patch = |clauses: &[Clause]| specifiers(clauses).contains("3.10.4");
        needs.any(|need| need.marker.as_ref().is_some_and(Marker::divides))
            || parts().any(|part| patch(&part.page_python) || patch(&part.metadata_python))
    }
}
