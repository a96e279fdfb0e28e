//! Looks at the files that hold secrets, and hands over what they hold once they were renewed and it lets us in.
//!
//! Contents are compared, not times: that sees every way to replace a file, the symbolic links that Kubernetes swaps
//! included. What cannot be read, does not belong together or is refused by the brokers is said, and what was used
//! before stays in use: a password is often in the file before the brokers know it, or the other way round.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::config::{Config, Kafka};
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::clients;

/// Between two looks. Kubernetes itself takes up to a minute to renew a file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The longest pause between two attempts to log in with what the brokers refuse.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// The files under watch, and what they came to.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    renewed: AtomicBool,
    kafka: Mutex<Option<Kafka>>,
}

impl Watch {
    /// Begins to look, if there is anything to look at. `wake` is unparked when something was renewed.
    pub fn start(config: &Config, wake: Thread) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        if config.kafka.files().is_empty() {
            return Ok(Self { shared, thread: None });
        }
        let watcher = Watcher { config: config.clone(), shared: Arc::clone(&shared), wake, told: None };
        let thread = thread::Builder::new().name("secrets".to_owned()).spawn(move || watcher.watch())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether renewed settings wait to be taken.
    pub fn renewed(&self) -> &AtomicBool {
        &self.shared.renewed
    }

    /// Settings with renewed secrets.
    pub fn take(&self) -> Option<Kafka> {
        self.shared.renewed.store(false, Ordering::Relaxed);
        self.shared.kafka.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends within the time of one attempt; a panic of it was told when it came.
            let _ = thread.join();
        }
    }
}

struct Watcher {
    /// With what is in use.
    config: Config,
    shared: Arc<Shared>,
    wake: Thread,
    /// What is wrong at the moment, so that it is said once.
    told: Option<String>,
}

impl Watcher {
    fn watch(mut self) {
        let mut backoff = LOOK_EVERY;
        while self.sleep(backoff) {
            backoff = match self.look() {
                Ok(()) => {
                    self.told = None;
                    LOOK_EVERY
                }
                Err(Useless::Unreadable(why)) => {
                    self.tell(why);
                    LOOK_EVERY
                }
                Err(Useless::Refused(why)) => {
                    self.tell(why);
                    (backoff * 2).min(LAST_BACKOFF)
                }
            };
        }
    }

    /// `false`: asked to stop.
    fn sleep(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let stop = || self.shared.stop.load(Ordering::Relaxed);
        while !stop() && Instant::now() < until {
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
        }
        !stop()
    }

    fn look(&mut self) -> Result<(), Useless> {
        let kafka = self.config.kafka.read_again().map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(|(key, fault)| format!("{key} {fault}")).collect();
            Useless::Unreadable(lines.join("; "))
        })?;
        if kafka.has_same_secrets(&self.config.kafka) {
            return Ok(());
        }
        let mut config = self.config.clone();
        config.kafka = kafka;
        self.prove(&config)?;
        *self.shared.kafka.lock().unwrap_or_else(PoisonError::into_inner) = Some(config.kafka.clone());
        self.shared.renewed.store(true, Ordering::Relaxed);
        self.wake.unpark();
        self.config = config;
        Ok(())
    }

    /// Makes sure that a broker lets us in, over a connection of its own.
    fn prove(&self, config: &Config) -> Result<(), Useless> {
        let refused = |why: String| Useless::Refused(why);
        let client = clients::consumer(config).map_err(|error| refused(error.to_string()))?;
        Cluster::enter(&client, config, &self.shared.stop).map(drop).map_err(|refusal| refused(refusal.to_string()))
    }

    fn tell(&mut self, why: String) {
        if self.told.as_ref() != Some(&why) {
            tracing::warn!("a renewed secret does not work, the one of before stays in use: {why}");
            self.told = Some(why);
        }
    }
}

/// Why what the files hold is of no use yet.
enum Useless {
    Unreadable(String),
    Refused(String),
}
