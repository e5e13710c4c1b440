//! What can be wrong with an answer.
//!
//! A fault belongs to one file, one sidecar or one page. Those that lie about a file ([`Fault::Md5Only`],
//! [`Fault::NoHash`], [`Fault::WrongHash`], [`Fault::WrongSize`]) change what the page says; the others change what is sent.

/// One thing that goes wrong, every time unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset before any answer.
    Closed,
    /// This `Content-Encoding`, whatever the bytes are.
    Coded(String),
    /// The answer is held back for so many milliseconds.
    Delay(u64),
    /// The body comes in pieces of so many bytes with a pause of so many milliseconds between them.
    Drip {
        /// Bytes in a piece.
        bytes: usize,
        /// The pause.
        pause_ms: u64,
    },
    /// The body has no declared length and goes on with zeros after its end, until the client hangs up or 64 MiB went out.
    Endless,
    /// The page offers nothing but an MD5.
    Md5Only,
    /// The page offers no hash.
    NoHash,
    /// The server does not know ranges and sends the whole file, as a plain 200.
    NoRange,
    /// A redirect (302) to this URL.
    RedirectTo(String),
    /// The connection is reset after half of the body.
    Reset,
    /// This status, with a short text.
    Status(u16),
    /// This status for the first so many requests, then the truth.
    StatusThen {
        /// The status.
        status: u16,
        /// How often.
        times: usize,
    },
    /// Other bytes than those that the page was made from, under the same name.
    Swapped(Vec<u8>),
    /// `Content-Length` is right, and the connection closes after half of the body.
    Truncated,
    /// As [`Fault::Truncated`] for the first so many requests, then the truth.
    TruncatedThen(usize),
    /// The bytes are right and the last one is not; the length is.
    WrongBytes,
    /// This `Content-Type`.
    WrongContentType(String),
    /// The page offers the SHA-256 of something else.
    WrongHash,
    /// `Content-Length` says so many bytes more or less than there are; then the connection closes.
    WrongLength(i64),
    /// A 206 whose bytes begin so many bytes further on than asked; its `Content-Range` says where they really begin.
    WrongOffset(u64),
    /// A 206 whose bytes are right and whose `Content-Range` is this.
    WrongRange(String),
    /// The page says so many bytes more or less than the file has.
    WrongSize(i64),
}
