//! Who watches the tests: each planted bug of `src/mutants.rs` has to be found, by the check that is named here, and without one
//! every check is green. Run by name, because it builds the program a second time and starts many brokers:
//! `cargo test --locked --test stress_mutants -- --nocapture`; with `MUTANT=NoRewind` that one alone.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Arguments of `cargo test` that name one check.
type Check = &'static [&'static str];

const SCHEDULES: Check = &["--test", "schedules", "every_schedule_seals_every_record_once_and_in_order"];
const BOOKS: Check = &["--lib", "a_rewind_abandons_what_is_not_sealed_and_goes_back_to_the_seal"];
const WATCHDOG: Check = &["--lib", "pipeline::watchdog::"];
const COMPLETE: Check = &["--test", "kafka_service", "fifty_thousand_mixed_records_come_out_complete"];
const LIMIT_LOWERED: Check =
    &["--test", "kafka_service", "a_limit_that_is_lowered_under_a_running_service_is_read_again"];
const REFUSED: Check = &["--test", "kafka_service", "a_record_that_the_broker_refuses_costs_no_neighbour"];
const SHARED: Check = &["--test", "kafka_service", "two_instances_share_the_partitions_while_one_comes_and_goes"];
const CUT_BACK: Check =
    &["--test", "kafka_service", "a_log_that_was_cut_back_while_nobody_looked_goes_on_where_the_logs_part"];
const LATE_END: Check = &["--test", "kafka_service", "an_end_of_a_transaction_that_comes_late_ends_no_other"];
const LATE_END_OF_A_REPLAY: Check =
    &["--test", "kafka_commands", "an_end_of_a_transaction_that_comes_late_sends_no_letter_twice"];
const UNANSWERED: Check =
    &["--test", "kafka_service", "answers_that_never_come_on_open_connections_are_got_over_by_new_ones"];

/// A planted bug, a check that has to find it, and what that says.
const FOUND: [(&str, Check, &str); 15] = [
    ("CommitBeforeAcknowledgement", SCHEDULES, "a seal commits what was not acknowledged"),
    ("ForgetAPartition", SCHEDULES, "no record twice"),
    ("SwapTwoBatches", COMPLETE, "OutOfOrder"),
    ("DropADeadLetter", REFUSED, "Missing"),
    ("CommitWhatIsLost", SCHEDULES, "what was lost is committed"),
    ("OldGroupMetadata", SHARED, "in vain"),
    ("NoRewind", SCHEDULES, "every record that is there once and in order"),
    ("NoRewind", REFUSED, "Missing"),
    ("CountARetryTwice", SCHEDULES, "the account balances"),
    ("CountARetryTwice", BOOKS, "Imbalance"),
    ("NoLeaderEpoch", CUT_BACK, "in vain"),
    ("GoOnAfterACut", LATE_END, "Repeated"),
    ("GoOnAfterACut", LATE_END_OF_A_REPLAY, "was sent twice"),
    ("WatchdogAsleep", WATCHDOG, "one_partition_that_stands_while_its_records_wait_is_seen_beside_others_that_move"),
    ("WatchdogAsleep", UNANSWERED, "panicked at tests/kafka_service/stuck.rs"),
];

/// Runs one check; `Err` with all that it said.
fn run(check: Check, mutant: Option<&str>) -> Result<(), String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--features", "mutants"]).args(check);
    // What is planted shows in the first few.
    cargo.env("SCHEDULES", "2000");
    match mutant {
        Some(mutant) => cargo.env("MESSAGETRACE_ECS_MUTANT", mutant),
        None => cargo.env_remove("MESSAGETRACE_ECS_MUTANT"),
    };
    let ran = cargo.stdin(Stdio::null()).output().expect("start cargo");
    let said = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!said.contains("0 passed; 0 failed") || said.contains("1 passed"), "{check:?} names no test:\n{said}");
    if ran.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn every_planted_bug_is_found_by_the_check_that_is_named_for_it() {
    let only = env::var("MUTANT").ok();
    let rows: Vec<_> = FOUND.iter().filter(|(mutant, ..)| only.as_ref().is_none_or(|only| only == mutant)).collect();
    let mut checks: Vec<Check> = rows.iter().map(|(_, check, _)| *check).collect();
    checks.sort_unstable();
    checks.dedup();
    for check in checks {
        assert_eq!(run(check, None), Ok(()), "{check:?} is red without any bug");
    }
    println!("| planted | found by | which said | after |\n| --- | --- | --- | --- |");
    let mut missed = Vec::new();
    for (mutant, check, says) in rows {
        let began = Instant::now();
        let name = check.last().expect("a check has a name");
        match run(check, Some(mutant)) {
            Err(said) if said.contains(says) => {
                println!("| {mutant} | {name} | {says} | {:.0} s |", began.elapsed().as_secs_f64());
            }
            Err(said) => missed.push(format!("{name} finds {mutant}, and does not say {says:?}:\n{said}")),
            Ok(()) => missed.push(format!("{name} does not find {mutant}")),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
