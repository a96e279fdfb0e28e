//! The report for people: a table, a line for each problem, and the verdict.

use std::io::{self, Write};

use super::model::{ProblemKind, SHOWN, Tally};
use super::report::{Report, Verdict};

/// Spaces between two columns.
const GAP: &str = "  ";

pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    table(out, report)?;
    for line in &report.lines {
        let (topic, partition, tally) = (&line.topic, line.partition, &line.tally);
        for problem in &tally.problems {
            writeln!(out, "{}: {}", problem.kind.name(), report.names.problem(topic, partition, problem))?;
        }
        for (kind, count) in counts(tally) {
            let shown = tally.problems.iter().filter(|problem| problem.kind == kind);
            // From so many on there may be more than are shown; one line may stand for all the traces of a record.
            if shown.clone().count() >= SHOWN && count > shown.count() as u64 {
                writeln!(out, "{}: … {count} in all of {topic}/{partition}", kind.name())?;
            }
        }
    }
    for doubt in &report.doubts {
        writeln!(out, "could not tell: {}", doubt.message)?;
    }
    notes(out, report)?;
    verdict(out, report)
}

fn counts(tally: &Tally) -> [(ProblemKind, u64); 4] {
    [
        (ProblemKind::Missing, tally.missing),
        (ProblemKind::Repeated, tally.repeated),
        (ProblemKind::Unexpected, tally.unexpected),
        (ProblemKind::Differs, tally.differing),
    ]
}

fn table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    for line in &report.lines {
        let range = &line.bounds.range;
        rows.push(row(
            format!("{}/{}", line.topic, line.partition),
            format!("{}..{}", range.start, range.end),
            &line.tally,
        ));
    }
    if report.lines.len() > 1 {
        rows.push(row("all".to_owned(), String::new(), &report.total));
    }
    // What nobody was asked for, or what did not happen, takes no room.
    let shown = |column: usize| column < ALWAYS || rows.iter().skip(1).any(|row| row[column] != "0");
    let columns: Vec<usize> = (0..HEADINGS.len()).filter(|column| shown(*column)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = columns.iter().map(|column| width(*column)).collect();
    for row in &rows {
        let cells = columns.iter().zip(&widths).map(|(column, width)| match column {
            0 => format!("{:width$}", row[*column]),
            _ => format!("{:>width$}", row[*column]),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end())?;
    }
    Ok(())
}

const HEADINGS: [&str; 12] = [
    "partition",
    "offsets",
    "records",
    "events",
    "letters",
    "once",
    "missing",
    "repeated",
    "unexpected",
    "untold",
    "differ",
    "not committed",
];

/// Columns that are always there.
const ALWAYS: usize = 9;

fn row(partition: String, offsets: String, tally: &Tally) -> Vec<String> {
    let numbers = [
        tally.records,
        tally.expected_events,
        tally.expected_dead_letters,
        tally.found_once,
        tally.missing,
        tally.repeated,
        tally.unexpected,
        tally.untold,
        tally.differing,
        tally.not_committed,
    ];
    [partition, offsets].into_iter().chain(numbers.iter().map(u64::to_string)).collect()
}

fn notes(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for (count, whose) in [(report.passed_over.other_groups, "groups"), (report.passed_over.foreign, "tools")] {
        match count {
            0 => {}
            1 => writeln!(out, "passed over: 1 dead letter of other {whose}")?,
            many => writeln!(out, "passed over: {many} dead letters of other {whose}")?,
        }
    }
    if report.total.repeated > 0 && report.may_repeat() {
        writeln!(out, "note: pipeline.delivery = \"at_least_once\": after a crash records are repeated")?;
    }
    Ok(())
}

fn verdict(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let findings = report.total.findings();
    let found = if findings == 1 { "1 finding".to_owned() } else { format!("{findings} findings") };
    match report.verdict() {
        Verdict::Clean if report.total.records == 0 => {
            writeln!(out, "nothing to audit: no committed record in the range")
        }
        Verdict::Clean => writeln!(out, "clean: the fate of every record is there, once"),
        Verdict::Findings => writeln!(out, "{found}"),
        Verdict::CouldNotTell if findings > 0 => writeln!(out, "could not tell everything, and {found}"),
        Verdict::CouldNotTell => writeln!(out, "could not tell everything; nothing else was found"),
    }
}
