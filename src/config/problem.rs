//! What is wrong with a configuration: one line each, with the key, the value, the place it came from and the remedy.

use std::fmt;

use crate::text::harmless;

/// Lines that are printed at most; whoever has more problems than this has one: the wrong file.
const SHOWN: usize = 100;

/// Characters of a value that a line quotes at most.
const QUOTED: usize = 80;

/// Characters of a library's sentence that a line quotes at most.
const SENTENCE: usize = 300;

/// What is wrong with a value and how to put it right, before it is known where the value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    pub remedy: String,
}

impl Fault {
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl std::error::Error for Fault {}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    /// The value as it may be shown, already redacted; `None` when there is none to show.
    pub value: Option<String>,
    /// File and line, variable or flag.
    pub origin: String,
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&short(&self.key))?;
        if let Some(value) = &self.value {
            write!(f, " = {}", short(value))?;
        }
        write!(f, " ({}): {}", short(&self.origin), self.fault)
    }
}

/// All problems of a configuration, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there are more than anyone will read.
    pub(super) fn is_crowded(&self) -> bool {
        self.0.len() >= SHOWN
    }

    pub(super) fn last(&self) -> Option<&Problem> {
        self.0.last()
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more problems"),
        }
    }
}

impl std::error::Error for Problems {}

/// Something that works, and that a person should know about on every start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub key: &'static str,
    pub origin: String,
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, short(&self.origin), self.text)
    }
}

/// A text from outside as part of one line: what acts escaped, cut to a length that leaves the line readable.
pub(super) fn short(text: &str) -> String {
    harmless(text.as_bytes(), QUOTED)
}

/// The same for a library's sentence, which says something up to its end.
pub(super) fn sentence(text: &str) -> String {
    harmless(text.as_bytes(), SENTENCE)
}
