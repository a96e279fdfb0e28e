//! Calls into the client library that have not come back yet. Some never do, and nothing can call them back: each keeps a
//! thread and a client with its threads, so they are counted, and there is a number at which the process had better end.

use std::sync::atomic::{AtomicUsize, Ordering};

static OUT: AtomicUsize = AtomicUsize::new(0);

/// More than these are not left behind: each may hold half a dozen threads and the client's queues.
pub const MOST: usize = 4;

/// A call that is out, until it is dropped.
#[derive(Debug)]
pub struct Out(());

impl Out {
    pub fn begin() -> Self {
        OUT.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        OUT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many are out.
pub fn count() -> usize {
    OUT.load(Ordering::Relaxed)
}
