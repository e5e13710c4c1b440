//! How the time to resolve grows with the size of the universe: 10², 10³ and 10⁴ packages, and two sizes between.
//!
//! The universe is made up, the same on every machine, and answers questions as an index would: a page, or the metadata of
//! one file, at the moment it is asked for. Nothing is fetched, so what is measured is the resolver and the rounds that it
//! needs. Releases are dated: a version asks for what was current when it was released, so that the newest of everything
//! does not fit together and choices have to be taken back. A second universe has more packages that are no longer cared
//! for, and more requirements that forbid the next major version: there nearly every package takes part in a conflict.
//!
//! `cargo bench -p pinfold-resolve --bench growth` prints a table of each; with `-- --svg FILE` it draws the plot of the
//! first, too.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot make its input fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pinfold_artifact::Origin;
use pinfold_packaging::{
    BuildPolicy, Metadata, PackageName, PageFormat, Prerelease, Releases, Requirement, SimplePage, Strategy, Target,
    Version,
};
use pinfold_resolve::{Facts, FileKey, Outcome, Problem, ProjectFacts, Question, Root, RootReason, Search, resolve};

/// Packages of the universes.
const SIZES: [u32; 5] = [100, 316, 1_000, 3_162, 10_000];
/// Runs of each size, of which the median counts.
const RUNS: usize = 3;
/// Packages to resolve in one run, so that it takes long enough to be measured: a small universe is resolved often.
const COLD: u32 = 2_000;
const WARM: u32 = 20_000;
/// Packages depend on packages of deeper layers only.
const LAYERS: u32 = 12;
/// Versions of one major version.
const MAJOR: u32 = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let svg = arguments.iter().position(|word| word == "--svg").and_then(|position| arguments.get(position + 1));
    let rows = table(Care::USUAL);
    println!("\nMore conflicts:");
    table(Care::LITTLE);
    if let Some(path) = svg {
        std::fs::write(path, plot(&rows)).expect("the plot can be written");
    }
}

/// Measures every size.
fn table(care: Care) -> Vec<Row> {
    println!(
        "{:>8} {:>9} {:>7} {:>9} {:>12} {:>12} {:>9}",
        "packages", "chosen", "rounds", "questions", "cold", "warm", "peak MiB"
    );
    SIZES.iter().map(|packages| measure(&Universe { packages: *packages, care, origin: origin() })).collect()
}

/// What was measured of one universe.
struct Row {
    packages: u32,
    /// From no facts to the solution, answers included.
    cold: Duration,
    /// With every fact at hand.
    warm: Duration,
}

fn measure(universe: &Universe) -> Row {
    let packages = universe.packages;
    let problem = universe.problem();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let (mut chosen, mut rounds, mut questions) = (0, 0, 0);
    let (cold_repeats, warm_repeats) = ((COLD / packages).max(1), (WARM / packages).max(1));
    for _ in 0..RUNS {
        let mut facts = Facts::new();
        let before = Moment::now();
        for _ in 0..cold_repeats {
            facts = Facts::new();
            (chosen, rounds, questions) = universe.resolve_from_nothing(&problem, &mut facts);
        }
        let between = Moment::now();
        for _ in 0..warm_repeats {
            assert!(matches!(resolve(&problem, &facts), Outcome::Solved(_)), "the same facts give a solution again");
        }
        warm.push(Moment::now().since(between) / warm_repeats);
        cold.push(between.since(before) / cold_repeats);
    }
    let row = Row { packages, cold: median(cold), warm: median(warm) };
    println!(
        "{packages:>8} {chosen:>9} {rounds:>7} {questions:>9} {:>9.1} ms {:>9.1} ms {:>9}",
        row.cold.as_secs_f64() * 1e3,
        row.warm.as_secs_f64() * 1e3,
        peak_mebibytes()
    );
    row
}

/// Two clocks, read at once.
#[derive(Clone, Copy)]
struct Moment {
    wall: Instant,
    /// How long this thread was on a processor, where the system tells.
    busy: Option<Duration>,
}

impl Moment {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        Self { wall: Instant::now(), busy: nanoseconds.map(Duration::from_nanos) }
    }

    /// Returns what passed since: on the processor, so that other work on the machine does not count; that clock is too
    /// coarse for what is over at once.
    fn since(self, before: Self) -> Duration {
        let wall = self.wall - before.wall;
        match (self.busy, before.busy) {
            (Some(now), Some(then)) if now - then > Duration::from_millis(50) => now - then,
            _ => wall,
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Returns the most memory that this process had so far; 0 where the system does not tell.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Packages that are made up when they are asked for.
struct Universe {
    packages: u32,
    care: Care,
    /// Where all of them come from.
    origin: Origin,
}

/// How well its packages go together.
#[derive(Clone, Copy)]
struct Care {
    /// One package in so many is no longer cared for.
    stale_one_in: u32,
    /// One requirement in so many forbids the next major version.
    capped_one_in: u32,
}

impl Care {
    const USUAL: Self = Self { stale_one_in: 20, capped_one_in: 10 };
    const LITTLE: Self = Self { stale_one_in: 5, capped_one_in: 4 };
}

/// Random numbers that are the same everywhere (SplitMix64).
struct Dice(u64);

impl Dice {
    /// Starts anew for one thing, so that what is asked first does not matter.
    fn of(package: u32, what: u32) -> Self {
        Self((u64::from(package) << 32) | u64::from(what))
    }

    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(sides)).unwrap_or(0)
    }
}

impl Universe {
    /// Resolves round by round; returns how much was chosen, and how many rounds and questions that took.
    fn resolve_from_nothing(&self, problem: &Problem, facts: &mut Facts) -> (usize, usize, usize) {
        let mut search = Search::new(problem);
        let (mut rounds, mut questions) = (0, 0);
        loop {
            rounds += 1;
            match search.proceed(facts) {
                Outcome::Need(need) => {
                    questions += need.questions.len();
                    need.questions.iter().for_each(|question| self.answer(question, facts));
                }
                Outcome::Solved(solution) => return (solution.packages.len(), rounds, questions),
                other => panic!("{} packages: {other:?}", self.packages),
            }
        }
    }

    /// Asks for the packages of the first layer.
    fn problem(&self) -> Problem {
        let roots = (0..self.layer_end(0)).map(|package| Root {
            requirement: name(package).parse().expect("a name is a requirement"),
            reason: RootReason::Base,
            written: String::new(),
        });
        Problem {
            target: Target::new("linux-x86_64".parse().expect("a system"), "3.12".parse().expect("a Python")),
            roots: roots.collect(),
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
        }
    }

    fn layer_end(&self, layer: u32) -> u32 {
        // Deeper layers are as wide as the first, but for the last, which has what is left.
        if layer + 1 >= LAYERS { self.packages } else { (self.packages * (layer + 1) / LAYERS).max(layer + 1) }
    }

    /// 20 to 100.
    fn releases(package: u32) -> u32 {
        20 + Dice::of(package, u32::MAX).roll(81)
    }

    /// When the last version was released, in thousandths of the time there is: some packages are no longer cared for.
    fn end(&self, package: u32) -> u32 {
        let mut dice = Dice::of(package, u32::MAX - 2);
        if dice.roll(self.care.stale_one_in) == 0 { 800 + dice.roll(200) } else { 1_000 }
    }

    /// When a version was released.
    fn released(&self, package: u32, release: u32) -> u32 {
        (release + 1) * self.end(package) / Self::releases(package)
    }

    /// The newest release at a moment.
    fn current(&self, package: u32, moment: u32) -> u32 {
        let releases = Self::releases(package);
        (moment * releases / self.end(package)).clamp(1, releases) - 1
    }

    fn answer(&self, question: &Question, facts: &mut Facts) {
        match question {
            Question::Page(name) => {
                facts.add_page(name.clone(), ProjectFacts::new(self.origin.clone(), self.page(number(name))));
            }
            Question::Metadata { name, version, file, .. } => {
                facts.add_metadata(FileKey::of(file), Arc::new(self.metadata(name, version)));
            }
        }
    }

    /// Reads the page that an index would give, and holds it as the command does.
    fn page(&self, package: u32) -> Releases {
        let project: PackageName = name(package).parse().expect("a name");
        let mut text = String::from("<!DOCTYPE html><title>files</title>");
        for release in 0..Self::releases(package) {
            let filename = format!("{project}-{}-py3-none-any.whl", version(release));
            let _ = write!(text, "<a href=\"https://files.test/{filename}\">{filename}</a>");
        }
        let page = SimplePage::parse(text.as_bytes(), PageFormat::Html, self.origin.index(), &project).expect("a page");
        Releases::from_bytes(Releases::from(page).to_bytes().into()).expect("a page that was written is read")
    }

    fn metadata(&self, name: &PackageName, version: &Version) -> Metadata {
        let package = number(name);
        let release = version.release().iter().fold(0, |sum, part| sum * MAJOR + u32::try_from(*part).unwrap_or(0));
        let mut metadata = Metadata::of(name.clone(), version.clone());
        metadata.requires_dist = self.requirements(package, release);
        metadata.requires_python = Some(">=3.8".parse().expect("specifiers"));
        metadata.provides_extras = BTreeSet::from(["extra".parse().expect("an extra")]);
        metadata
    }

    /// Three to nine requirements on deeper layers: what was current at the release, or somewhat older, and newer. Some
    /// forbid the next major version, one in ten is for Windows, one in ten for an extra.
    fn requirements(&self, package: u32, release: u32) -> Vec<Requirement> {
        let layer = (0..LAYERS).find(|layer| package < self.layer_end(*layer)).unwrap_or(LAYERS - 1);
        let first = self.layer_end(layer);
        if first >= self.packages {
            return Vec::new();
        }
        let mut choice = Dice::of(package, u32::MAX - 1);
        let count = 3 + choice.roll(7);
        let mut names = BTreeMap::new();
        for _ in 0..count {
            // Most depend on the next layer; a few packages are popular everywhere.
            let near = self.layer_end((layer + 1).min(LAYERS - 1));
            let end = if choice.roll(3) == 0 { self.packages } else { near };
            names.insert(first + choice.roll(end - first), choice.roll(40));
        }
        let moment = self.released(package, release);
        let one = |(on, kind): (u32, u32)| {
            let low = self.current(on, moment.saturating_sub(250));
            let next = self.current(on, moment) / MAJOR + 1;
            let upper = if kind % self.care.capped_one_in == 0 { format!(",<{next}") } else { String::new() };
            let marker = match kind {
                1..=4 => "; sys_platform == 'win32'",
                5..=8 => "; extra == 'extra'",
                _ => "",
            };
            let text = format!("{}>={}{upper}{marker}", name(on), version(low));
            text.parse().expect("a requirement")
        };
        names.into_iter().map(one).collect()
    }
}

fn name(package: u32) -> String {
    format!("package{package}")
}

fn number(name: &PackageName) -> u32 {
    name.as_str().trim_start_matches("package").parse().expect("a package of this universe")
}

fn version(release: u32) -> String {
    format!("{}.{}", release / MAJOR, release % MAJOR)
}

fn origin() -> Origin {
    Origin::new(&"https://index.test/simple/".parse().expect("a URL"), [])
}

/// Draws both series over the number of packages, both axes logarithmic, beside a line of linear growth.
fn plot(rows: &[Row]) -> String {
    let (width, height) = (720.0, 420.0);
    let (left, right, top, bottom) = (70.0, 680.0, 40.0, 370.0);
    let times = rows.iter().flat_map(|row| [row.cold, row.warm]).map(|time| (time.as_secs_f64() * 1e3).log10());
    let times = times.map(|time: f64| time.max(-2.0));
    let (low, high) = times.fold((f64::MAX, f64::MIN), |(low, high), time| (low.min(time), high.max(time)));
    let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
    let (first, last) = (2.0, 4.0);
    let x = |packages: f64| left + (packages.log10() - first) / (last - first) * (right - left);
    let y = |log_ms: f64| bottom - (log_ms - low) / (high - low) * (bottom - top);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Time to resolve, by number of packages</title>\n<style>\n\
         text {{ fill: #333 }} .grid {{ stroke: #ccc }} .linear {{ stroke: #999; stroke-dasharray: 5 4 }}\n\
         .cold {{ stroke: #c2410c; fill: none }} .warm {{ stroke: #1d4ed8; fill: none }}\n\
         circle.cold {{ fill: #c2410c }} circle.warm {{ fill: #1d4ed8 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #ddd }} .grid {{ stroke: #444 }} .linear {{ stroke: #777 }}\n\
         .cold {{ stroke: #fb923c }} .warm {{ stroke: #60a5fa }} circle.cold {{ fill: #fb923c }} circle.warm {{ fill: #60a5fa }} }}\n\
         </style>\n"
    );
    let mut draw = |text: String| svg.push_str(&text);
    for (packages, label) in [(100.0, "100"), (1_000.0, "1,000"), (10_000.0, "10,000")] {
        let at = x(packages);
        draw(format!("<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\n"));
        draw(format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n", bottom + 18.0));
    }
    let mut decade = low;
    while decade <= high {
        let at = y(decade);
        draw(format!("<line class=\"grid\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\n"));
        draw(format!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            left - 8.0,
            at + 4.0,
            label(decade)
        ));
        decade += 1.0;
    }
    for (class, words, offset) in
        [("cold", "from no facts, answers included", 0.0), ("warm", "with every fact at hand", 20.0)]
    {
        let point = |row: &Row| {
            let time = if class == "cold" { row.cold } else { row.warm };
            (x(f64::from(row.packages)), y((time.as_secs_f64() * 1e3).log10()))
        };
        let points: Vec<String> = rows.iter().map(point).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        draw(format!("<polyline class=\"{class}\" stroke-width=\"2\" points=\"{}\"/>\n", points.join(" ")));
        for (x, y) in rows.iter().map(point) {
            draw(format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>\n"));
        }
        let at = top + 18.0 + offset;
        draw(format!("<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"4\"/>\n", left + 18.0, at - 4.0));
        draw(format!("<text x=\"{}\" y=\"{at}\">{words}</text>\n", left + 28.0));
    }
    if let Some(row) = rows.first() {
        let start = (row.cold.as_secs_f64() * 1e3).log10();
        let end = (start + 2.0).min(high);
        let reach = 10f64.powf(first + end - start);
        draw(format!(
            "<line class=\"linear\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
            x(100.0),
            y(start),
            x(reach),
            y(end)
        ));
        draw(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">linear</text>\n",
            x(reach) - 12.0,
            y(end) + 22.0
        ));
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">packages</text>\n</svg>\n",
        (left + right) / 2.0,
        height - 12.0
    );
    svg
}

fn label(decade: f64) -> String {
    if decade >= 3.0 { format!("{} s", 10f64.powf(decade - 3.0)) } else { format!("{} ms", 10f64.powf(decade)) }
}
