//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::text::grouped;

/// Between two lines where there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The bar takes what a narrow terminal leaves it.
const BAR: &str = "{wide_bar} {human_pos} of {human_len}, {msg}";

#[derive(Debug)]
pub enum Show {
    Bar { bar: ProgressBar, started: Instant },
    Lines { records: u64, started: Instant, next: Instant },
}

impl Show {
    pub fn new(records: u64) -> Self {
        if !io::stderr().is_terminal() {
            let now = Instant::now();
            return Self::Lines { records, started: now, next: now + LINE_EVERY };
        }
        let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::Bar { bar: ProgressBar::new(records).with_style(style), started: Instant::now() }
    }

    /// `note` is put behind the numbers.
    pub fn progress(&mut self, fed: u64, note: impl Display) {
        match self {
            Self::Bar { bar, started } => {
                bar.set_position(fed);
                let rate = grouped(per_second(fed, started.elapsed()));
                bar.set_message(format!("{rate} records/s{note}"));
            }
            Self::Lines { records, started, next } => {
                let now = Instant::now();
                if now < *next {
                    return;
                }
                *next = now + LINE_EVERY;
                let rate = per_second(fed, now - *started);
                // Nobody may be listening any more; that is no reason to stop.
                let _ = writeln!(io::stderr(), "{fed} of {records} records fed, {rate} records/s{note}");
            }
        }
    }

    pub fn done(&self) {
        if let Self::Bar { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

/// A rate in whole numbers.
pub fn per_second(count: u64, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64().max(0.001)) as u64
}
