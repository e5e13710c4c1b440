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
pub enum CutoffError {
    /// It is neither a time nor a span.
    #[error("`{found}` is neither a time such as `2024-08-20T00:00:00Z` nor a span such as `7 days`")]
    Malformed {
        /// The text, escaped and cut.
        found: String,
    },
    /// It is a time before everything that was ever uploaded; a lock could not even name the years before the first.
    #[error("`{found}` is a time before 1970, when nothing had been uploaded")]
    TooEarly {
        /// The text.
        found: String,
    },
    /// It is a span that leads there.
    #[error("`{found}` is longer than {SPAN_DAYS} days (50 years), and nothing was uploaded so long ago")]
    TooLong {
        /// The text.
        found: String,
    },
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

impl Cutoff {
    /// Returns the span as it was written, if it is one.
    pub fn span(&self) -> Option<&str> {
        match self {
            Self::At(_) => None,
            Self::Span { written, .. } => Some(written),
        }
    }

    /// Returns true if both are spans of the same length, however they are written.
    pub fn is_span_of(&self, written: &str) -> bool {
        matches!((self, written.parse()), (Self::Span { seconds, .. }, Ok(Self::Span { seconds: other, .. })) if *seconds == other)
    }
}

impl FromStr for Cutoff {
    type Err = CutoffError;

    /// Reads RFC 3339 with an offset (a date alone would mean another moment in each time zone), or numbers with units
    /// from minutes to weeks (a month has no fixed length).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = || pinfold_artifact::shown(text, 80);
        if text.len() > CUTOFF_BYTES {
            return Err(CutoffError::Malformed { found: found() });
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return if moment < Timestamp::UNIX_EPOCH {
                Err(CutoffError::TooEarly { found: found() })
            } else {
                Ok(Self::At(moment))
            };
        }
        match span_seconds(text) {
            Some(seconds @ 1..=SPAN_SECONDS) => Ok(Self::Span { seconds, written: text.to_owned() }),
            Some(seconds) if seconds > SPAN_SECONDS => Err(CutoffError::TooLong { found: found() }),
            _ => Err(CutoffError::Malformed { found: found() }),
        }
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
/// No span is longer: from any day on which pinfold runs it leads to a time after 1970.
const SPAN_DAYS: i64 = 18_262;
const SPAN_SECONDS: i64 = SPAN_DAYS * 86_400;

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
            ("18262 days", "1974-08-21T12:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
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
            assert!(matches!(text.parse::<Cutoff>(), Err(CutoffError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_before_every_upload() {
        for text in ["5000000 days", "18262 days 1min", "2609 weeks", "99999999999 weeks"] {
            assert!(matches!(text.parse::<Cutoff>(), Err(CutoffError::TooLong { .. })), "{text}");
        }
        for text in ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "-009999-01-02T01:59:59Z"] {
            assert!(matches!(text.parse::<Cutoff>(), Err(CutoffError::TooEarly { .. })), "{text}");
        }
    }
}
