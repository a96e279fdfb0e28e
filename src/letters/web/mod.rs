//! Web pages that show what the commands print. They only read, on this machine alone, and keep
//! nothing: every page is a look at the topic.
//!
//! Anybody may have written what a letter says, so text gets into a page by [`html::Html`] alone, which escapes it; should
//! that fail, the content security policy of [`guard`] lets no script run but the one file that is ours.

mod filter;
mod form;
mod guard;
mod html;
mod layout;
mod look;
mod pages;
mod rank;
mod router;
mod search;
mod sift;

use std::io::{self, Write as _};
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use self::router::Router;
use crate::config::Config;
use crate::http;
use crate::letters::topics::Pattern;

/// Serves until a signal.
pub fn serve(listen: SocketAddr, config: &Config, asked: &[Pattern]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("listen for signals")?;
    let (mut terminate, mut interrupt) = {
        let _entered = runtime.enter();
        let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        (terminate, signal(SignalKind::interrupt()).context("listen for SIGINT")?)
    };
    let context = look::Context::new(config, asked);
    let title = context.title();
    let server = http::serve(listen, Router::new(context))
        .with_context(|| format!("listen on {} (--listen chooses another port)", listen))?;
    // A closed standard error costs the note, nothing else.
    let _ = writeln!(io::stderr(), "dead letters of {} on http://{} until Ctrl-C", title, server.local_addr());
    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    server.stop();
    Ok(())
}
