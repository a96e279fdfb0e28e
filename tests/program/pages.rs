//! What the pages name is what the program knows: commands and options, settings and their variables, series and labels,
//! headers of dead letters, exit codes, alerts. Each rule is held against a page that names something else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use clap::CommandFactory;
use messagetrace_ecs::cli::Cli;
use messagetrace_ecs::commands::Exit;
use messagetrace_ecs::config::settings::{SETTINGS, find, find_by_twin};
use messagetrace_ecs::dead_letter;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What stands between backticks, and each line of a block.
fn spans(page: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut prose = String::new();
    let mut is_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            spans.push(line.trim().to_owned());
        } else {
            // A span may go on in the next line.
            prose.push_str(line);
            prose.push(if line.is_empty() || line.starts_with('|') { '\n' } else { ' ' });
        }
    }
    for paragraph in prose.lines() {
        spans.extend(paragraph.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    spans
}

fn pages() -> Vec<(String, String)> {
    let root = Path::new(ROOT);
    let folders = ["", "docs", "findings", "helm/messagetrace-ecs"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap()).flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "md"));
    paths.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

/// The words that begin like `prefix` and go on with what `goes_on` takes; none begins in the middle of another.
fn words<'a>(span: &'a str, prefix: &str, goes_on: impl Fn(char) -> bool) -> Vec<&'a str> {
    let begins = |at: usize| !span[..at].ends_with(|before: char| before.is_alphanumeric() || "._-/$".contains(before));
    let word = |at: usize| {
        let rest = &span[at..];
        let length = rest.find(|letter: char| !goes_on(letter)).unwrap_or(rest.len());
        rest[..length].trim_end_matches('.')
    };
    span.match_indices(prefix).filter(|(at, _)| begins(*at)).map(|(at, _)| word(at)).collect()
}

fn is_of_key(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_' || letter == '.'
}

/// A setting, the twin of a secret, or a table of settings.
fn is_setting(key: &str) -> bool {
    let is_table = || SETTINGS.iter().any(|setting| setting.key.starts_with(&format!("{key}.")));
    let is_in_map = || SETTINGS.iter().any(|setting| setting.is_map() && key.starts_with(&format!("{}.", setting.key)));
    find(key).is_some() || find_by_twin(key).is_some() || is_table() || is_in_map()
}

fn unknown_settings(span: &str) -> Vec<String> {
    // Brokers have settings of their own that begin with `log.`, Filebeat and Strimzi names that begin like a section of ours.
    const OTHERS: [&str; 6] =
        ["log.", "ecs.version", "ecs.rs", "output.elasticsearch", "kafka.strimzi.io", "kafka.kafka.svc"];
    let sections: BTreeSet<&str> = SETTINGS.iter().filter_map(|setting| setting.key.split('.').next()).collect();
    let named = sections.iter().flat_map(|section| words(span, &format!("{section}."), is_of_key));
    let unknown = named.filter(|key| !is_setting(key) && !OTHERS.iter().any(|other| key.starts_with(other)));
    let mut unknown: Vec<String> = unknown.map(|key| format!("no setting {key}")).collect();

    let is_of_name = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    for name in words(span, "MESSAGETRACE_ECS_", is_of_name) {
        let key = name.trim_start_matches("MESSAGETRACE_ECS_").to_lowercase().replace("__", ".");
        // One names files, and one is for the tests of the tests alone.
        let is_other = ["", "config", "mutant"].contains(&key.as_str());
        if !is_other && !is_setting(&key) {
            unknown.push(format!("no variable {name}"));
        }
    }
    unknown
}

/// Series without what all of ours begin with, each with its labels and their values. The page is written from the registry, and
/// a test keeps it so.
static SERIES: LazyLock<BTreeMap<String, BTreeMap<String, Vec<String>>>> = LazyLock::new(|| {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/metrics.md")).unwrap();
    // Below stands a table of buckets with fewer columns.
    let rows = page.lines().map(|row| row.split(" | ").collect::<Vec<_>>());
    rows.filter(|cells| cells.len() > 3 && cells[0].starts_with("| `"))
        .map(|cells| {
            let labels = cells[2].split("; ").filter_map(|label| {
                let mut quoted = label.split('`').skip(1).step_by(2).map(str::to_owned);
                Some((quoted.next()?, quoted.collect()))
            });
            let name = cells[0].trim_matches(['|', ' ', '`']);
            (name.trim_start_matches("messagetrace_ecs_").to_owned(), labels.collect())
        })
        .collect()
});

/// The series that this is a name of; a histogram has several.
fn series(name: &str) -> Option<&'static BTreeMap<String, Vec<String>>> {
    let samples = ["_bucket", "_count", "_sum"];
    SERIES.get(name).or_else(|| samples.iter().find_map(|sample| SERIES.get(name.strip_suffix(sample)?)))
}

fn unknown_series(span: &str) -> Vec<String> {
    let is_of_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let mut unknown = Vec::new();
    for name in words(span, "messagetrace_ecs_", is_of_name) {
        if series(name.trim_start_matches("messagetrace_ecs_")).is_none() {
            unknown.push(format!("no series {name}"));
        }
    }
    // A name alone, or with labels in braces: `x_total`, `x{label="value"}`, `x{value}`.
    let (name, braces) = span.split_once('{').unwrap_or((span, ""));
    let name = name.trim_start_matches("messagetrace_ecs_");
    if name.is_empty() || !name.chars().all(is_of_name) {
        return unknown;
    }
    let labels = series(name);
    if labels.is_none() && name.ends_with("_total") && name != "_total" {
        unknown.push(format!("no series {name}"));
    }
    let Some(labels) = labels else { return unknown };
    for pair in braces.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()) {
        let (label, value) = pair.split_once('=').unwrap_or(("", pair));
        let value = value.trim_matches('"');
        let has_value = |values: &Vec<String>| values.is_empty() || values.iter().any(|known| known == value);
        let is_known = match label {
            "" => labels.values().any(has_value),
            _ => labels.get(label).is_some_and(has_value),
        };
        if !is_known {
            unknown.push(format!("{name} is never {pair}"));
        }
    }
    unknown
}

fn unknown_headers(span: &str) -> Vec<String> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
    // The topics of the examples, what clients are called, and the calls to the pages.
    let headers = words(span, "dlq.", is_of_name).into_iter().filter(|name| name.len() > "dlq.".len());
    let is_known = |name: &str| {
        let is_group = dead_letter::OURS.iter().any(|header| header.starts_with(&format!("{name}.")));
        is_group || dead_letter::is_ours(name.as_bytes())
    };
    headers.filter(|name| !is_known(name)).map(|name| format!("no header {name}")).collect()
}

fn unknown_exits(span: &str) -> Vec<String> {
    let codes = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Findings].map(|exit| exit as i32);
    let numbers = span.split("exit ").skip(1).chain(span.split("exits ").skip(1));
    let number = |rest: &str| {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse::<i32>().ok()
    };
    let unknown = numbers.filter_map(number).filter(|code| !codes.contains(code) && ![130, 143].contains(code));
    unknown.map(|code| format!("no exit code {code}")).collect()
}

fn alerts() -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(ROOT).join("helm/messagetrace-ecs/files/alerts.yaml")).unwrap();
    text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

fn unknown_alerts(page: &str) -> Vec<String> {
    let alerts = alerts();
    let named = words(page, "MessagetraceEcs", char::is_alphanumeric);
    named.into_iter().filter(|name| !alerts.contains(*name)).map(|name| format!("no alert {name}")).collect()
}

static COMMAND: LazyLock<clap::Command> = LazyLock::new(|| {
    let mut command = Cli::command();
    command.build();
    command
});

fn has_option(command: &clap::Command, name: &str) -> bool {
    let is_it = |argument: &clap::Arg| {
        let short = argument.get_short().map(|short| format!("-{short}"));
        argument.get_long().map(|long| format!("--{long}")).as_deref() == Some(name) || short.as_deref() == Some(name)
    };
    command.get_arguments().any(is_it)
}

/// What follows the name of the program, or of one of its commands where that is said alone (`dlq stats`, `check --connect`).
fn call(span: &str) -> Option<&str> {
    let is_command = |word: &str| COMMAND.find_subcommand(word).is_some();
    let first = |call: &str| call.split(' ').next().unwrap_or_default().to_owned();
    if let Some((before, call)) = span.split_once("messagetrace-ecs ") {
        let begins = before.is_empty() || before.ends_with("$ ");
        return (begins || before.ends_with(' ') && is_command(&first(call))).then_some(call);
    }
    let (command, rest) = span.split_once(' ')?;
    let has_commands = COMMAND.find_subcommand(command)?.has_subcommands();
    (has_commands || rest.starts_with("--")).then_some(span)
}

/// What stands behind a pipe is another program.
fn unknown_words_of_a_call(span: &str) -> Vec<String> {
    let Some(call) = call(span) else { return Vec::new() };
    let mut command = &*COMMAND;
    let mut unknown = Vec::new();
    let mut may_be_command = true;
    for word in call.split([' ', '=']).filter(|word| !word.is_empty()) {
        if ["|", ">", "2>", "#", "&&", "\\", ";"].contains(&word) {
            break;
        }
        let word = word.trim_end_matches([';', ',', ')', ']']).trim_start_matches('[');
        if word.starts_with("--") && word.len() > 2 {
            if !has_option(command, word) {
                unknown.push(format!("{} has no option {word}", command.get_name()));
            }
        } else if may_be_command && let Some(below) = command.find_subcommand(word) {
            command = below;
        } else if may_be_command && command.has_subcommands() && word.chars().all(|letter| letter.is_ascii_lowercase())
        {
            unknown.push(format!("no command {word} in {call:?}"));
            may_be_command = false;
        } else {
            // A value, and behind an option's value there may be a command still.
            may_be_command = command.has_subcommands();
        }
    }
    unknown
}

type Rule = fn(&str) -> Vec<String>;

/// Each with a text that breaks it, and one that looks alike and does not.
const RULES: [(Rule, &str, &str); 11] = [
    (unknown_settings, "`pipeline.worker`", "`pipeline.workers`, and `log.retention.ms` of a broker"),
    (
        unknown_settings,
        "`kafka.sasl.username_file`",
        "`kafka.sasl.password_file`, `kafka.sasl`, `kafka.properties.linger.ms`",
    ),
    (
        unknown_settings,
        "`MESSAGETRACE_ECS_LOG__LEVELS=debug`",
        "`MESSAGETRACE_ECS_LOG__LEVEL=debug`, `MESSAGETRACE_ECS_CONFIG`",
    ),
    (
        unknown_series,
        "```\nrate(messagetrace_ecs_records[5m])\n```",
        "`messagetrace_ecs_normalize_duration_seconds_bucket`",
    ),
    (unknown_series, "`records_read_total`", "`records_polled_total`, and `_total` alone"),
    (unknown_series, "`stalled{cause=\"weather\"}`", "`stalled{cause=\"brokers\"}`, `stalled{group}`, `stalled`"),
    (unknown_headers, "`dlq.source.place`", "`dlq.source.offset`, `dlq.source.*`, `messagetrace.dlq.old`"),
    (
        unknown_words_of_a_call,
        "```\n$ messagetrace-ecs dlq lost\n```",
        "```\n$ messagetrace-ecs dlq list | jq .lost\n```",
    ),
    (unknown_words_of_a_call, "`check --connected`", "`check --connect`, `check the brokers`"),
    (unknown_words_of_a_call, "`dlq stats --rate 5`", "`dlq replay --rate 5 --execute`"),
    (unknown_exits, "`run` ends with exit 4", "exit 0 to 3, exit 143"),
];

fn broken(rule: Rule, page: &str) -> Vec<String> {
    // Exit codes stand in the prose.
    spans(page).iter().flat_map(|span| rule(span)).chain(unknown_exits(page)).collect()
}

#[test]
fn what_the_pages_name_is_what_the_program_knows() {
    let mut unknown = Vec::new();
    for (path, page) in pages() {
        let found = RULES.iter().flat_map(|(rule, ..)| broken(*rule, &page)).chain(unknown_alerts(&page));
        unknown.extend(found.map(|what| format!("{path}: {what}")).collect::<BTreeSet<_>>());
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn a_name_that_the_program_does_not_know_is_found_on_a_page() {
    for (rule, breaks, keeps) in RULES {
        assert!(!broken(rule, breaks).is_empty(), "{breaks}");
        assert_eq!(broken(rule, keeps), Vec::<String>::new(), "{keeps}");
    }
    assert_eq!(
        unknown_alerts("[MessagetraceEcsGone](alerts.md), MessagetraceEcsAbsent"),
        ["no alert MessagetraceEcsGone"]
    );
}

#[test]
fn every_command_header_and_exit_code_stands_on_a_page_and_every_alert_has_its_runbook() {
    let pages: Vec<(String, String)> = pages();
    let of = |name: &str| &pages.iter().find(|(path, _)| path.ends_with(name)).expect(name).1;
    let mut missing = Vec::new();
    let all: String = pages.iter().flat_map(|(_, page)| spans(page)).map(|span| format!("\n{span} ")).collect();
    for group in [&*COMMAND, COMMAND.find_subcommand("dlq").unwrap(), COMMAND.find_subcommand("demo").unwrap()] {
        let group_name = if group.get_name() == "messagetrace-ecs" { "" } else { &format!("{} ", group.get_name()) };
        for command in group.get_subcommands().filter(|command| command.get_name() != "help") {
            let call = format!("{group_name}{} ", command.get_name());
            if !all.contains(&format!("\n{call}")) && !all.contains(&format!("messagetrace-ecs {call}")) {
                missing.push(format!("command {call}"));
            }
        }
    }
    let letters = of("docs/dead-letters-for-programs.md");
    missing
        .extend(dead_letter::OURS.iter().filter(|name| !letters.contains(**name)).map(|name| format!("header {name}")));
    let codes = of("docs/first-steps.md").lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let codes: BTreeSet<&str> = codes.flat_map(|cell| cell.split(", ")).collect();
    let exits = [Exit::Done, Exit::Failed, Exit::Usage, Exit::Findings].map(|exit| (exit as i32).to_string());
    missing.extend(exits.iter().filter(|code| !codes.contains(code.as_str())).map(|code| format!("exit code {code}")));
    let runbooks = of("docs/alerts.md");
    let headings: BTreeSet<&str> = runbooks.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    missing.extend(
        alerts().iter().filter(|alert| !headings.contains(alert.as_str())).map(|alert| format!("runbook {alert}")),
    );
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_trace_on_the_first_page_becomes_the_event_on_the_first_page() {
    let page = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let blocks: Vec<&str> = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [trace, event] = blocks[..] else { panic!("{blocks:?}") };
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("trace.json");
    fs::write(&file, trace).unwrap();
    let normalize = ["normalize", "--profile", "ecs", "--whole"];
    let program = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs")).args(normalize).arg(file).output().unwrap();
    let printed = String::from_utf8(program.stdout).unwrap();
    // What is left out of it is an ellipsis.
    let event: String = event.lines().map(str::trim).collect();
    let mut rest = printed.as_str();
    for part in event.split('…') {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} in {printed}")).1;
    }
}
