//! PEP 440 read a second time, for the oracle alone: versions as plain numbers, and what each operator says of them.
//!
//! Nothing of the product is used here. Only the canonical spelling is read; how else a version may be spelled is tested
//! elsewhere.

use std::fmt;

/// A version in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    epoch: u64,
    release: Vec<u64>,
    /// 0 to 2: alpha, beta, release candidate.
    pre: Option<(usize, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
    local: Vec<Label>,
    text: String,
}

/// A part of a local version; a number is above every word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Word(String),
    Number(u64),
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Above,
    AtLeast,
    AtMost,
    Below,
    Compatible,
    Equal,
    EqualPrefix,
    Identical,
    NotEqual,
    NotEqualPrefix,
}

/// One clause: an operator and a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    sign: Sign,
    version: Version,
}

impl Version {
    /// Reads the canonical spelling: `1!2.0rc1.post2.dev3+cu.1`.
    pub(crate) fn read(text: &str) -> Self {
        let (public, local) = text.split_once('+').unwrap_or((text, ""));
        let (epoch, rest) = public.split_once('!').unwrap_or(("0", public));
        let (rest, dev) = number_after(rest, ".dev");
        let (rest, post) = number_after(rest, ".post");
        let kinds = ["a", "b", "rc"].iter().enumerate();
        let found =
            kinds.map(|(kind, sign)| (kind, number_after(rest, sign))).find(|(_, (_, number))| number.is_some());
        let (release, pre) = match found {
            Some((kind, (release, number))) => (release, number.map(|number| (kind, number))),
            None => (rest, None),
        };
        let label = |part: &str| part.parse().map_or_else(|_| Label::Word(part.to_owned()), Label::Number);
        Self {
            epoch: epoch.parse().unwrap(),
            release: release.split('.').map(|number| number.parse().unwrap()).collect(),
            pre,
            post,
            dev,
            local: local.split('.').filter(|part| !part.is_empty()).map(label).collect(),
            text: text.to_owned(),
        }
    }

    /// Alphas, betas, release candidates, and development releases of anything.
    pub(crate) const fn is_prerelease(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }

    fn public(&self) -> Self {
        Self { local: Vec::new(), ..self.clone() }
    }

    /// "Trailing zeros in the release segment do not matter."
    fn trimmed(&self) -> &[u64] {
        let end = self.release.iter().rposition(|number| *number > 0).map_or(0, |last| last + 1);
        &self.release[..end]
    }

    /// The order of PEP 440: `.devN, aN, bN, rcN, <no suffix>, .postN` within a release, `.devN` first within each of these.
    pub(crate) fn key(&self) -> impl Ord + '_ {
        let phase = match (self.pre, self.post, self.dev) {
            (None, None, Some(_)) => (0, 0, 0),
            (Some((kind, number)), ..) => (1, kind, number),
            (None, ..) => (2, 0, 0),
        };
        let post = self.post.map_or(0, |number| number + 1);
        let dev = self.dev.unwrap_or(u64::MAX);
        (self.epoch, self.trimmed(), phase, post, dev, &self.local)
    }

    /// The same epoch, and the same release numbers as far as they are given; missing ones are zero.
    fn begins_with(&self, other: &Self, count: usize) -> bool {
        let own = |position: usize| self.release.get(position).copied().unwrap_or(0);
        self.epoch == other.epoch && (0..count).all(|position| own(position) == other.release[position])
    }

    /// A post-release of the other, or a development release of one.
    fn is_post_of(&self, other: &Self) -> bool {
        let without = || Self { post: None, dev: None, ..self.public() };
        self.post.is_some() && other.post.is_none() && other.dev.is_none() && without().key() == other.key()
    }

    /// A pre-release of the other, which is none itself.
    fn is_pre_of(&self, other: &Self) -> bool {
        let suffixed = match other.post {
            Some(_) => self.pre.is_none() && self.post == other.post && self.dev.is_some(),
            None => self.pre.is_some() || (self.post.is_none() && self.dev.is_some()),
        };
        suffixed && self.epoch == other.epoch && self.trimmed() == other.trimmed()
    }
}

/// Cuts a sign and the number after it off the end.
fn number_after<'a>(text: &'a str, sign: &str) -> (&'a str, Option<u64>) {
    match text.split_once(sign) {
        Some((before, number)) => (before, Some(number.parse().unwrap())),
        None => (text, None),
    }
}

impl Clause {
    /// Fits a version to an operator: only equality knows local versions, a prefix has nothing after its numbers, and a
    /// compatible release has two of them.
    pub(crate) fn new(sign: Sign, version: &Version) -> Self {
        let text = match sign {
            Sign::Equal | Sign::Identical | Sign::NotEqual => version.text.clone(),
            Sign::EqualPrefix | Sign::NotEqualPrefix => {
                let numbers: Vec<String> = version.release.iter().map(u64::to_string).collect();
                let epoch = if version.epoch > 0 { format!("{}!", version.epoch) } else { String::new() };
                format!("{epoch}{}", numbers.join("."))
            }
            Sign::Compatible if version.release.len() < 2 => "1.0".to_owned(),
            _ => version.text.split('+').next().unwrap().to_owned(),
        };
        Self { sign, version: Version::read(&text) }
    }

    /// As [`Clause::new`], with so many numbers of the release as a prefix.
    pub(crate) fn prefix(sign: Sign, version: &Version, count: usize) -> Self {
        let Self { version, .. } = Self::new(sign, version);
        let (epoch, release) =
            version.text.split_once('!').map_or(("", version.text.as_str()), |(own, rest)| (own, rest));
        let numbers: Vec<&str> = release.split('.').take(count.max(1)).collect();
        let mark = if epoch.is_empty() { "" } else { "!" };
        Self { sign, version: Version::read(&format!("{epoch}{mark}{}", numbers.join("."))) }
    }

    /// What the specification says, sentence by sentence.
    pub(crate) fn accepts(&self, candidate: &Version) -> bool {
        let own = &self.version;
        // "Local version labels MUST be ignored entirely when checking if candidate versions match", but for equality with one.
        let stripped = (!candidate.local.is_empty()).then(|| candidate.public());
        let public = stripped.as_ref().unwrap_or(candidate);
        let is_equal = if own.local.is_empty() { public.key() == own.key() } else { candidate.key() == own.key() };
        let has_prefix = |count: usize| public.begins_with(own, count);
        match self.sign {
            Sign::Above => public.key() > own.key() && !public.is_post_of(own),
            Sign::AtLeast => public.key() >= own.key(),
            Sign::AtMost => public.key() <= own.key(),
            Sign::Below => public.key() < own.key() && (own.is_prerelease() || !public.is_pre_of(own)),
            Sign::Compatible => public.key() >= own.key() && has_prefix(own.release.len() - 1),
            Sign::Equal => is_equal,
            Sign::EqualPrefix => has_prefix(own.release.len()),
            // Ours: versions are compared, not their spelling.
            Sign::Identical => candidate.key() == own.key(),
            Sign::NotEqual => !is_equal,
            Sign::NotEqualPrefix => !has_prefix(own.release.len()),
        }
    }

    /// `==V` and `===V`, which take what was yanked (PEP 592).
    pub(crate) const fn is_pin(&self) -> bool {
        matches!(self.sign, Sign::Equal | Sign::Identical)
    }

    /// It asks for a pre-release; to rule one out is not to ask for others.
    pub(crate) const fn names_prerelease(&self) -> bool {
        !matches!(self.sign, Sign::NotEqual) && self.version.is_prerelease()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, star) = match self.sign {
            Sign::Above => (">", ""),
            Sign::AtLeast => (">=", ""),
            Sign::AtMost => ("<=", ""),
            Sign::Below => ("<", ""),
            Sign::Compatible => ("~=", ""),
            Sign::Equal => ("==", ""),
            Sign::EqualPrefix => ("==", ".*"),
            Sign::Identical => ("===", ""),
            Sign::NotEqual => ("!=", ""),
            Sign::NotEqualPrefix => ("!=", ".*"),
        };
        write!(f, "{sign}{}{star}", self.version)
    }
}
