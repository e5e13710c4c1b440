//! Which start of the machine this is. What was written since is in the memory of the system, whatever has reached the disk;
//! of what was written before, a loss of power may have taken some.

/// A start of the machine; all zero where the system does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot(pub(crate) [u8; Self::BYTES]);

impl Boot {
    pub(crate) const BYTES: usize = 16;
    /// No start that is known.
    pub const UNKNOWN: Self = Self([0; Self::BYTES]);

    /// Asks the system.
    pub(crate) fn current() -> Self {
        #[cfg(target_os = "linux")]
        if let Ok(text) = std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
            return Self::parse(&text).unwrap_or(Self::UNKNOWN);
        }
        Self::UNKNOWN
    }

    #[cfg(any(target_os = "linux", test))]
    fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b'-').collect();
        let mut bytes = [0; Self::BYTES];
        if digits.len() != 2 * Self::BYTES {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns true if nothing that was written under `written` can have been lost since.
    pub(crate) fn has_kept(self, written: Self) -> bool {
        self == written || self == Self::UNKNOWN
    }
}

impl std::fmt::Display for Boot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_system_says() {
        let boot = Boot::parse("0123abcd-0000-1111-2222-333344445555\n").unwrap();
        assert_eq!(boot.to_string(), "0123abcd000011112222333344445555");
        for wrong in ["", "0123", "x123abcd-0000-1111-2222-333344445555", "0123abcd-0000-1111-2222-3333444455556"] {
            assert_eq!(Boot::parse(wrong), None, "{wrong}");
        }
        #[cfg(target_os = "linux")]
        assert!(Boot::current() != Boot::UNKNOWN && Boot::current() == Boot::current());
    }

    #[test]
    fn only_another_start_may_have_lost_something() {
        let (one, other) = (Boot([1; 16]), Boot([2; 16]));
        assert!(one.has_kept(one) && !one.has_kept(other) && !one.has_kept(Boot::UNKNOWN));
        assert!(Boot::UNKNOWN.has_kept(one) && Boot::UNKNOWN.has_kept(Boot::UNKNOWN));
    }
}
