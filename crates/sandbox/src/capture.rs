//! Reading a child's pipe to its end without letting it fill our memory.

use std::io::Read;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the threads around a child report.
pub(crate) enum Event {
    /// A pipe was read to its end.
    Closed,
    /// The child ended.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only Unix tells before the pipes close"))]
    Exited,
    /// The child wrote more than it may.
    TooMuch,
}

/// What was read from one pipe so far.
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// Starts a thread that reads the pipe to its end, keeps at most `limit` bytes, and reports.
    pub(crate) fn start(pipe: Option<impl Read + Send + 'static>, limit: usize, events: Sender<Event>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            let over = pipe.is_some_and(|pipe| fill(pipe, limit, &shared));
            // Nobody listens any more once the child was given up: that is no error.
            if over {
                let _ = events.send(Event::TooMuch);
            }
            let _ = events.send(Event::Closed);
        });
        Self(kept)
    }

    /// Returns what was read.
    pub(crate) fn take(self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads until the end or the limit; true if the limit was passed.
fn fill(mut pipe: impl Read, limit: usize, kept: &Mutex<Vec<u8>>) -> bool {
    let mut buffer = [0; 16 << 10];
    loop {
        let count = match pipe.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return false,
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = limit - kept.len();
        kept.extend_from_slice(&buffer[..count.min(room)]);
        if count > room {
            return true;
        }
    }
}
