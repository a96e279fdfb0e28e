//! The report for programs: one JSON object. Its keys are a promise (docs/audit.md): they may be joined by others, and
//! never change meaning.

use std::io::{self, Write};

use serde::Serialize;

use super::model::Tally;
use super::report::{Line, Report};
use super::wording;

#[derive(Serialize)]
struct Audit<'a> {
    result: &'static str,
    group: &'a str,
    output_topic: &'a str,
    dead_letter_topic: &'a str,
    total: Numbers,
    partitions: Vec<Partition<'a>>,
    could_not_tell: Vec<Doubt<'a>>,
    passed_over: PassedOver,
}

#[derive(Serialize)]
struct Numbers {
    records: u64,
    expected_events: u64,
    expected_dead_letters: u64,
    found_once: u64,
    missing: u64,
    repeated: u64,
    unexpected: u64,
    untold: u64,
    differing: u64,
    not_committed: u64,
}

#[derive(Serialize)]
struct Partition<'a> {
    topic: &'a str,
    partition: i32,
    from_offset: i64,
    to_offset: i64,
    committed_offset: Option<i64>,
    #[serde(flatten)]
    numbers: Numbers,
    problems: Vec<Problem<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    problem: &'static str,
    what: &'static str,
    source: String,
    places: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    keys: &'a [String],
}

#[derive(Serialize)]
struct Doubt<'a> {
    reason: &'static str,
    topic: &'a str,
    partition: i32,
    from_offset: i64,
    to_offset: i64,
    count: u64,
    message: &'a str,
}

#[derive(Serialize)]
struct PassedOver {
    dead_letters_of_other_groups: u64,
    dead_letters_of_other_tools: u64,
}

pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let doubts = report.doubts.iter().map(|doubted| Doubt {
        reason: doubted.doubt.reason.name(),
        topic: &doubted.topic,
        partition: doubted.partition,
        from_offset: doubted.doubt.offsets.start,
        to_offset: doubted.doubt.offsets.end,
        count: doubted.doubt.count,
        message: &doubted.message,
    });
    let audit = Audit {
        result: report.verdict().name(),
        group: &report.group,
        output_topic: &report.names.output,
        dead_letter_topic: &report.names.dead_letters,
        total: numbers(&report.total),
        partitions: report.lines.iter().map(|line| partition(report, line)).collect(),
        could_not_tell: doubts.collect(),
        passed_over: PassedOver {
            dead_letters_of_other_groups: report.passed_over.other_groups,
            dead_letters_of_other_tools: report.passed_over.foreign,
        },
    };
    // An error of writing stays what it was: a closed pipe is told from a failure.
    serde_json::to_writer_pretty(&mut *out, &audit)?;
    writeln!(out)
}

fn partition<'a>(report: &'a Report, line: &'a Line) -> Partition<'a> {
    let problems = line.tally.problems.iter().map(|problem| Problem {
        problem: problem.kind.name(),
        what: problem.what.name(),
        source: wording::source(&line.topic, line.partition, problem.trace),
        places: problem.places.iter().map(|place| report.names.place(place)).collect(),
        kind: problem.letter.map(crate::normalize::Kind::name),
        note: problem.note,
        keys: &problem.keys,
    });
    Partition {
        topic: &line.topic,
        partition: line.partition,
        from_offset: line.bounds.range.start,
        to_offset: line.bounds.range.end,
        committed_offset: line.committed,
        numbers: numbers(&line.tally),
        problems: problems.collect(),
    }
}

fn numbers(tally: &Tally) -> Numbers {
    Numbers {
        records: tally.records,
        expected_events: tally.expected_events,
        expected_dead_letters: tally.expected_dead_letters,
        found_once: tally.found_once,
        missing: tally.missing,
        repeated: tally.repeated,
        unexpected: tally.unexpected,
        untold: tally.untold,
        differing: tally.differing,
        not_committed: tally.not_committed,
    }
}
