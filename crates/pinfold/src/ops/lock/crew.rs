//! Many questions at once: a crew of threads that ask the index while the resolver thinks.
//!
//! Threads are started as questions come, up to [`Crew::MOST`]; each waits for the network, not for the processor. The order
//! in which replies arrive is visible here and nowhere else: the caller keys every reply by its question.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

struct Shared<Q> {
    queue: Mutex<Queue<Q>>,
    arrived: Condvar,
}

struct Queue<Q> {
    questions: VecDeque<Q>,
    idle: usize,
    closed: bool,
}

/// A pool of threads that turn questions into replies.
pub(super) struct Crew<Q, R> {
    shared: Arc<Shared<Q>>,
    answer: Arc<dyn Fn(Q) -> R + Send + Sync>,
    sender: Sender<R>,
    replies: Receiver<R>,
    threads: usize,
    outstanding: usize,
}

impl<Q: Send + 'static, R: Send + 'static> Crew<Q, R> {
    /// Threads at most: more than any server wants to see at once over one connection gains nothing.
    const MOST: usize = 48;

    /// Makes a crew that answers with the given function.
    pub(super) fn new(answer: impl Fn(Q) -> R + Send + Sync + 'static) -> Self {
        let (sender, replies) = channel();
        let queue = Queue { questions: VecDeque::new(), idle: 0, closed: false };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), arrived: Condvar::new() });
        Self { shared, answer: Arc::new(answer), sender, replies, threads: 0, outstanding: 0 }
    }

    /// Asks a question.
    pub(super) fn ask(&mut self, question: Q) {
        self.outstanding += 1;
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.questions.push_back(question);
        let short_handed = queue.questions.len() > queue.idle;
        drop(queue);
        self.shared.arrived.notify_one();
        if short_handed && self.threads < Self::MOST {
            self.hire();
        }
    }

    fn hire(&mut self) {
        let (shared, answer, sender) = (Arc::clone(&self.shared), Arc::clone(&self.answer), self.sender.clone());
        let work = move || {
            while let Some(question) = next(&shared) {
                if sender.send(answer(question)).is_err() {
                    return;
                }
            }
        };
        if thread::Builder::new().name(format!("ask-{}", self.threads)).spawn(work).is_ok() {
            self.threads += 1;
        }
    }

    /// Returns the next reply, or none if nothing is outstanding.
    pub(super) fn reply(&mut self) -> Option<R> {
        if self.outstanding == 0 || self.threads == 0 {
            return None;
        }
        let reply = self.replies.recv().ok()?;
        self.outstanding -= 1;
        Some(reply)
    }

    /// Returns a reply that is there already.
    pub(super) fn reply_now(&mut self) -> Option<R> {
        let reply = self.replies.try_recv().ok()?;
        self.outstanding -= 1;
        Some(reply)
    }
}

fn next<Q>(shared: &Shared<Q>) -> Option<Q> {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    queue.idle += 1;
    loop {
        if queue.closed {
            return None;
        }
        if let Some(question) = queue.questions.pop_front() {
            queue.idle -= 1;
            return Some(question);
        }
        queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

impl<Q, R> Drop for Crew<Q, R> {
    /// Lets the threads go; what they still ask for is forgotten.
    fn drop(&mut self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_every_question_once() {
        let mut crew = Crew::new(|question: usize| question * 2);
        for question in 0..1000 {
            crew.ask(question);
        }
        let mut replies: Vec<usize> = std::iter::from_fn(|| crew.reply()).collect();
        replies.sort_unstable();
        assert_eq!(replies, (0..1000).map(|question| question * 2).collect::<Vec<_>>());
        assert!(crew.reply().is_none());
        assert!(crew.reply_now().is_none());
    }
}
