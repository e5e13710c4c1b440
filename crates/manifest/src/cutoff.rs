//! `exclude-newer`: the moment after which an upload does not exist.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// A moment, or a span before the moment of locking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cutoff {
    /// A moment.
    At(Timestamp),
    /// So long ago.
    Span {
        /// How long, more than nothing.
        seconds: i64,
        /// The span as it was written.
        written: String,
    },
}

/// Why a text is no cutoff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is neither a time such as `2024-08-20T00:00:00Z` nor a span such as `7 days`")]
pub struct CutoffError {
    /// The text, escaped and cut.
    pub found: String,
}

impl Cutoff {
    /// Returns the moment that is meant if it is `now`, in whole seconds.
    pub fn moment(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => *moment,
            Self::Span { seconds, .. } => {
                Timestamp::from_second(now.as_second().saturating_sub(*seconds)).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl FromStr for Cutoff {
    type Err = CutoffError;

    /// Reads RFC 3339 with an offset (a date alone would mean another moment in each time zone), or numbers with units
    /// from minutes to weeks (a month has no fixed length).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || CutoffError { found: text.chars().take(80).flat_map(char::escape_debug).collect() };
        if text.len() > CUTOFF_BYTES {
            return Err(error());
        }
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        let seconds = span_seconds(text).filter(|seconds| *seconds > 0).ok_or_else(error)?;
        Ok(Self::Span { seconds, written: text.to_owned() })
    }
}

fn span_seconds(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let tail = tail.trim_start();
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let seconds = match unit {
            "week" | "weeks" | "w" => 7 * 86_400,
            "day" | "days" | "d" => 86_400,
            "hour" | "hours" | "h" => 3_600,
            "minute" | "minutes" | "min" => 60,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<i64>().ok()?.checked_mul(seconds)?)?;
        rest = tail.trim_start_matches([' ', ',']);
    }
    Some(total)
}

impl fmt::Display for Cutoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => moment.fmt(f),
            Self::Span { written, .. } => f.write_str(written),
        }
    }
}

/// No time or span is longer.
const CUTOFF_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_and_spans() {
        let now: Timestamp = "2024-08-20T12:00:00.75Z".parse().unwrap();
        for (text, expected) in [
            ("2024-08-20T00:00:00Z", "2024-08-20T00:00:00Z"),
            ("2024-08-20T02:00:00+02:00", "2024-08-20T00:00:00Z"),
            ("7 days", "2024-08-13T12:00:00Z"),
            ("1 week, 2 days 3h", "2024-08-11T09:00:00Z"),
            ("90min", "2024-08-20T10:30:00Z"),
        ] {
            let cutoff: Cutoff = text.parse().unwrap();
            assert_eq!(cutoff.moment(now).to_string(), expected, "{text}");
            assert_eq!(cutoff.to_string().parse::<Cutoff>().unwrap().moment(now).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_one_meaning() {
        for text in [
            "",
            "2024-08-20",
            "2024-08-20T00:00:00",
            "1 month",
            "7",
            "0 days",
            "days",
            "-7 days",
            "99999999999999999999 days",
            "9999999999999999 weeks",
            "7 days ago",
        ] {
            assert!(text.parse::<Cutoff>().is_err(), "{text}");
        }
    }
}
