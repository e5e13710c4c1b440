//! `pinfold sync`: arguments in, a short account of what changed out.

use std::time::Instant;

use pinfold_fetch::Connectivity;
use pinfold_install::{Adoption, Bytecode, LinkMode, Relocation};
use pinfold_lock::Wanted;
use pinfold_packaging::{ExtraName, GroupName, NameError};

use super::account::Account;
use crate::cli::{self, ResultFormat};
use crate::exit::{Exit, Failure};
use crate::ops::places;
use crate::ops::sync::{Extent, SyncRequest, sync};
use crate::output::Output;
use crate::world::World;

/// Makes the environment what the lock says.
///
/// # Errors
/// As [`places::check`] and [`sync`].
pub(super) fn run(arguments: &cli::Sync, world: &World, output: &Output) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let extent = if arguments.dry_run { Extent::Plan } else { Extent::Apply };
    let request = SyncRequest {
        lock: &arguments.lock,
        venv: &arguments.venv,
        python: arguments.python.as_deref(),
        wanted: wanted(arguments)?,
        connectivity: if arguments.offline { Connectivity::Offline } else { Connectivity::Online },
        link_mode: match arguments.link_mode {
            cli::LinkMode::Auto => LinkMode::Auto,
            cli::LinkMode::Copy => LinkMode::Copy,
            cli::LinkMode::Hardlink => LinkMode::Hardlink,
            cli::LinkMode::Reflink => LinkMode::Reflink,
        },
        bytecode: if arguments.compile_bytecode { Bytecode::Compile } else { Bytecode::Leave },
        relocation: arguments.relocatable.map(
            |is_asked| {
                if is_asked { Relocation::Relocatable } else { Relocation::Fixed }
            },
        ),
        keep: arguments.keep,
        adoption: if arguments.adopt { Adoption::SetAside } else { Adoption::Refuse },
        patience: (&arguments.wait).into(),
        counts_downloads: extent == Extent::Plan || arguments.format == ResultFormat::Json,
        extent,
    };
    places::check(&request, world)?;
    let synced = sync(&request, world, output)?;
    Account { synced: &synced, arguments, extent, begun }.give(output);
    Ok(Exit::Done)
}

fn wanted(arguments: &cli::Sync) -> Result<Wanted, Failure> {
    let wrong = |e: NameError| Failure::of(Exit::Input, &e);
    let extras = arguments.extras.iter().map(|text| text.parse::<ExtraName>()).collect::<Result<_, _>>();
    let groups = arguments.groups.iter().map(|text| text.parse::<GroupName>()).collect::<Result<_, _>>();
    Ok(Wanted { extras: extras.map_err(wrong)?, groups: groups.map_err(wrong)? })
}
