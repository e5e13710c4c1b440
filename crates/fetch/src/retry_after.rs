//! How long a server wants to be left alone (`Retry-After`, RFC 9110, 10.2.3): in seconds, or until a date.
//!
//! A date is the server's own, so it is compared with the server's own clock where the answer tells it (`Date`): a clock of
//! this machine that goes wrong makes no pause longer or shorter. What is no number and no date is passed over. No bound is set
//! here: that of every pause holds, whoever asks for it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::Offset;
use reqwest::header::{self, HeaderMap, HeaderName};

/// Returns the pause that an answer asks for; `now` counts where the answer does not say when it was sent. A date that has
/// passed asks for none.
pub(crate) fn wanted_pause(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = moment(value)?;
    let sent = text(headers, header::DATE).and_then(moment).unwrap_or(now);
    Some(Duration::try_from(until.duration_since(sent)).unwrap_or_default())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Reads a date in the three forms of RFC 9110, 5.6.7, of which servers should send the first and may have old code for the
/// others.
fn moment(value: &str) -> Option<Timestamp> {
    let read = |form| strtime::parse(form, value).and_then(|parts| parts.to_datetime());
    let moment = FORMS.iter().find_map(|form| read(form).ok())?;
    Offset::UTC.to_timestamp(moment).ok()
}

const FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn reads_seconds_and_the_three_forms_of_a_date() {
        let check = |value: &'static str, expected: Option<u64>| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(value))]);
            let now = "1994-11-06T08:49:00Z".parse().unwrap();
            assert_eq!(wanted_pause(&headers, now), expected.map(Duration::from_secs), "{value}");
        };
        check("7", Some(7));
        check(" 7 ", Some(7));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(37));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(37));
        check("Sun Nov  6 08:49:37 1994", Some(37));
        check("Sun, 06 Nov 1994 08:48:59 GMT", Some(0));
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Thu, 30 Dec 9999 20:00:00 GMT", Some(252_618_088_260));
        check("", None);
        check("-7", None);
        check("7.5", None);
        check("soon", None);
        check("Mon, 06 Nov 1994 08:49:37 GMT", None);
        check("Sun, 06 Nov 1994 08:49:37 +0100", None);
        check("Sun, 06 Nov 1994 08:49:37 GMT, 7", None);
        check("99999999999999999999", None);
    }

    #[test]
    fn a_date_is_compared_with_the_clock_that_it_is_of() {
        let check = |sent: &'static str, expected: u64| {
            let until = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
            let headers =
                HeaderMap::from_iter([(header::RETRY_AFTER, until), (header::DATE, HeaderValue::from_static(sent))]);
            let now = "1994-11-06T08:49:00Z".parse().unwrap();
            assert_eq!(wanted_pause(&headers, now), Some(Duration::from_secs(expected)), "{sent}");
        };
        check("Sun, 06 Nov 1994 08:49:30 GMT", 7);
        check("Sun, 06 Nov 1994 08:49:38 GMT", 0);
        check("no date", 37);
    }
}
