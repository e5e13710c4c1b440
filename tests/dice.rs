//! Chance that can be had again: what a test made up follows from a number that its failure names.

/// Numbers that follow from a seed alone (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Returns a number below this one.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.roll(count) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.roll(among.len())]
    }
}

/// Returns the numbers of what is tried: so many as a variable says, else `usual`, from where `…_FROM` says.
pub(crate) fn numbers(variable: &str, usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let from: u64 = number(&format!("{variable}_FROM")).unwrap_or(0);
    from..from + number(variable).unwrap_or(usual)
}
