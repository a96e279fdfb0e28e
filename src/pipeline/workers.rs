//! Workers: normalize batches in parallel, hand them back in the order in which they were given.
//!
//! Each worker has a queue of its own, and batches are dealt out in turn, so the order of the answers is known without
//! numbering them: the next batch comes from the worker that the turn is at. Both queues of a worker hold at most
//! [`QUEUE`] batches; the engine waits, not the worker, because it never deals more than it has places for.

use std::sync::Arc;
use std::thread::Thread;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::batch::Batch;
use super::report;
use crate::mutants::{self, Mutant};
use crate::normalize::Normalizer;
use crate::telemetry::metrics::Metrics;

/// Batches that a worker may have waiting: enough to be busy while the engine produces.
const QUEUE: usize = 4;

struct Worker {
    to_do: mpsc::Sender<Box<Batch>>,
    done: mpsc::Receiver<Box<Batch>>,
    task: JoinHandle<()>,
}

/// The tasks and the batches they have.
pub struct Workers {
    workers: Vec<Worker>,
    dealt: usize,
    taken: usize,
}

impl Workers {
    /// Starts `count` tasks. Each unparks `engine` when it has finished a batch.
    pub fn start(
        count: usize,
        normalizer: &Arc<Normalizer>,
        metrics: &Arc<Metrics>,
        runtime: &Handle,
        engine: &Thread,
    ) -> Self {
        let workers = (0..count.max(1))
            .map(|_| {
                let (to_do, mut batches) = mpsc::channel::<Box<Batch>>(QUEUE);
                let (finished, done) = mpsc::channel(QUEUE);
                let (normalizer, metrics, engine) = (Arc::clone(normalizer), Arc::clone(metrics), engine.clone());
                let task = runtime.spawn(async move {
                    while let Some(mut batch) = batches.recv().await {
                        let began = Instant::now();
                        batch.normalize(&normalizer);
                        report::normalized(&metrics, batch.len(), began.elapsed());
                        if finished.send(batch).await.is_err() {
                            return;
                        }
                        engine.unpark();
                    }
                });
                Worker { to_do, done, task }
            })
            .collect();
        Self { workers, dealt: 0, taken: 0 }
    }

    /// Whether one more batch can be dealt out now.
    pub fn has_place(&self) -> bool {
        self.dealt - self.taken < self.workers.len() * QUEUE
    }

    /// Deals a batch out. To be called only when there [is a place](Self::has_place).
    pub fn deal(&mut self, batch: Box<Batch>) {
        let turn = self.dealt % self.workers.len();
        self.workers[turn].to_do.try_send(batch).expect("no more batches are dealt than the queues hold");
        self.dealt += 1;
    }

    /// The next batch in the order in which they were dealt, when it is done.
    ///
    /// A worker that is gone took its batch with it: an error that nothing can mend.
    pub fn take(&mut self) -> Result<Option<Box<Batch>>, WorkerGone> {
        if self.taken == self.dealt {
            return Ok(None);
        }
        let turn = if mutants::is(Mutant::SwapTwoBatches) { self.swapped() } else { self.taken % self.workers.len() };
        match self.workers[turn].done.try_recv() {
            Ok(batch) => {
                self.taken += 1;
                Ok(Some(batch))
            }
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(WorkerGone),
        }
    }

    /// Whose turn it is when each second batch is taken before the first.
    fn swapped(&self) -> usize {
        let [turn, next] = [self.taken, self.taken + 1].map(|taken| taken % self.workers.len());
        if self.taken % 2 == 1 {
            let before = (self.taken - 1) % self.workers.len();
            return if mutants::fires(Mutant::SwapTwoBatches) { before } else { turn };
        }
        if [turn, next].iter().any(|turn| self.workers[*turn].done.is_empty()) {
            return turn;
        }
        mutants::arm(Mutant::SwapTwoBatches);
        next
    }

    /// Ends the tasks and waits for them.
    pub fn stop(self, runtime: &Handle) {
        for worker in self.workers {
            drop((worker.to_do, worker.done));
            // A task that panicked has said so already.
            let _ = runtime.block_on(worker.task);
        }
    }
}

/// A normalizing task ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
#[error("a worker task ended unexpectedly")]
pub struct WorkerGone;
