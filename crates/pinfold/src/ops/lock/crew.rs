//! Many questions at once: a crew of threads that ask the index while the resolver thinks.
//!
//! Threads are started as questions come, up to a number that the caller gives: few where they compute, many where they wait
//! for the network. Replies come in any order; the caller keys each by its question.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
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
    replies: Sender<R>,
    threads: usize,
    most: usize,
}

impl<Q: Send + 'static, R: Send + 'static> Crew<Q, R> {
    /// Makes a crew of at most `most` threads that answers with the given function into `replies`.
    pub(super) fn new(most: usize, replies: Sender<R>, answer: impl Fn(Q) -> R + Send + Sync + 'static) -> Self {
        let queue = Queue { questions: VecDeque::new(), idle: 0, closed: false };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), arrived: Condvar::new() });
        Self { shared, answer: Arc::new(answer), replies, threads: 0, most }
    }

    /// Asks a question. Without a thread to ask, it is answered here and now.
    pub(super) fn ask(&mut self, question: Q) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.questions.push_back(question);
        let short_handed = queue.questions.len() > queue.idle;
        drop(queue);
        self.shared.arrived.notify_one();
        if short_handed && self.threads < self.most {
            self.hire();
        }
        if self.threads == 0 {
            let left = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).questions.pop_front();
            // The receiver outlives the crew, so the reply arrives.
            left.into_iter().for_each(|question| drop(self.replies.send((self.answer)(question))));
        }
    }

    fn hire(&mut self) {
        let (shared, answer, sender) = (Arc::clone(&self.shared), Arc::clone(&self.answer), self.replies.clone());
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
    use std::sync::mpsc::channel;

    #[test]
    fn answers_every_question_once() {
        let (sender, replies) = channel();
        let mut crew = Crew::new(8, sender, |question: usize| question * 2);
        for question in 0..1000 {
            crew.ask(question);
        }
        let mut found: Vec<usize> = replies.iter().take(1000).collect();
        found.sort_unstable();
        assert_eq!(found, (0..1000).map(|question| question * 2).collect::<Vec<_>>());
        drop(crew);
        assert!(replies.recv().is_err());
    }

    #[test]
    fn answers_without_threads_too() {
        let (sender, replies) = channel();
        let mut crew = Crew::new(0, sender, |question: usize| question + 1);
        crew.ask(1);
        assert_eq!(replies.try_recv(), Ok(2));
    }
}
