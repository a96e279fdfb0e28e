//! Where lines leave the process: a bounded queue and a thread of its own, so that a log collector that stalls holds up
//! nobody who logs. When the queue is full lines are dropped and counted, which is said in one line as soon as there is
//! room. The thread also owns the status line of a terminal, because the two share one screen.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Bytes that may wait. As much again may be on its way to a collector that does not take it.
const WAITING_MAX: usize = 1 << 20;

/// Until a pipe that somebody made non-blocking is tried again.
const FULL_PIPE: Duration = Duration::from_millis(10);

pub const THREAD: &str = "logs";

/// The line that says how many were dropped.
pub type Confession = Box<dyn Fn(u64) -> String + Send>;

/// Takes lines, never waits.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    status: Option<Option<String>>,
    is_writing: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dropped == 0 && self.status.is_none()
    }
}

impl Writer {
    /// Starts the thread, which lives as long as the process.
    pub fn start(screen: Screen, confess: Confession) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name(THREAD.to_owned()).spawn(move || theirs.write_for_ever(screen, &confess))?;
        Ok(Self { shared })
    }

    /// One line, with its line feed.
    pub fn line(&self, line: &str) {
        let mut state = self.shared.state();
        if state.waiting.len() + line.len() > WAITING_MAX {
            state.dropped += 1;
        } else {
            state.waiting.extend_from_slice(line.as_bytes());
        }
        drop(state);
        self.shared.news.notify_one();
    }

    /// What the status line says from now on; `None` takes it away.
    pub fn status(&self, status: Option<String>) {
        self.shared.state().status = Some(status);
        self.shared.news.notify_one();
    }

    /// Waits until everything is written, not longer than this.
    pub fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.state();
        while !state.is_empty() || state.is_writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.shared.written.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_for_ever(&self, mut screen: Screen, confess: &Confession) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state();
            state.is_writing = false;
            self.written.notify_all();
            while state.is_empty() {
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.is_writing = true;
            mem::swap(&mut lines, &mut state.waiting);
            let (dropped, status) = (mem::take(&mut state.dropped), state.status.take());
            drop(state);
            if dropped > 0 {
                lines.extend_from_slice(confess(dropped).as_bytes());
            }
            screen.lines(&lines);
            if let Some(status) = status {
                screen.status(status);
            }
            lines.clear();
            lines.shrink_to(WAITING_MAX);
        }
    }
}

/// Standard error, and on a terminal the status line under everything else.
#[derive(Debug)]
pub struct Screen {
    /// A handle of its own: whoever holds the lock of standard error must not hold up the log.
    file: File,
    kind: Kind,
    /// While there is a status line.
    bar: Option<ProgressBar>,
}

/// Whether the screen can show a line that stays at the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Terminal,
}

impl Screen {
    pub fn stderr(kind: Kind) -> io::Result<Self> {
        let file = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Ok(Self { file, kind, bar: None })
    }

    fn lines(&mut self, lines: &[u8]) {
        let Self { file, bar, .. } = self;
        match bar {
            _ if lines.is_empty() => {}
            Some(bar) => bar.suspend(|| write_all(file, lines)),
            None => write_all(file, lines),
        }
    }

    fn status(&mut self, status: Option<String>) {
        match status {
            Some(status) if self.kind == Kind::Terminal => {
                let bar = self.bar.get_or_insert_with(|| {
                    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is well formed");
                    ProgressBar::new_spinner().with_style(style)
                });
                bar.set_message(status);
                bar.tick();
            }
            Some(_) => {}
            None => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

/// Where lines cannot go, nothing can be said about it.
fn write_all(file: &mut impl Write, mut lines: &[u8]) {
    while !lines.is_empty() {
        match file.write(lines) {
            Ok(0) => return,
            Ok(written) => lines = &lines[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL_PIPE),
            Err(_) => return,
        }
    }
}
