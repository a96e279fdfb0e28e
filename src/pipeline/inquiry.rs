//! One question that takes its time, asked on a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle, Thread};

/// A question that is out. Dropped, it waits for the answer, which has a time limit of its own.
#[derive(Debug)]
pub struct Inquiry<A> {
    answer: Receiver<A>,
    thread: Option<JoinHandle<()>>,
}

impl<A: Send + 'static> Inquiry<A> {
    /// `asker` is unparked when the answer is there.
    pub fn start(name: &str, asker: Thread, ask: impl FnOnce() -> A + Send + 'static) -> io::Result<Self> {
        let (answered, answer) = sync_channel(1);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody listens any more: then nobody needs it.
            let _ = answered.send(ask());
            asker.unpark();
        })?;
        Ok(Self { answer, thread: Some(thread) })
    }

    /// The answer, once.
    pub fn answer(&self) -> Option<A> {
        self.answer.try_recv().ok()
    }
}

impl<A> Drop for Inquiry<A> {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic has said so already.
            let _ = thread.join();
        }
    }
}
