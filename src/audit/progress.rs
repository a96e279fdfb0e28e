//! How far a pass has come: a bar on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::kafka::scan::{Progress, Range};

const TEMPLATE: &str = "{prefix:6} {bar:32} {percent:>3} % {msg} records {eta}";

/// A bar over the offsets of some ranges.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    pub fn over(what: &'static str, ranges: &[Range]) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(TEMPLATE).expect("a test reads the same template");
        let bar = ProgressBar::new(ranges.iter().map(Range::offsets).sum()).with_style(style).with_prefix(what);
        Self(bar)
    }

    pub fn show(&self, progress: &Progress) {
        self.0.set_position(progress.offsets());
        self.0.set_message(progress.records().to_string());
    }

    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_s_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
