//! What to do about a file that is something else than it is read as, told from the first of its records that is not blank.

use super::records::Split;
use crate::normalize;
use crate::normalize::{Kind, Outcome, Verdict};

const WHOLE: &str = "it looks like one JSON text over several lines; read it with --whole";
const CSV: &str = "it looks like CSV, a table of text; export JSON instead, in PowerShell with ConvertTo-Json";

/// Advice on one file, given once.
#[derive(Debug, Default)]
pub struct Advice {
    looked: bool,
}

impl Advice {
    /// What to say after a record of the file, told what became of it.
    pub fn on<'o>(
        &mut self,
        value: &[u8],
        split: Split,
        max_bytes: usize,
        mut outcomes: impl Iterator<Item = Outcome<'o>>,
    ) -> Option<&'static str> {
        if self.looked {
            return None;
        }
        let Some(Outcome { verdict: Verdict::Rejection { rejection, .. }, .. }) = outcomes.next() else {
            self.looked = true;
            return None;
        };
        self.looked = rejection.kind != Kind::EmptyPayload;
        if rejection.kind != Kind::InvalidJson {
            return None;
        }
        let decoded = normalize::decoded(value, max_bytes).ok()?;
        let text = str::from_utf8(&decoded.text).ok()?;
        if split == Split::Lines && goes_on(text, rejection.position) {
            return Some(WHOLE);
        }
        is_csv(text).then_some(CSV)
    }
}

/// Whether a text is the beginning of a JSON text: all of it is right, and more was expected.
fn goes_on(text: &str, flaw: Option<usize>) -> bool {
    begins(text).starts_with(['{', '[']) && flaw.is_some_and(|flaw| flaw >= text.trim_end().len())
}

/// Whether a text begins with the names of columns.
fn is_csv(text: &str) -> bool {
    let head = begins(text).lines().next().unwrap_or_default().trim();
    // PowerShell's Export-Csv begins with the type of what was exported.
    head.starts_with("#TYPE ")
        || [',', ';', '\t'].iter().any(|comma| head.contains(*comma) && head.split(*comma).all(is_column))
}

fn is_column(name: &str) -> bool {
    let name = name.trim().trim_matches('"');
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ' '))
}

/// A text from where it begins for a reader.
fn begins(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_json_text_is_told_from_one_that_is_wrong() {
        for (text, flaw, expected) in [
            ("{", 1, true),
            ("[\r", 2, true),
            ("\u{feff}  {", 6, true),
            ("{\"value\": [", 11, true),
            ("{} {}", 3, false),
            ("abc", 3, false),
            ("{\"a\" 1}", 5, false),
        ] {
            assert_eq!(goes_on(text, Some(flaw)), expected, "{text:?}");
        }
        assert!(!goes_on("{", None));
    }

    #[test]
    fn a_table_is_known_by_its_columns() {
        for (text, expected) in [
            ("#TYPE Microsoft.Exchange.Management\n\"A\",\"B\"", true),
            ("\"PSComputerName\",\"MessageTraceId\",\"Received\"\r\n\"a\",\"b\",\"c\"", true),
            ("\u{feff}origin_timestamp_utc,sender_address,recipient_status", true),
            ("Date;Sender address;Größe", true),
            ("message_id\tsubject", true),
            ("abc", false),
            ("{\"a\":1},{\"b\":2}", false),
            ("a,,b", false),
            ("2022-09-05,a", false),
            ("", false),
        ] {
            assert_eq!(is_csv(text), expected, "{text:?}");
        }
    }
}
