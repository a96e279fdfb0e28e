//! `audit`: the proof, from the topics alone, that everything that went in came out once.

use std::io::Write;

use super::Exit;
use crate::audit::model::Prints;
use crate::audit::report::{Report, Verdict};
use crate::audit::request::Request;
use crate::audit::survey::Survey;
use crate::audit::{details, json, passes, table};
use crate::cli::{AuditArgs, Output};
use crate::config::mapping;
use crate::config::{Config, Key};
use crate::kafka::credentials::token::Tokens;
use crate::normalize::Normalizer;
use crate::record::Section;
use crate::terminal::{Stdout, tell};
use crate::time_range;

pub fn run(args: &AuditArgs, config: &Config) -> anyhow::Result<Exit> {
    let request = request(args);
    if let Some(problem) = request.problem(config) {
        tell(&format!("error: {problem}"));
        return Ok(Exit::Usage);
    }
    anyhow::ensure!(
        config.output.source_header,
        "events do not say where they come from, so nothing can be told (output.source_header is off; only events that \
         were written with it can be audited)"
    );
    let normalizer = Normalizer::new(mapping::settings(config));
    let prints = args.content.then(|| Prints::new(config.output.key == Key::EventId));
    // One source of tokens for all clients of the command, which come and go.
    let _tokens = Tokens::of(config);

    let mut survey = Survey::make(config, &request)?;
    let ledger = passes::expect(&mut survey, config, &normalizer, prints.as_ref())?;
    let passed_over = passes::sight(&mut survey, config, &ledger)?;
    let (mut closed, stray) = ledger.close(|topic, partition| survey.excuses(topic, partition));
    details::name_places(&mut closed, &survey, config)?;
    details::name_keys(&mut closed, config, &normalizer)?;

    let report = Report::new(config, &survey, closed, &stray, passed_over);
    let mut out = Stdout::lock();
    match args.output {
        Output::Table => table::write(&mut out, &report)?,
        Output::Json => json::write(&mut out, &report)?,
    }
    out.flush()?;
    Ok(match report.verdict() {
        Verdict::Clean => Exit::Done,
        Verdict::Findings => Exit::Findings,
        Verdict::CouldNotTell => Exit::Failed,
    })
}

fn request(args: &AuditArgs) -> Request {
    let now_ms = time_range::now_ms();
    Request {
        section: Section {
            topic: args.topic.clone(),
            partition: args.partition,
            from_offset: args.from_offset,
            to_offset: args.to_offset,
            from_ms: args.from.map(|from| from.resolve(now_ms)),
            to_ms: args.to.map(|to| to.resolve(now_ms)),
        },
    }
}
