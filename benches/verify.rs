//! How fast `pinfold verify` reads, beside what this machine can hash at most.
//!
//! ```text
//! cargo bench -p pinfold --bench verify
//! cargo bench -p pinfold --bench verify -- PROJECT CACHE
//! ```
//! `PROJECT` is a directory with a `pylock.toml` and its synced `.venv`, `CACHE` the cache directory it was synced with;
//! without them an environment of some hundred MiB is made. In each round the command and the limit run one after the other,
//! in turns first: every file of the environment through SHA-256, on two threads, the biggest first, with nothing else done.
//! The ratio is that of one round: the machine's clock drifts, so rates of different rounds say nothing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pinfold_testkit::{Index, Python, TempHome};
use sha2::Digest as _;

fn main() {
    let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).filter(|it| it.is_dir()).collect();
    let made;
    let (project, cache) = match &given[..] {
        [project, cache] => (project.clone(), cache.clone()),
        _ => {
            made = synthetic();
            (made.project(), made.cache())
        }
    };
    let mut files = Vec::new();
    list(&project.join(".venv"), &mut files);
    files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let bytes: u64 = files.iter().map(|(size, _)| size).sum();
    println!("{} files, {:.2} GB", files.len(), bytes as f64 / 1e9);
    hash_all(&files);
    let mut ratios = Vec::new();
    let mut quick = Vec::new();
    for round in 0..ROUNDS {
        let verify = || verify(&project, &cache, &[]);
        let limit = || seconds(|| hash_all(&files));
        let (own, best) = if round % 2 == 0 {
            let own = verify();
            (own, limit())
        } else {
            let best = limit();
            (verify(), best)
        };
        quick.push(self::verify(&project, &cache, &["--quick"]));
        ratios.push(best / own);
        let rate = |seconds: f64| bytes as f64 / 1e9 / seconds;
        println!(
            "round {round}: verify {own:.2} s = {:.2} GB/s; limit {best:.2} s = {:.2} GB/s; ratio {:.2}; quick {:.3} s",
            rate(own),
            rate(best),
            best / own,
            quick[round],
        );
    }
    println!("median: {:.2} of the limit, quick {:.3} s", median(&mut ratios), median(&mut quick));
}

/// Makes a project whose environment has many small files and some big ones.
fn synthetic() -> TempHome {
    let mut index = Index::new().wheel("greet", "1.0");
    for number in 0..SMALL_FILES {
        index = index.module(&format!("greet/small_{number}.py"), &format!("x = {number}\n").repeat(400));
    }
    for number in 0..BIG_FILES {
        index = index.module(&format!("greet/big_{number}.txt"), &number.to_string().repeat(BIG_BYTES));
    }
    let (home, server) = (TempHome::new(), index.start());
    let python = Python::found();
    home.write(
        "pinfold.toml",
        format!(
            "[project]\nname = \"demo\"\nrequires-python = \"=={}.*\"\ndependencies = [\"greet\"]\n\
             targets = [\"linux-x86_64-glibc2.17\"]\n[[index]]\nname = \"main\"\nurl = \"{}\"\ndefault = true\n",
            python.minor,
            server.url()
        ),
    );
    for verb in ["lock", "sync"] {
        home.pinfold(PINFOLD).arg(verb).arg("--python").arg(&python.path).run().expect_code(0);
    }
    home
}

fn verify(project: &Path, cache: &Path, arguments: &[&str]) -> f64 {
    let mut command = Command::new(PINFOLD);
    command.arg("-C").arg(project).arg("--cache-dir").arg(cache).arg("--quiet").arg("verify").args(arguments);
    seconds(|| {
        assert!(command.status().expect("it can be started").success(), "the environment is as it was installed")
    })
}

fn seconds(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn list(directory: &Path, files: &mut Vec<(u64, PathBuf)>) {
    for entry in fs::read_dir(directory).expect("the environment can be listed").flatten() {
        let metadata = fs::symlink_metadata(entry.path()).expect("it is there");
        if metadata.is_dir() {
            list(&entry.path(), files);
        } else if metadata.is_file() {
            files.push((metadata.len(), entry.path()));
        }
    }
}

/// The limit: read and hash, and nothing else.
fn hash_all(files: &[(u64, PathBuf)]) {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some((_, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = File::open(path).expect("it can be opened");
            let mut hasher = sha2::Sha256::new();
            loop {
                match file.read(&mut buffer).expect("it can be read") {
                    0 => break,
                    count => hasher.update(&buffer[..count]),
                }
            }
            std::hint::black_box(hasher.finalize());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
}

const PINFOLD: &str = env!("CARGO_BIN_EXE_pinfold");
const ROUNDS: usize = 5;
const SMALL_FILES: usize = 4000;
const BIG_FILES: usize = 24;
const BIG_BYTES: usize = 12 << 20;
const BUFFER_BYTES: usize = 256 << 10;
