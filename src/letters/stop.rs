//! Ctrl-C and SIGTERM while letters are sent or followed: the first one ends it where that leaves nothing half done, the
//! second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context as _;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::terminal::tell;

/// Set once somebody asked to stop. The thread that listens lives as long as the process.
/// `word` is said to whoever asks.
pub fn listen(word: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("start listening for signals")?;
    let (mut terminate, mut interrupt) = {
        let _entered = runtime.enter();
        let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        (terminate, signal(SignalKind::interrupt()).context("listen for SIGINT")?)
    };
    let listening = move || {
        runtime.block_on(async {
            loop {
                let code = tokio::select! {
                    _ = terminate.recv() => 143,
                    _ = interrupt.recv() => 130,
                };
                if asked.swap(true, Ordering::Relaxed) {
                    std::process::exit(code);
                }
                tell(word);
            }
        });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listening).context("start a thread")?;
    Ok(stop)
}
