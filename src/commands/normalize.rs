//! `normalize`: the service's mapping on files or standard input, without Kafka. Events go to standard output, rejections to
//! standard error.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use super::Exit;
use crate::cli::NormalizeArgs;
use crate::config::Config;
use crate::config::mapping;
use crate::normalize_files;
use crate::normalize_files::{Ending, Form, Request, Split, Streams};

/// Runs the command on the process's own streams.
pub fn run(args: &NormalizeArgs, config: &Config) -> anyhow::Result<Exit> {
    let streams = Streams {
        stdin: &mut io::stdin().lock(),
        stdout: &mut io::stdout().lock(),
        stderr: &mut io::stderr().lock(),
        progress: progress(args),
    };
    run_on(args, config, streams)
}

/// Runs the command on any streams.
pub fn run_on(args: &NormalizeArgs, config: &Config, streams: Streams<'_>) -> anyhow::Result<Exit> {
    let request = Request {
        files: args.files.clone(),
        split: if args.whole { Split::Whole } else { Split::Lines },
        form: if args.outcomes { Form::Outcomes } else { Form::Events },
    };
    Ok(match normalize_files::run(&request, mapping::settings(config), streams)? {
        Ending::Clean => Exit::Done,
        Ending::Rejections => Exit::Findings,
        Ending::Unreadable => Exit::Failed,
    })
}

const TEMPLATE: &str = "{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";

/// A bar over the bytes of the files, for a person who waits: shown when standard error is a terminal, standard output
/// is none (the events would run through it), and the length is known. Packed files count as they lie there.
fn progress(args: &NormalizeArgs) -> ProgressBar {
    let length =
        |path: &std::path::PathBuf| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let watched = io::stderr().is_terminal() && !io::stdout().is_terminal() && !args.files.is_empty();
    match normalize_files::named(&args.files).iter().map(length).sum::<Option<u64>>() {
        Some(bytes) if watched => {
            let style = ProgressStyle::with_template(TEMPLATE).expect("a test reads the same template");
            ProgressBar::new(bytes).with_style(style)
        }
        _ => ProgressBar::hidden(),
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
