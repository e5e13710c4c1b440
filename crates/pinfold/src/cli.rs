//! The arguments, as they are typed. What they mean is decided in `commands/`.
//!
//! Every global option has an environment variable `PINFOLD_…`. None of them turns a check off.

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// Reads the arguments of the process; ends it where they are wrong, or ask for help. A variable that is set to nothing counts as
/// one that is not set: it is how a variable is taken back where it cannot be unset.
pub fn parse() -> Cli {
    let mut command = without_empty_variables(Cli::command());
    let read = command.try_get_matches_from_mut(std::env::args_os()).and_then(|it| Cli::from_arg_matches(&it));
    read.unwrap_or_else(|error| error.format(&mut command).exit())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let forget = |arg: Arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg };
    command.mut_args(forget).mut_subcommands(without_empty_variables)
}

/// What the variable of an option without a value may say: `1`, `true`, `yes`, `on`, or the contrary.
fn yes_or_no() -> BoolishValueParser {
    BoolishValueParser::new()
}

/// The command line of pinfold.
#[derive(Debug, Parser)]
#[command(name = "pinfold", version, about, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Acts as if started in DIR; every relative path is relative to it
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, env = "PINFOLD_DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Keeps downloaded pages and files below DIR
    #[arg(long, value_name = "DIR", global = true, env = "PINFOLD_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Writes messages as text or as one JSON object per event, on standard error
    #[arg(long, value_name = "FORMAT", global = true, env = "PINFOLD_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Says nothing but errors and results
    #[arg(short, long, global = true, env = "PINFOLD_QUIET", value_parser = yes_or_no(), conflicts_with = "verbose")]
    pub quiet: bool,
    /// Says more
    #[arg(short, long, global = true, env = "PINFOLD_VERBOSE", value_parser = yes_or_no())]
    pub verbose: bool,
    /// Uses colour
    #[arg(long, value_name = "WHEN", global = true, env = "PINFOLD_COLOR", default_value = "auto")]
    pub color: ColorChoice,
    /// Draws no progress bars
    #[arg(long, global = true, env = "PINFOLD_NO_PROGRESS", value_parser = yes_or_no())]
    pub no_progress: bool,
}

/// Form of the messages on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Sentences.
    Text,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// Always.
    Always,
    /// On a terminal.
    Auto,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Looks at the cache, checks every byte in it, makes room in it
    Cache(Cache),
    /// Says what changed between two locks; exits 1 if anything did
    Diff(Diff),
    /// Says what a refusal means, why it matters and what to do
    Explain(Explain),
    /// Writes a lock in a form that other tools read
    Export(Export),
    /// Lists the generations of an environment and what changed from one to the next
    History(History),
    /// Resolves the requirements into pylock.toml
    Lock(Lock),
    /// Lists what is newer than the lock, on the lock's own indexes
    Outdated(Outdated),
    /// Goes back to a former generation of an environment
    Rollback(Rollback),
    /// Makes an environment exactly what the lock says
    Sync(Sync),
    /// Says which environments hold or held an artifact, a file or a project, from where and since when
    Trace(Trace),
    /// Shows which package needs which
    Tree(Tree),
    /// Checks every installed byte against the lock
    Verify(Verify),
    /// Says who asks for a package, where it applies, and what keeps it from being newer
    Why(Why),
}

/// `pinfold cache`.
#[derive(Debug, Args)]
pub struct Cache {
    /// What to do with the cache
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Says what is in the cache and how much room it takes
    Info(CacheFormat),
    /// Removes what interrupted runs left behind, and what else is asked for; says how much room that makes
    Prune(Prune),
    /// Reads every byte of every entry; damaged ones are moved away, and the exit code is 1
    Verify(CacheFormat),
}

/// Form of what `cache` says.
#[derive(Debug, Args)]
pub struct CacheFormat {
    /// Form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// `pinfold cache prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Removes everything that pinfold keeps here but what is known of environments: the next sync fetches anew, the next lock asks anew
    #[arg(long, conflicts_with_all = ["unused", "older_than"])]
    pub all: bool,
    /// Removes what was not used for so long (`30d`, `2 weeks`)
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<String>,
    /// Removes what no environment that is known has now or could go back to; with --older-than, only what is that old too
    #[arg(long)]
    pub unused: bool,
    /// Says what would be removed, and removes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Fails at once if another pinfold uses the store
    #[arg(long)]
    pub no_wait: bool,
    /// Form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// `pinfold lock`.
#[derive(Debug, Args)]
pub struct Lock {
    /// Reads requirements from FILE instead of a manifest
    #[arg(short = 'r', long = "requirements", value_name = "FILE")]
    pub requirements: Vec<PathBuf>,
    /// The only index, with -r
    #[arg(long, value_name = "URL")]
    pub index_url: Option<String>,
    /// Locks for this target instead of the manifest's
    #[arg(long = "target", value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Locks for this minor version of Python instead of the manifest's
    #[arg(long = "python-version", value_name = "X.Y")]
    pub python_versions: Vec<String>,
    /// Takes files uploaded later than this for not existing (a time, or a span such as `7 days`)
    #[arg(long, value_name = "TIME")]
    pub exclude_newer: Option<String>,
    /// Moves every package to the newest allowed version
    #[arg(long)]
    pub upgrade: bool,
    /// Moves this package to the newest allowed version
    #[arg(long = "upgrade-package", value_name = "PACKAGE")]
    pub upgrade_packages: Vec<String>,
    /// Writes nothing; exits 1 unless locking again gives the same bytes
    #[arg(long)]
    pub check: bool,
    /// Also fetches every wheel and says what `sync` would refuse in it, with the entry that would accept it; exits 1 if there
    /// is anything
    #[arg(long)]
    pub inspect: bool,
    /// Form in which --check says what differs
    #[arg(long, value_name = "FORMAT", requires = "check")]
    pub format: Option<CheckFormat>,
    /// Takes what the index says now of this locked file, which was replaced under its name
    #[arg(long = "accept-replaced", value_name = "FILE", conflicts_with = "check")]
    pub accept_replaced: Vec<String>,
    /// Goes on although the index has less than when the lock was made
    #[arg(long, conflicts_with = "check")]
    pub allow_index_rollback: bool,
    /// Keeps every answer that the lock used in FILE
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// Writes this URL into the recording in place of the default index's
    #[arg(long, value_name = "URL", requires = "record")]
    pub record_as: Option<String>,
    /// Derives the lock from a recording, without network
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Opens no connection
    #[arg(long, env = "PINFOLD_OFFLINE", value_parser = yes_or_no())]
    pub offline: bool,
    /// Builds sdists with, and asks for pip's index, this interpreter
    #[arg(long, value_name = "PATH", env = "PINFOLD_PYTHON")]
    pub python: Option<PathBuf>,
    /// Writes the lock to PATH
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Form of what `lock --check` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// The difference of the two texts, as `diff -u` writes it.
    Diff,
    /// One JSON document.
    Json,
    /// Lines.
    Text,
}

/// How files reach an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinkMode {
    /// A reflink where the file system has it, else a hard link, else a copy.
    Auto,
    /// A copy.
    Copy,
    /// A hard link.
    Hardlink,
    /// A reflink.
    Reflink,
}

/// `pinfold sync`.
#[derive(Debug, Args)]
pub struct Sync {
    /// Reads the lock from PATH
    #[arg(long, value_name = "PATH", env = "PINFOLD_LOCK", default_value = "pylock.toml")]
    pub lock: PathBuf,
    /// The environment to make
    #[arg(long, value_name = "DIR", env = "PINFOLD_VENV", default_value = ".venv")]
    pub venv: PathBuf,
    /// The interpreter to make it for
    #[arg(long, value_name = "PATH", env = "PINFOLD_PYTHON")]
    pub python: Option<PathBuf>,
    /// Also installs this dependency group
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Also installs this extra
    #[arg(long = "extra", value_name = "EXTRA")]
    pub extras: Vec<String>,
    /// Opens no connection: everything must be in the store
    #[arg(long, env = "PINFOLD_OFFLINE", value_parser = yes_or_no())]
    pub offline: bool,
    /// Says what would change, what must be downloaded and what is at hand; writes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Form of what changed, or would
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
    /// Keeps so many former generations, to which `rollback` can go back; 3 unless said otherwise
    #[arg(long, value_name = "N", env = "PINFOLD_KEEP")]
    pub keep: Option<usize>,
    /// Makes an environment that may be moved: its scripts find the interpreter beside themselves. Stays so until `--relocatable=false`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub relocatable: Option<bool>,
    /// Keeps aside a virtual environment that another tool made, and makes ours in its place
    #[arg(long)]
    pub adopt: bool,
    /// What to do while another pinfold changes the environment.
    #[command(flatten)]
    pub wait: Wait,
    /// Compiles every module now instead of when it is first imported
    #[arg(long, env = "PINFOLD_COMPILE_BYTECODE", value_parser = yes_or_no())]
    pub compile_bytecode: bool,
    /// How files reach the environment
    #[arg(long, value_name = "MODE", env = "PINFOLD_LINK_MODE", default_value = "auto")]
    pub link_mode: LinkMode,
}

/// An environment.
#[derive(Debug, Args)]
pub struct Environment {
    /// The environment
    #[arg(long, value_name = "DIR", env = "PINFOLD_VENV", default_value = ".venv")]
    pub venv: PathBuf,
}

/// What to do while another pinfold changes the environment.
#[derive(Debug, Args)]
pub struct Wait {
    /// Waits while another pinfold changes the environment, as long as it takes; this is the default
    #[arg(long, conflicts_with_all = ["no_wait", "lock_timeout"])]
    pub wait: bool,
    /// Fails at once if another pinfold changes the environment
    #[arg(long, conflicts_with = "lock_timeout")]
    pub no_wait: bool,
    /// Fails if another pinfold still changes the environment after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub lock_timeout: Option<u32>,
}

/// `pinfold history`.
#[derive(Debug, Args)]
pub struct History {
    /// The environment.
    #[command(flatten)]
    pub environment: Environment,
    /// Also lists generations that are no longer kept, as the ledger tells of them
    #[arg(long)]
    pub all: bool,
    /// Form of the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// `pinfold rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Goes back to this generation instead of the one before
    pub generation: Option<u64>,
    /// What to do while another pinfold changes the environment.
    #[command(flatten)]
    pub wait: Wait,
    /// The environment.
    #[command(flatten)]
    pub environment: Environment,
}

/// Form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// One JSON document.
    Json,
    /// Lines.
    Text,
}

/// Form of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// One JSON document.
    Json,
    /// A table for a pull request.
    Markdown,
    /// Lines.
    Text,
}

/// `pinfold diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The lock as it was; `-` reads standard input
    pub old: PathBuf,
    /// The lock as it is; `-` reads standard input
    pub new: PathBuf,
    /// Form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: DiffFormat,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A requirements file with hashes, for pip.
    Requirements,
}

/// `pinfold export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Form of the export
    #[arg(long, value_name = "FORMAT")]
    pub format: ExportFormat,
    /// Reads the lock from PATH
    #[arg(long, value_name = "PATH", env = "PINFOLD_LOCK", default_value = "pylock.toml")]
    pub lock: PathBuf,
    /// Writes what this target of the lock installs; without it all targets, told apart by markers
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Also writes this dependency group
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Also writes this extra
    #[arg(long = "extra", value_name = "EXTRA")]
    pub extras: Vec<String>,
    /// Writes to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `pinfold outdated`.
#[derive(Debug, Args)]
pub struct Outdated {
    /// Reads the lock from PATH
    #[arg(long, value_name = "PATH", env = "PINFOLD_LOCK", default_value = "pylock.toml")]
    pub lock: PathBuf,
    /// Form of the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
    /// Opens no connection: says what the cache knows
    #[arg(long, env = "PINFOLD_OFFLINE", value_parser = yes_or_no())]
    pub offline: bool,
    /// Builds sdists with this interpreter, if an upgrade would have to
    #[arg(long, value_name = "PATH", env = "PINFOLD_PYTHON")]
    pub python: Option<PathBuf>,
}

/// `pinfold tree`.
#[derive(Debug, Args)]
pub struct Tree {
    /// Reads the lock from PATH
    #[arg(long, value_name = "PATH", env = "PINFOLD_LOCK", default_value = "pylock.toml")]
    pub lock: PathBuf,
    /// Shows what applies on this target of the lock
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Shows what a package is needed by; without PACKAGE, beginning with those that need nothing
    #[arg(long, value_name = "PACKAGE", num_args = 0..=1, default_missing_value = "")]
    pub invert: Option<String>,
    /// Shows so many levels below the roots
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Form of the tree
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// `pinfold why`.
#[derive(Debug, Args)]
pub struct Why {
    /// The package
    pub package: String,
    /// Reads the lock from PATH
    #[arg(long, value_name = "PATH", env = "PINFOLD_LOCK", default_value = "pylock.toml")]
    pub lock: PathBuf,
    /// Form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// `pinfold trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// A SHA-256 digest (of an artifact, an installed file or a lock), NAME, NAME==VERSION, or the path of a file
    #[arg(value_name = "SHA256|PROJECT|FILE")]
    pub query: String,
    /// Also asks this environment; without it `.venv` and all that were made with this cache directory
    #[arg(long = "venv", value_name = "DIR")]
    pub venvs: Vec<PathBuf>,
    /// Form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ResultFormat,
}

/// `pinfold verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The environment.
    #[command(flatten)]
    pub environment: Environment,
    /// Reads the lock from PATH
    #[arg(long, value_name = "PATH", env = "PINFOLD_LOCK", default_value = "pylock.toml")]
    pub lock: PathBuf,
    /// Form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
    /// Compares only what the file system says of each file (size, time, number, permissions) with what it said when the
    /// file was installed, and reads only what differs in that; proves less, and says so
    #[arg(long, conflicts_with_all = ["repair", "watch"])]
    pub quick: bool,
    /// Puts right what was found: a new generation from the store, checked byte by byte, takes the environment's place in
    /// one step. Opens no connection; exits 0 if all is right then
    #[arg(long, conflicts_with = "watch")]
    pub repair: bool,
    /// Goes on, and reports changes as they happen, until it is ended or the environment is gone (Linux only)
    #[arg(long)]
    pub watch: bool,
    /// How long --repair waits for another process.
    #[command(flatten)]
    pub wait: Wait,
}

/// Form of what `verify` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One JSON document; with --watch one JSON object a line.
    Json,
    /// SARIF 2.1.0, which code hosts and editors read.
    Sarif,
    /// Lines.
    Text,
}

/// `pinfold explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The code of a refusal, such as `hash-mismatch`; without it, all codes are listed
    pub code: Option<String>,
}
