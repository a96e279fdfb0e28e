//! What the demo says at the end: samples of what came out, and the account.

use std::io::{self, Write};

use serde_json::Value;

use super::account::{Account, Sample, Sightings};
use super::feed::Totals;
use super::progress::per_second;
use super::traffic::Followed;
use crate::text::harmless;

/// Characters of a text that are shown of a sample.
const SHOWN_CHARS: usize = 120;

/// Some of what came out.
pub fn samples(out: &mut impl Write, seen: &Sightings) -> io::Result<()> {
    for sample in &seen.event_samples {
        show_sample(out, "event", sample)?;
    }
    for (kind, sample) in &seen.dead_letter_samples {
        show_sample(out, &format!("dead letter, {}", kind.name()), sample)?;
    }
    Ok(())
}

fn show_sample(out: &mut impl Write, what: &str, sample: &Sample) -> io::Result<()> {
    writeln!(out, "{what} at {}", sample.at)?;
    for (name, value) in &sample.headers {
        writeln!(out, "  {name}: {}", harmless(value.as_bytes(), SHOWN_CHARS))?;
    }
    writeln!(out, "{}\n", sample.value.as_deref().map_or_else(|| "null".to_owned(), value))
}

/// JSON laid out for people, anything else as it is; long texts cut.
fn value(bytes: &[u8]) -> String {
    fn shorten(value: &mut Value) {
        match value {
            Value::String(text) => *text = harmless(text.as_bytes(), SHOWN_CHARS),
            Value::Array(items) => items.iter_mut().for_each(shorten),
            Value::Object(members) => members.values_mut().for_each(shorten),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut event @ Value::Object(_)) => {
            shorten(&mut event);
            format!("{event:#}")
        }
        _ => harmless(bytes, SHOWN_CHARS),
    }
}

/// The account at the end, and whether all of it agrees.
#[derive(Debug)]
pub struct Outcome<'a> {
    pub followed: Followed,
    pub service: Account,
    pub seen: &'a Sightings,
    pub totals: &'a Totals,
}

impl Outcome<'_> {
    /// Prints the account; what does not agree comes back, one line each.
    pub fn report(&self, out: &mut impl Write) -> io::Result<Vec<String>> {
        let Self { followed, service, seen, totals } = self;
        let seconds = followed.took.as_secs_f64();
        let (records, events) = (per_second(totals.records, followed.took), per_second(seen.events, followed.took));
        writeln!(out, "{} records in {seconds:.1} s: {records} records/s, {events} events/s\n", totals.records)?;
        writeln!(out, "{:10}{:>10}  = {:>10} + {:>13} + {:>8}", "", "polled", "delivered", "dead-lettered", "skipped")?;
        let reader = seen.account(followed.committed);
        for (who, account) in [("service", *service), ("reader", reader), ("expected", Account::from(*totals))] {
            let Account { polled, delivered, dead_lettered, skipped } = account;
            writeln!(out, "{who:10}{polled:>10}  = {delivered:>10} + {dead_lettered:>13} + {skipped:>8}")?;
        }
        writeln!(out, "\n{:>10} events", seen.events)?;
        for (kind, count) in seen.dead_letters() {
            writeln!(out, "{count:>10} dead letters {}", kind.name())?;
        }
        writeln!(out)?;
        let differences = seen.differences(followed.committed, *service, totals);
        if differences.is_empty() {
            writeln!(out, "every record is accounted for: none missing, none twice")?;
        }
        for difference in &differences {
            writeln!(out, "differs: {difference}")?;
        }
        writeln!(
            out,
            "(at least once: the embedded broker isolates no transactions; the service itself defaults to exactly once)"
        )?;
        Ok(differences)
    }
}
