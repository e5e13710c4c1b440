//! Random indexes, each locked in every state of cache and disk: cold, half warm, warm in another place, over its own lock,
//! offline, recorded and replayed. All give the same bytes; and where there is no solution, the same words.
//!
//! `PINFOLD_UNIVERSES=500` tries so many, `PINFOLD_UNIVERSES_FROM=24` begins with that one. A failure names its universe.

use pinfold_testkit::{Fault, Finished, Index, PageFormats, Python, SdistRecipe, TempHome};

use crate::dice::{Dice, numbers};
use crate::project::{PINFOLD, Project};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const VERSIONS: [&str; 8] = ["0.9", "1.0", "1.0.post1", "1.1", "2.0rc1", "2.0", "2.1+local", "1!0.1"];
const SPECIFIERS: [&str; 14] = [
    "",
    "",
    "",
    ">=1",
    "<2",
    "<=1.1",
    ">0.9",
    "!=1.0",
    "~=1.0",
    "==1.*",
    "!=2.*",
    "==1.0",
    ">=2.0rc1",
    ">=0.9,<2,!=1.1",
];
const MARKERS: [&str; 6] = [
    "",
    "",
    "",
    "; sys_platform == 'win32'",
    "; sys_platform != 'win32'",
    "; platform_machine == 'arm64' or sys_platform == 'linux'",
];
const PLATFORMS: [&str; 3] = ["manylinux_2_17_x86_64", "win_amd64", "macosx_11_0_arm64"];

/// Universes that are tried where nobody asks for more.
const UNIVERSES: u64 = 12;

/// What an index tells of its files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// Size and SHA-256 of each: nothing but a lock's first run has to ask for them.
    Everything,
    /// Of some neither, of some one of them: they are read whole whenever a lock is made.
    LessThanThat,
}

impl Dice {
    fn requirement(&mut self) -> String {
        let extras = if self.one_in(4) { "[x]" } else { "" };
        format!("{}{extras}{}{}", self.pick(&NAMES), self.pick(&SPECIFIERS), self.pick(&MARKERS))
    }

    /// Says of the file begun last what it needs, and what else its page tells.
    fn describe(&mut self, mut index: Index, telling: Telling) -> Index {
        for _ in 0..[0, 0, 1, 1, 2][self.roll(5)] {
            index = index.requires(&self.requirement());
        }
        if self.one_in(3) {
            let requirement = self.requirement();
            index = index.extra("x", &requirement);
        }
        if self.one_in(12) {
            index = index.requires_python([">=3.6", "<3.9", ">=3.20"][self.roll(3)]);
        }
        if self.one_in(10) {
            index = index.yanked("withdrawn");
        }
        if telling == Telling::Everything {
            return index;
        }
        if self.one_in(8) {
            index = index.fault(if self.one_in(2) { Fault::NoHash } else { Fault::Md5Only });
        }
        if self.one_in(4) { index.without_size() } else { index }
    }

    fn index(&mut self, telling: Telling) -> Index {
        // A page in HTML tells no sizes.
        let formats = match telling {
            Telling::Everything => [PageFormats::Both, PageFormats::Json][self.roll(2)],
            Telling::LessThanThat => [PageFormats::Both, PageFormats::Html][self.roll(2)],
        };
        let mut index = Index::new().formats(formats);
        for name in NAMES {
            for version in VERSIONS {
                if self.one_in(2) {
                    continue;
                }
                match self.roll(10) {
                    0 => index = index.sdist_from(SdistRecipe::new(name, version).requires("nothing-of-it-is-read")),
                    1 => {
                        for platform in PLATFORMS {
                            if !self.one_in(5) {
                                index = index.wheel(name, version).tag(&format!("py3-none-{platform}"));
                                index = self.describe(index, telling);
                            }
                        }
                    }
                    _ => {
                        index = index.wheel(name, version);
                        index = self.describe(index, telling);
                    }
                }
            }
        }
        if self.one_in(2) {
            index = index.sidecars();
        }
        if self.one_in(3) { index.without_ranges() } else { index }
    }
}

/// An index and a question to it.
struct Universe {
    number: u64,
    telling: Telling,
    project: Project,
    /// Another question to the same index.
    other_manifest: String,
}

impl Universe {
    fn new(number: u64) -> Self {
        let mut dice = Dice(number);
        let telling = if dice.one_in(2) { Telling::Everything } else { Telling::LessThanThat };
        let index = dice.index(telling);
        let roots: Vec<String> = (0..=dice.roll(2)).map(|_| dice.requirement()).collect();
        let others: Vec<String> = (0..=dice.roll(3)).map(|_| dice.requirement()).collect();
        let resolution = dice.pick(&["highest", "highest", "lowest", "lowest-direct"]);
        let prerelease = dice.pick(&["if-necessary", "if-necessary", "allow", "never"]);
        let lines = format!(
            "targets = [\"linux-x86_64\", \"windows-x86_64\", \"macos-aarch64\"]\nresolution = \"{resolution}\"\n\
             prerelease = \"{prerelease}\""
        );
        let further =
            format!("[groups]\ndev = [{:?}]\n[extras]\nmore = [{:?}]", dice.requirement(), dice.requirement());
        let project = Project { home: TempHome::new(), server: index.start() };
        let manifest = |roots: &[String]| {
            let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
            project.write_manifest(&roots, &lines, &further);
            project.home.read("pinfold.toml")
        };
        let other_manifest = manifest(&others);
        manifest(&roots);
        Self { number, telling, project, other_manifest }
    }

    /// A home elsewhere that asks the same.
    fn elsewhere(&self) -> TempHome {
        let home = TempHome::new();
        home.write("pinfold.toml", self.project.home.read("pinfold.toml"));
        home
    }

    /// Locks in a home.
    fn lock(&self, home: &TempHome, arguments: &[&str]) -> Finished {
        home.pinfold(PINFOLD).args(["lock", "--python"]).arg(&Python::found().path).args(arguments).run()
    }

    /// Locks where there is no lock, and compares it with one.
    fn same(&self, home: &TempHome, arguments: &[&str], lock: &str) {
        self.lock(home, arguments).expect_code(0);
        assert_eq!(home.read("pylock.toml"), lock, "universe {}, {arguments:?}", self.number);
    }

    /// Every way to this lock gives its bytes.
    fn holds(&self, lock: &str) {
        let home = &self.project.home;
        self.lock(home, &["--check"]).expect_code(0);
        self.same(home, &[], lock);
        std::fs::remove_file(home.project().join("pylock.toml")).expect("there is a lock");
        self.same(home, if self.telling == Telling::Everything { &["--offline"] } else { &[] }, lock);

        let warm = self.elsewhere();
        self.same(&warm, &["--cache-dir", &home.cache().to_string_lossy()], lock);

        // A cache that another question filled, where it has an answer.
        let half_warm = self.elsewhere();
        let manifest = half_warm.read("pinfold.toml");
        half_warm.write("pinfold.toml", &self.other_manifest);
        self.lock(&half_warm, &["-o", "other.toml"]);
        half_warm.write("pinfold.toml", manifest);
        self.same(&half_warm, &["--record", "index.recording"], lock);
        self.lock(&half_warm, &["--check"]).expect_code(0);

        let recording = std::fs::read(half_warm.project().join("index.recording")).expect("there is a recording");
        let replayed = self.elsewhere();
        replayed.write("index.recording", recording);
        let asked = self.project.server.requests().len();
        self.same(&replayed, &["--replay", "index.recording"], lock);
        self.lock(&replayed, &["--replay", "index.recording", "--check"]).expect_code(0);
        assert_eq!(self.project.server.requests().len(), asked, "universe {}: a replay asked", self.number);
    }

    /// Every way says the same of why there is no lock.
    fn refuses(&self, first: &Finished) {
        let warm = self.elsewhere();
        let again = [
            self.lock(&self.project.home, &[]),
            self.lock(&self.project.home, &["--offline"]),
            self.lock(&warm, &["--cache-dir", &self.project.home.cache().to_string_lossy()]),
        ];
        for again in again {
            assert_eq!((again.code, &again.stderr), (1, &first.stderr), "universe {}", self.number);
        }
        assert!(!self.project.home.has("pylock.toml") && !warm.has("pylock.toml"));
    }
}

#[test]
fn every_way_to_a_lock_gives_the_same_bytes() {
    let (mut solved, mut unsolved) = (0, 0);
    let tried = numbers("PINFOLD_UNIVERSES", UNIVERSES);
    for number in tried.clone() {
        let universe = Universe::new(number);
        let first = universe.lock(&universe.project.home, &[]);
        match first.code {
            0 => {
                solved += 1;
                universe.holds(&universe.project.home.read("pylock.toml"));
            }
            1 => {
                unsolved += 1;
                universe.refuses(&first);
            }
            _ => panic!("universe {number}: {first}"),
        }
    }
    assert!(tried.start > 0 || (solved > 3 && unsolved > 3), "{solved} universes have a lock, {unsolved} have none");
}
