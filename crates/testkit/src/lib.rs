//! A hostile index in threads, wheels and archives made from recipes, temporary homes, and a runner for the command.
//!
//! Fakes are built, not recorded, and read as what they are:
//!
//! ```
//! use pinfold_testkit::{Fault, Index};
//! let index = Index::new().wheel("a", "1.0").requires("b>=1").wheel("b", "1.0").fault(Fault::Truncated).start();
//! assert!(index.url().starts_with("http://127.0.0.1:"));
//! ```
//!
//! Every byte is the same on every run: archives carry no clock and no path. Nothing here knows what pinfold does with
//! what it is given; a test that wants to know reads the server's request log and the files of its [`TempHome`].
//! This crate is only ever a dev-dependency, so it panics where a product crate would return an error.

mod digest;
mod fault;
mod home;
mod http;
mod index;
mod modes;
mod page;
mod python;
mod runner;
mod sdist;
mod server;
mod tar;
mod trace;
mod wheel;
mod zip;

pub use digest::{sha256, sha256_hex, sha256_record};
pub use fault::Fault;
pub use home::TempHome;
#[cfg(unix)]
pub use home::{copy_tree, make_pipe};
pub use http::Request;
pub use index::{Index, PageFormats};
pub use modes::bound_by_modes;
pub use python::{Python, run_python};
pub use runner::{Finished, Pinfold, Running};
pub use sdist::SdistRecipe;
pub use server::Server;
pub use tar::{HostileTar, TarEntry};
pub use trace::{Failing, Lacking, Meddling, Point, Traced, Watching, announce_skipped};
pub use wheel::WheelRecipe;
pub use zip::{Descriptor, HeaderFields, HostileZip, ZipMember};
