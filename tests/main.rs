//! The promises, kept end to end against the built command: the table of contents.

// A project on a loopback index, on which most promises are tried.
mod project;

// Chance that can be had again.
mod dice;

// Each attack is refused, and leaves nothing.
mod attacks;
// A network that closes at each stage leaves the old environment.
mod closed_network;
// Several at once on one store and one environment.
mod concurrent;
// The cache tells what it holds, whether it is what was stored, and makes room without harm.
mod cache;
// A lock that is current is found to be current.
mod current;
// What is required by URL, by path or from a repository.
mod direct;
// Bad input and a failing world: a clear error, the right exit code, nothing lost.
mod exit_codes;
// Killed anywhere, a change of an environment leaves the old one or the new one.
mod kill;
// Which interpreter is taken where none is named.
#[cfg(unix)]
mod interpreters;
// A lock explains itself, to people and to programs.
mod explains;
// A system call that fails ends the run, and leaves the old environment.
mod faults;
// What an index without upload times adds later does not get in by itself.
mod first_seen;
// What pip is set up with is an input of the lock.
mod pip;
// What is on the disk when.
mod power_loss;
// A real application: Fooocus's requirements give its committed lock, offline.
mod fooocus;
// How many generations are kept, what may be replaced, who waits for whom.
mod generations;
// Every install can be accounted for, and nobody changes the account unseen.
mod ledger;
// The same inputs give the same lock, and it holds what was asked for.
mod lock;
// What became of modes, and under which umask.
#[cfg(unix)]
mod modes;
// A lock that is older than what is installed, or changes while it is read.
mod older_lock;
// Requirements files say what they say to pip, and an error says where.
mod requirements_files;
// Scripts start wherever the environment is.
mod relocatable;
// Random indexes, in every state of cache and disk.
mod universes;
// A recording gives the lock again, offline.
mod replay;
// The same inputs give the same bytes, wherever and whenever.
mod reproducible;
// The past is kept.
mod rollback;
// Random lives of environments, held against a model at every step.
#[cfg(unix)]
mod lives;
// What left the history is what the next environment is made of.
#[cfg(target_os = "linux")]
mod spare;
// What an sdist says of itself is believed where it binds its wheels.
mod sdists;
// The store notices when it is not what was stored.
#[cfg(unix)]
mod store;
// The environment is exactly the lock.
mod sync;
// What a sync says, before and after.
mod sync_output;
// What was installed can be found again, wherever it went.
mod trace;
// What was found wrong is put right from the store, or nothing is changed.
#[cfg(unix)]
mod repair;
// Every installed byte is held against the lock.
mod verify;
// The same as a form that other programs read.
mod verify_sarif;
// What changes in an environment is told as it happens.
#[cfg(target_os = "linux")]
mod watch;

// The rules of this repository.
mod tidy;
