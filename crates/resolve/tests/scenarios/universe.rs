//! A small universe written as text, and questions to it written as text.
//!
//! A line of a universe is a version: `a 1.0 yanked python=>=3.11 -> b>=2 | c; sys_platform == 'win32'`. Words between the
//! version and the arrow:
//!
//! | word | means |
//! | --- | --- |
//! | `wheel=TAGS` | a wheel with these tags; without any `wheel` or `sdist` there is one `py3-none-any` wheel |
//! | `sdist` | a source distribution |
//! | `yanked`, `yanked=REASON` | its files are yanked |
//! | `python=SPECIFIERS` | the page's `data-requires-python`; a file of which it cannot be read is left out of the page |
//! | `metapython=SPECIFIERS` | the metadata's `Requires-Python` |
//! | `at=TIME` | upload time |
//! | `extras=x,y` | `Provides-Extra` |
//! | `called=NAME` | the metadata speaks of another project |
//! | `url=URL` | where the file is; the file's name is the URL's |
//!
//! Two lines may describe one version: then each has its own files. `status NAME quarantined` and `index NAME URL` (where a
//! project is looked up) are lines too. Every other name is absent from its index.
//!
//! A line of a problem is a requirement (`[dev] x` of a group, `{gpu} x` of an extra), or `WORD: VALUE`. Of several
//! `target` lines each is resolved in turn, as the command does it: what was chosen for one is preferred for the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use pinfold_artifact::{Origin, SafeUrl};
use pinfold_packaging::{
    BuildPolicy, CoreMetadata, DistributionFilename, Metadata, Missed, PackageName, PageFile, Prerelease, ProjectState,
    ProjectStatus, Requirement, SimplePage, SkippedFile, Specifiers, Strategy, System, Target, Version,
};
use pinfold_resolve::{
    Facts, FileKey, Order, Outcome, Problem, ProjectFacts, Question, Root, RootReason, Search, Solution,
};

/// Every page and metadata that there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Universe {
    pub(crate) pages: BTreeMap<PackageName, SimplePage>,
    metadata: Vec<(FileKey, Result<Arc<Metadata>, String>)>,
    indexes: BTreeMap<PackageName, Origin>,
}

/// What a resolution took, beside the outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Questions for metadata; pages are not counted.
    pub(crate) metadata: usize,
}

impl Universe {
    pub(crate) fn new(text: &str) -> Self {
        let mut universe = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            universe.read(line);
        }
        universe
    }

    fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("status ") {
            let (name, state) = rest.split_once(' ').unwrap();
            let state = match state {
                "archived" => ProjectState::Archived,
                "deprecated" => ProjectState::Deprecated,
                "quarantined" => ProjectState::Quarantined,
                other => panic!("no state: {other}"),
            };
            self.page(&name.parse().unwrap()).status = ProjectStatus { state, reason: Some("a test".to_owned()) };
            return;
        }
        if let Some((name, url)) = line.strip_prefix("index ").and_then(|rest| rest.split_once(' ')) {
            self.indexes.insert(name.parse().unwrap(), Origin::new(&url.parse().unwrap(), []));
            return;
        }
        let (head, requirements) = line.split_once("->").unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let name: PackageName = words.next().unwrap().parse().unwrap();
        let version = words.next().unwrap();
        let mut recipe = Recipe::default();
        words.for_each(|word| recipe.read(word));
        if let Some(url) = &recipe.url {
            recipe.files = vec![url.rsplit('/').next().unwrap().to_owned()];
        } else if recipe.files.is_empty() {
            recipe.files.push(format!("{}-{version}-py3-none-any.whl", name.as_str().replace('-', "_")));
        } else {
            let stem = format!("{}-{version}", name.as_str().replace('-', "_"));
            recipe.files.iter_mut().for_each(|end| *end = format!("{stem}{end}"));
        }
        let metadata = recipe.metadata(&name, version, requirements).map(Arc::new);
        for filename in recipe.files {
            let filename: pinfold_artifact::ArtifactFilename = filename.parse().unwrap();
            let url = recipe.url.clone().unwrap_or_else(|| format!("https://index.test/files/{filename}"));
            let url: SafeUrl = url.parse().unwrap();
            let file = PageFile {
                distribution: DistributionFilename::parse(&filename, &name).unwrap(),
                filename,
                url: url.into(),
                size_bytes: None,
                sha256: None,
                upload_time: recipe.time,
                requires_python: recipe.page_python.clone(),
                broken_python: recipe.broken_python.clone(),
                yanked: recipe.yanked.clone(),
                core_metadata: CoreMetadata::Absent,
            };
            if let Some(reason) = recipe.unreadable_python.clone() {
                let missed = Missed { distribution: file.distribution, upload_time: file.upload_time };
                let filename = file.filename.to_string();
                let skipped = SkippedFile { filename, reason, missed: recipe.yanked.is_none().then_some(missed) };
                self.page(&name).skipped.push(skipped);
                continue;
            }
            self.metadata.push((FileKey::of(&file), metadata.clone()));
            self.page(&name).files.push(file);
        }
    }

    /// Returns where a project is looked up.
    fn origin_of(&self, name: &PackageName) -> Origin {
        self.indexes.get(name).cloned().unwrap_or_else(origin)
    }

    fn page(&mut self, name: &PackageName) -> &mut SimplePage {
        self.pages.entry(name.clone()).or_insert_with(|| SimplePage {
            files: Vec::new(),
            status: ProjectStatus { state: ProjectState::Active, reason: None },
            last_serial: None,
            skipped: Vec::new(),
        })
    }

    /// Everything that is known, in the given order of insertion.
    pub(crate) fn facts(&self, reversed: bool) -> Facts {
        let mut facts = Facts::new();
        let mut pages: Vec<_> = self.pages.iter().collect();
        let mut metadata: Vec<_> = self.metadata.iter().collect();
        if reversed {
            pages.reverse();
            metadata.reverse();
        }
        for (key, own) in metadata {
            add_metadata(&mut facts, key.clone(), own);
        }
        for (name, page) in pages {
            facts.add_page(name.clone(), ProjectFacts::new(self.origin_of(name), page.clone()));
        }
        facts
    }

    /// Answers a question.
    pub(crate) fn answer(&self, question: &Question, facts: &mut Facts) {
        match question {
            Question::Page(name) => match self.pages.get(name) {
                Some(page) => facts.add_page(name.clone(), ProjectFacts::new(self.origin_of(name), page.clone())),
                None => facts.add_absent(name.clone(), self.origin_of(name)),
            },
            Question::Metadata { file, .. } => {
                let key = FileKey::of(file);
                assert!(!facts.has_metadata(&key), "asked again: {question:?}");
                let (_, metadata) = self.metadata.iter().find(|(own, _)| *own == key).unwrap();
                add_metadata(facts, key, metadata);
            }
        }
    }

    /// Resolves in the order that another resolution learned; returns what is known of the order then.
    pub(crate) fn in_order(&self, problem: &Problem, order: &Order) -> (Outcome, Order) {
        let mut search = Search::in_order(problem, order);
        let (outcome, _) = self.proceed(&mut search, self.facts(false), Answers::All);
        (outcome, search.order())
    }

    /// Resolves round by round; returns what it took, too.
    pub(crate) fn crawl(&self, problem: &Problem, facts: Facts) -> (Outcome, Effort) {
        self.proceed(&mut Search::new(problem), facts, Answers::All)
    }

    /// Resolves round by round, and answers no guess.
    fn crawl_without_guesses(&self, problem: &Problem) -> Outcome {
        self.proceed(&mut Search::new(problem), Facts::new(), Answers::Needed).0
    }

    fn proceed(&self, search: &mut Search<'_>, mut facts: Facts, answers: Answers) -> (Outcome, Effort) {
        let mut effort = Effort::default();
        while effort.rounds < 5_000 {
            effort.rounds += 1;
            let outcome = search.proceed(&facts);
            let Outcome::Need(need) = outcome else { return (outcome, effort) };
            assert!(!need.needed.is_empty());
            for (position, question) in need.questions.iter().enumerate() {
                if answers == Answers::Needed && !need.needed.contains(&position) {
                    continue;
                }
                match question {
                    Question::Metadata { .. } => effort.metadata += 1,
                    Question::Page(name) => assert!(!facts.has_page(name), "asked again: {name}"),
                }
                self.answer(question, &mut facts);
            }
        }
        panic!("no end");
    }
}

/// Which questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    All,
    Needed,
}

#[derive(Default)]
struct Recipe {
    files: Vec<String>,
    yanked: Option<String>,
    page_python: Option<Specifiers>,
    broken_python: Option<Arc<str>>,
    unreadable_python: Option<String>,
    metadata_python: Option<Specifiers>,
    time: Option<jiff::Timestamp>,
    extras: BTreeSet<pinfold_packaging::ExtraName>,
    called: Option<PackageName>,
    url: Option<String>,
}

impl Recipe {
    fn metadata(&self, name: &PackageName, version: &str, requirements: &str) -> Result<Metadata, String> {
        let mut repairs = Vec::new();
        let mut requires_dist = Vec::new();
        for text in requirements.split('|').map(str::trim).filter(|one| !one.is_empty()) {
            let (requirement, own) = Requirement::parse_lenient(text).map_err(|error| error.to_string())?;
            repairs.extend(own);
            requires_dist.push(requirement);
        }
        let called = self.called.clone().unwrap_or_else(|| name.clone());
        let mut metadata = Metadata::of(called, version.parse().unwrap());
        metadata.requires_dist = requires_dist;
        metadata.requires_python = self.metadata_python.clone();
        metadata.provides_extras = self.extras.clone();
        metadata.repairs = repairs;
        Ok(metadata)
    }

    fn read(&mut self, word: &str) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "wheel" => self.files.push(format!("-{value}.whl")),
            "sdist" => self.files.push(".tar.gz".to_owned()),
            "yanked" => self.yanked = Some(value.to_owned()),
            "python" => match Specifiers::parse_lenient(value) {
                Ok((specifiers, repairs)) => {
                    self.page_python = Some(specifiers);
                    self.broken_python = (!repairs.is_empty()).then(|| value.into());
                }
                Err(error) => self.unreadable_python = Some(error.to_string()),
            },
            "metapython" => self.metadata_python = Some(Specifiers::parse_lenient(value).unwrap().0),
            "at" => self.time = Some(format!("{value}T00:00:00Z").parse().unwrap()),
            "extras" => self.extras = value.split(',').map(|one| one.parse().unwrap()).collect(),
            "url" => self.url = Some(value.to_owned()),
            "called" => self.called = Some(value.parse().unwrap()),
            other => panic!("no word: {other}"),
        }
    }
}

fn add_metadata(facts: &mut Facts, key: FileKey, metadata: &Result<Arc<Metadata>, String>) {
    match metadata {
        Ok(metadata) => facts.add_metadata(key, Arc::clone(metadata)),
        Err(reason) => facts.add_unreadable(key, reason),
    }
}

pub(crate) fn origin() -> Origin {
    Origin::new(&"https://index.test/simple/".parse().unwrap(), [])
}

/// Reads a problem; the target is `linux-x86_64 python 3.10` unless it says otherwise.
pub(crate) fn problem(text: &str) -> Problem {
    let mut problem = Problem {
        target: Target::new("linux-x86_64".parse::<System>().unwrap(), "3.10".parse().unwrap()),
        roots: Vec::new(),
        constraints: Vec::new(),
        overrides: Vec::new(),
        exclude: BTreeSet::new(),
        locked: BTreeMap::new(),
        preferences: BTreeMap::new(),
        limits: BTreeMap::new(),
        prerelease: Prerelease::IfNecessary,
        strategy: Strategy::Highest,
        exclude_newer: None,
        build: BuildPolicy::none(),
        no_binary: BTreeSet::new(),
    };
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    for (position, line) in lines {
        match line.split_once(": ") {
            Some((word, value)) => set(&mut problem, word, value),
            None => problem.roots.push(root(line, position + 1)),
        }
    }
    problem
}

fn root(line: &str, position: usize) -> Root {
    let (reason, text) = if let Some((name, text)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        (RootReason::Group(name.parse().unwrap()), text)
    } else if let Some((name, text)) = line.strip_prefix('{').and_then(|rest| rest.split_once("} ")) {
        (RootReason::Extra(name.parse().unwrap()), text)
    } else {
        (RootReason::Base, line)
    };
    Root { requirement: Requirement::parse(text).unwrap(), reason, written: format!("app.toml:{position}") }
}

fn target(text: &str) -> Target {
    let (system, python) = text.split_once(' ').unwrap();
    Target::new(system.parse().unwrap(), python.parse().unwrap())
}

fn set(problem: &mut Problem, word: &str, value: &str) {
    match word {
        "constraint" => problem.constraints.push(Requirement::parse(value).unwrap()),
        "override" => problem.overrides.push(Requirement::parse(value).unwrap()),
        "exclude" => drop(problem.exclude.insert(value.parse().unwrap())),
        "locked" => {
            let (name, version) = value.split_once(' ').unwrap();
            problem.locked.entry(name.parse().unwrap()).or_default().push(version.parse().unwrap());
        }
        "prefer" => {
            let (name, version) = value.split_once(' ').unwrap();
            problem.preferences.entry(name.parse().unwrap()).or_default().push(version.parse().unwrap());
        }
        "prerelease" => problem.prerelease = value.parse().unwrap(),
        "strategy" => problem.strategy = value.parse().unwrap(),
        "newer" => problem.exclude_newer = Some(value.parse().unwrap()),
        "build" => problem.build = value.parse().unwrap(),
        "no-binary" => drop(problem.no_binary.insert(value.parse().unwrap())),
        "target" => problem.target = target(value),
        other => panic!("no setting: {other}"),
    }
}

/// Resolves a problem in a universe in four ways, which must agree: with all facts at once, with the same facts inserted in
/// the opposite order, round by round, and round by round with no guess answered.
pub(crate) fn outcome(universe: &str, problem_text: &str) -> Outcome {
    let universe = Universe::new(universe);
    let problem = problem(problem_text);
    outcome_in(&universe, &problem)
}

pub(crate) fn outcome_in(universe: &Universe, problem: &Problem) -> Outcome {
    let (at_once, _) = universe.crawl(problem, universe.facts(false));
    let (reversed, _) = universe.crawl(problem, universe.facts(true));
    let (crawled, _) = universe.crawl(problem, Facts::new());
    assert_eq!(shown(&at_once), shown(&reversed), "the order of facts matters");
    assert_eq!(shown(&at_once), shown(&crawled), "facts that are not needed matter");
    let unguessed = universe.crawl_without_guesses(problem);
    assert_eq!(shown(&at_once), shown(&unguessed), "answers to guesses matter");
    at_once
}

/// Asks a universe and writes the answer for a reader: the chosen versions, each with its file where that is not the plain
/// `py3-none-any` wheel, and warnings; or the explanation; or the refusal. A target that a marker divides is asked in parts.
pub(crate) fn ask(universe: &str, question: &str) -> String {
    let universe = Universe::new(universe);
    let problem = problem(question);
    let targets: Vec<Target> =
        question.lines().filter_map(|line| line.trim().strip_prefix("target: ")).map(target).collect();
    if targets.len() < 2 {
        return parts(&universe, &problem)
            .into_iter()
            .map(|(target, text, _)| if target == problem.target { text } else { titled(&target, &text) })
            .collect::<Vec<_>>()
            .join("\n");
    }
    let mut preferences = problem.preferences.clone();
    let mut texts = Vec::new();
    for target in targets {
        let problem = Problem { target, preferences: preferences.clone(), ..problem.clone() };
        for (target, text, chosen) in parts(&universe, &problem) {
            texts.push(titled(&target, &text));
            for (name, version) in chosen {
                preferences.entry(name).or_insert_with(|| vec![version]);
            }
        }
    }
    texts.join("\n")
}

fn titled(target: &Target, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("{target}:\n{}", lines.join("\n"))
}

/// Resolves a target, or the parts of it, with what was chosen for each.
fn parts(universe: &Universe, problem: &Problem) -> Vec<(Target, String, BTreeMap<PackageName, Version>)> {
    let outcome = outcome_in(universe, problem);
    let mut chosen = BTreeMap::new();
    let text = match &outcome {
        Outcome::Divide(cut) => {
            let (lower, upper) = problem.target.divide(cut).unwrap();
            let part = |target| parts(universe, &Problem { target, ..problem.clone() });
            return [part(lower), part(upper)].concat();
        }
        Outcome::Need(_) => brief(&outcome),
        Outcome::NoSolution(explanation) => explanation.to_string(),
        Outcome::Refused(refusal) => format!("refused ({}): {refusal}", refusal.refusal_code().unwrap()),
        Outcome::Solved(solution) => {
            chosen = solution.packages.iter().map(|(name, own)| (name.clone(), own.version.clone())).collect();
            solution_text(solution)
        }
    };
    vec![(problem.target.clone(), text, chosen)]
}

fn solution_text(solution: &Solution) -> String {
    let mut lines = Vec::new();
    for (name, chosen) in &solution.packages {
        let file = chosen.file.filename.as_str();
        let origin = chosen.origin.index().to_string();
        let mut line = format!("{name} {}", chosen.version);
        if file.ends_with(".tar.gz") {
            line.push_str(" (sdist)");
        } else if !file.ends_with(&format!("{}-py3-none-any.whl", chosen.version)) {
            write!(line, " ({file})").unwrap();
        }
        if origin != "https://index.test/simple/" {
            write!(line, " from {origin}").unwrap();
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push("nothing is needed".to_owned());
    }
    lines.extend(solution.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}

/// Writes an outcome: `a 1.0, b 2.0` or `refused …` or `divide …` or `no solution`.
pub(crate) fn brief(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Divide(cut) => format!("divide {cut}"),
        Outcome::Need(need) => format!("need {}", need.questions.len()),
        Outcome::NoSolution(_) => "no solution".to_owned(),
        Outcome::Refused(refusal) => format!("refused {}", refusal.refusal_code().unwrap()),
        Outcome::Solved(solution) => versions(solution),
    }
}

pub(crate) fn versions(solution: &Solution) -> String {
    let all: Vec<String> =
        solution.packages.iter().map(|(name, chosen)| format!("{name} {}", chosen.version)).collect();
    all.join(", ")
}

/// Writes everything of an outcome that can be compared.
pub(crate) fn shown(outcome: &Outcome) -> String {
    let mut text = brief(outcome);
    match outcome {
        Outcome::NoSolution(explanation) => write!(text, "\n{explanation}").unwrap(),
        Outcome::Refused(refusal) => write!(text, "\n{refusal}").unwrap(),
        Outcome::Solved(solution) => write!(text, "\n{solution:?}").unwrap(),
        Outcome::Divide(_) | Outcome::Need(_) => {}
    }
    text
}

/// Checks what comes out, in brief.
#[track_caller]
pub(crate) fn check(universe: &str, problem: &str, expected: &str) {
    let outcome = outcome(universe, problem);
    assert_eq!(brief(&outcome), expected, "{universe}\n{problem}\n{}", shown(&outcome));
}

/// Returns the explanation of a problem that has no solution.
#[track_caller]
pub(crate) fn explained(universe: &str, problem: &str) -> String {
    match outcome(universe, problem) {
        Outcome::NoSolution(explanation) => explanation.to_string(),
        other => panic!("not expected: {}", shown(&other)),
    }
}

/// Returns the solution of a problem that has one.
#[track_caller]
pub(crate) fn solved(universe: &str, problem: &str) -> Solution {
    match outcome(universe, problem) {
        Outcome::Solved(solution) => solution,
        other => panic!("not expected: {}", shown(&other)),
    }
}

pub(crate) fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}
