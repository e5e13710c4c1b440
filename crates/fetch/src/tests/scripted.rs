//! A server that sends exactly the bytes that a test wrote, for what no honest server would send.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A running server. Each request is answered by the script, which is given the request's head and its number; then the
/// connection is closed.
pub(super) struct Scripted {
    pub(super) url: String,
    heads: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted {
    pub(super) fn start(script: impl Fn(&str, usize) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/simple/", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (log, end) = (Arc::clone(&heads), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                answer(stream.unwrap(), &log, &script);
            }
        });
        Self { url, heads, stopped, thread: Some(thread) }
    }

    /// Returns the heads of all requests, in lower case.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://").trim_end_matches("/simple/"));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(mut stream: TcpStream, log: &Mutex<Vec<String>>, script: &dyn Fn(&str, usize) -> Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(head.clone());
        log.len()
    };
    // A client that has seen enough hangs up.
    let _ = stream.write_all(&script(&head, number));
}

/// Makes an answer: status line, headers, body as they are.
pub(super) fn raw(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Makes an honest answer with its length.
pub(super) fn whole(content_type: &str, body: &[u8]) -> Vec<u8> {
    raw("200 OK", &[&format!("Content-Type: {content_type}"), &format!("Content-Length: {}", body.len())], body)
}
