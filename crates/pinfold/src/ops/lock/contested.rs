//! Names that two indexes could claim (dependency confusion through what a routed package needs).
//!
//! A name without a route belongs to the default index. For what the maintainer requires that is a decision. What a package
//! of *another* index needs is nobody's decision yet: its authors mean the package that is beside theirs, and whoever registers
//! that name on the default index would be installed in its place. So the index that a package comes from is asked whether it has
//! what the package needs; where it has, the maintainer must say to which of the two the name belongs. The question tells
//! that index nothing: it published the package that names the other.
//!
//! What is looked for is what a lock could take: files that are for one of its targets, from before its cutoff. So what the index adds
//! later changes no verdict. A recording was made of what had been decided, and is not asked again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_artifact::SafeUrl;
use pinfold_fetch::Connectivity;
use pinfold_manifest::UploadTime;
use pinfold_packaging::{PackageName, Target};
use pinfold_resolve::Solution;

use super::indexes::Index;
use super::pages::{self, Reach, Relevance};
use super::source::{Patience, Source};
use crate::exit::Failure;
use crate::ops::hands;

/// The names that packages of routed indexes need and nobody routed.
pub(super) struct Contested<'a> {
    source: &'a Source,
    relevance: Arc<Relevance>,
    cutoff: Option<Timestamp>,
    /// By the name and the URL of the index that could claim it.
    wanted: BTreeMap<(PackageName, &'a SafeUrl), Claim<'a>>,
}

/// Who could claim a name beside the default index, and who needs it.
struct Claim<'a> {
    index: &'a Index,
    needed_by: String,
}

impl<'a> Contested<'a> {
    /// Wants nothing yet. What an index offers counts where it serves one of the targets and is not after the cutoff.
    pub(super) fn new(source: &'a Source, targets: &[Target], cutoff: Option<Timestamp>) -> Self {
        let relevance = match source {
            Source::Live { relevance: Some(relevance), .. } => Arc::clone(relevance),
            _ => Arc::new(Relevance::new(targets, cutoff)),
        };
        Self { source, relevance, cutoff, wanted: BTreeMap::new() }
    }

    /// Refuses what packages of routed indexes need and nobody routed, if their own index has it too.
    ///
    /// # Errors
    /// As [`Contested::refuse`].
    pub(super) fn look(mut self, solutions: &[Solution]) -> Result<(), Failure> {
        if self.source.indexes().all().len() < 2 {
            return Ok(());
        }
        for solution in solutions {
            for (name, chosen) in &solution.packages {
                // What is required by URL is asked of no index.
                let from_index = chosen.dependencies.iter().filter(|needed| {
                    let found = solution.packages.get(*needed);
                    found.is_some_and(|it| self.source.indexes().all().iter().any(|i| i.url == *it.origin.index()))
                });
                self.want(chosen.origin.index(), &format!("{name} {}", chosen.version), from_index);
            }
        }
        self.refuse()
    }

    /// Takes note of what a package of an index needs.
    pub(super) fn want<'n>(
        &mut self,
        origin: &SafeUrl,
        needed_by: &str,
        names: impl IntoIterator<Item = &'n PackageName>,
    ) {
        let indexes = self.source.indexes();
        let Some(index) = indexes.all().iter().find(|index| index.url == *origin) else { return };
        let is_contested = |name: &PackageName| indexes.of(name).is_ok_and(|owner| owner.url != index.url);
        for name in names.into_iter().filter(|name| !indexes.is_routed(name) && is_contested(name)) {
            let needed_by = || Claim { index, needed_by: needed_by.to_owned() };
            self.wanted.entry((name.clone(), &index.url)).or_insert_with(needed_by);
        }
    }

    /// Asks the indexes of those that need the names, and refuses to choose where one of them has a name.
    ///
    /// # Errors
    /// Exit 3 if one has it, exit 4 if one does not say.
    pub(super) fn refuse(self) -> Result<(), Failure> {
        let wanted: Vec<_> = self.wanted.iter().collect();
        let answers = hands::each(&wanted, HANDS, |((name, _), claim)| self.has(name, claim.index));
        let mut found = Vec::new();
        for (((name, _), claim), answer) in wanted.into_iter().zip(answers) {
            let decide =
                || format!("say in the manifest which index `{name}` belongs to, and no other is asked: {RULE}");
            match answer {
                Ok(true) => found.push((name, claim)),
                Ok(false) => {}
                Err(failure) => {
                    let why = format!("{} needs it, and the manifest routes it to no index", claim.needed_by);
                    let help = failure.help.iter().cloned().chain([decide()]).collect::<Vec<_>>().join("\n");
                    return Err(failure.with("asked because", why).help(help));
                }
            }
        }
        if found.is_empty() { Ok(()) } else { Err(self.failure(&found)) }
    }

    fn failure(&self, found: &[(&PackageName, &Claim<'_>)]) -> Failure {
        let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let shown = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut failure = Failure::refused(
            "ambiguous-origin",
            format!("refused to choose an index for {shown}: two have it, and the manifest routes it to neither"),
        );
        for (name, claim) in found {
            let default = self.source.indexes().of(name).map(|index| format!("`{}` ({})", index.name, index.url));
            failure = failure.with("name", name).with("needed by", &claim.needed_by);
            failure = failure.with("offered by", format!("`{}` ({})", claim.index.name, claim.index.url));
            failure = failure.with("would come from", default.unwrap_or_default());
        }
        let list: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let list = list.join(", ");
        failure
            .help(format!("decide where each belongs, in the manifest: {RULE}\nnot decided yet: packages = [{list}]"))
    }

    /// Returns true if an index has files of a project that the lock could take.
    fn has(&self, name: &PackageName, index: &Index) -> Result<bool, Failure> {
        let Source::Live { fetcher, world, patience, serials, relevance, .. } = self.source else { return Ok(false) };
        let (url, origin) = (index.page_url(name)?, index.origin());
        let tells_time = index.upload_time == UploadTime::Told;
        let at_rest = tells_time && matches!(patience, Patience::Advised(_));
        if let Some(cutoff) = self.cutoff.filter(|_| at_rest) {
            let seen = fetcher.recall(&self.not_there_kind(), &origin, &url)?;
            let seen = seen.and_then(|seen| seen.first_chunk::<8>().copied()).map(i64::from_le_bytes);
            if seen.is_some_and(|seen| seen > cutoff.as_second()) {
                return Ok(false);
            }
        }
        let rule = relevance.as_deref().filter(|_| tells_time);
        let page = match pages::at_hand(fetcher, index, &url, (*patience, Reach::Disk), rule)? {
            Some(page) => Some(page),
            None => pages::fetched(fetcher, index, &url, name, (*patience, *serials), rule)?,
        };
        let is_there = page.is_some_and(|page| page.all_files().any(|file| !tells_time || self.relevance.keeps(file)));
        if !is_there && fetcher.connectivity() == Connectivity::Online {
            let now = world.now().as_second().to_le_bytes().to_vec();
            fetcher.remember(&self.not_there_kind(), &origin, &url, now.into())?;
        }
        Ok(is_there)
    }

    /// Returns the form under which is remembered that an index did not have a project, and when, in seconds since 1970. What
    /// it has for other targets, or had by another cutoff, is another question.
    fn not_there_kind(&self) -> String {
        format!("not-there-2-{}", self.relevance.pack_name())
    }
}

/// How a name is given to an index.
const RULE: &str = "write it into the `packages` of the `[[index]]` that it belongs to, be that the default one";

/// Pages that are asked for at once.
const HANDS: usize = 16;
