//! The mapping a second time, written from its contract alone and for reading alone: a tree, a walk, a list of outcomes.
//!
//! It judges the fast one in `src/normalize`, with which it shares no line, so that a misreading has to happen twice to
//! go unseen. Speed is no concern here. The section numbers are those of the contract.

mod encoding;
mod event;
mod json;
mod suffix;
mod time;
mod trace;
mod wrapper;

use json::{Id, Tree, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Sekoia,
    Ecs,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub profile: Profile,
    pub organization: Option<String>,
    pub local_domains: Vec<String>,
    pub include_original: bool,
    pub max_payload_bytes: usize,
    pub max_traces: usize,
    pub max_events_bytes: usize,
    pub wrapper_keys: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Event {
        json: String,
        received_us: i64,
        id: String,
    },
    Rejection {
        kind: &'static str,
        /// Empty when no key is to blame.
        key: String,
        /// What the dead letter holds; `None` for the record's whole value.
        text: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `None` when the record is no page.
    pub index: Option<usize>,
    pub verdict: Verdict,
}

/// Kind and key of a rejection.
type Blame<'a> = (&'static str, &'a str);

const BYTE_ORDER_MARK: char = '\u{feff}';
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// How many wrappers a trace may stand in.
const MAX_LEVELS: usize = 4;

/// `input.wrapper_keys`, unless somebody chose others.
pub const WRAPPER_KEYS: [&str; 13] = [
    "value",
    "data",
    "body",
    "log",
    "_raw",
    "raw",
    "event",
    "json",
    "properties",
    "content",
    "results",
    "records",
    "d",
];

/// The outcomes of one record; none when it is skipped.
pub fn normalize(value: Option<&[u8]>, timestamp_ms: Option<i64>, options: &Options) -> Vec<Outcome> {
    outcomes(value.unwrap_or_default(), timestamp_ms, options).unwrap_or_else(|kind| {
        vec![Outcome { index: None, verdict: Verdict::Rejection { kind, key: String::new(), text: None } }]
    })
}

/// An error is the kind of a record that is rejected as a whole.
fn outcomes(value: &[u8], timestamp_ms: Option<i64>, options: &Options) -> Result<Vec<Outcome>, &'static str> {
    if value.len() > options.max_payload_bytes {
        return Err("payload_too_large");
    }
    let value = encoding::decode(value, options.max_payload_bytes)?;
    let unmarked = value.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&value);
    if unmarked.iter().all(|byte| b" \t\n\r".contains(byte)) {
        return Err("empty_payload");
    }
    let text = std::str::from_utf8(unmarked).map_err(|_| "invalid_utf8")?;

    let mut walk = Walk { options, timestamp_ms, outcomes: Vec::new() };
    if let Some(tree) = Tree::parse(text) {
        walk.visit(&Place { tree: &tree, node: tree.root, text, level: 0, in_page: false });
    } else {
        for line in lines(text).ok_or("invalid_json")? {
            match Tree::parse(line) {
                Some(tree) => walk.visit(&Place { tree: &tree, node: tree.root, text: line, level: 1, in_page: true }),
                None => walk.reject(true, ("invalid_json", ""), line),
            }
        }
    }
    let events_bytes: usize = walk.outcomes.iter().map(Outcome::event_bytes).sum();
    if walk.outcomes.len() > options.max_traces || events_bytes > options.max_events_bytes {
        return Err("expands_too_far");
    }
    Ok(walk.outcomes)
}

/// Whether it is exactly one JSON text, as it stands.
pub fn is_json_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| Tree::parse(text).is_some())
}

/// Section 2, rule 4: the lines, without the white space around them, of a text that is no JSON text by itself.
fn lines(text: &str) -> Option<Vec<&str>> {
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_matches(WHITE_SPACE)).collect();
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let [first, _second, ..] = lines[..] else { return None };
    let tree = Tree::parse(first)?;
    is_container(&tree, tree.root).then_some(lines)
}

impl Outcome {
    fn event_bytes(&self) -> usize {
        match &self.verdict {
            Verdict::Event { json, .. } => json.len(),
            Verdict::Rejection { .. } => 0,
        }
    }
}

/// A value that was reached, and how.
struct Place<'a> {
    tree: &'a Tree<'a>,
    node: Id,
    /// Section 8.
    text: &'a str,
    /// Wrappers taken off so far.
    level: usize,
    /// Whether an array was among them.
    in_page: bool,
}

/// What a wrapper stands for: a row of the table in section 2.
enum Wrapper {
    /// An array's.
    Elements(Vec<Id>),
    /// The key, and the content of the string under it; no key when the string is the value itself.
    Text(String, String),
    /// The key, and a string in Base64.
    Base64(String, String),
    Value(Id),
}

struct Walk<'a> {
    options: &'a Options,
    timestamp_ms: Option<i64>,
    outcomes: Vec<Outcome>,
}

impl Walk<'_> {
    fn visit(&mut self, place: &Place) {
        let Place { tree, node, text, level, in_page } = *place;
        match trace::read(tree, node) {
            Some(Ok(trace)) => {
                let json = event::write(&trace, text, self.timestamp_ms, self.options);
                let id = event::event_id(&trace);
                return self.push(in_page, Verdict::Event { json, received_us: trace.received_us, id });
            }
            Some(Err(blame)) => return self.reject(in_page, blame, text),
            None => {}
        }
        match wrapper::find(tree, node, MAX_LEVELS - level, &self.options.wrapper_keys) {
            None => self.reject(in_page, wrapper::what_else(tree, node), text),
            Some(_) if level == MAX_LEVELS => self.reject(in_page, ("unknown_shape", ""), text),
            Some(Wrapper::Elements(elements)) => {
                for node in elements {
                    let text = tree.verbatim(node);
                    self.visit(&Place { tree, node, text, level: level + 1, in_page: true });
                }
            }
            Some(Wrapper::Value(node)) => {
                self.visit(&Place { tree, node, text: tree.verbatim(node), level: level + 1, in_page });
            }
            Some(Wrapper::Text(key, content)) => self.visit_text(place, &key, &content),
            Some(Wrapper::Base64(key, content)) => match wrapper::from_base64(&content) {
                Some(content) => self.visit_text(place, &key, &content),
                None => self.reject(in_page, ("invalid_encoding", &key), text),
            },
        }
    }

    /// The JSON text that was found in the string of a wrapper.
    fn visit_text(&mut self, wrapper: &Place, key: &str, content: &str) {
        let Place { level, in_page, .. } = *wrapper;
        let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
        match Tree::parse(text) {
            Some(tree) => self.visit(&Place { tree: &tree, node: tree.root, text, level: level + 1, in_page }),
            None => self.reject(in_page, ("invalid_json", key), content),
        }
    }

    fn reject(&mut self, in_page: bool, (kind, key): Blame, text: &str) {
        let text = in_page.then(|| text.to_owned());
        self.push(in_page, Verdict::Rejection { kind, key: key.to_owned(), text });
    }

    fn push(&mut self, in_page: bool, verdict: Verdict) {
        let index = in_page.then_some(self.outcomes.len());
        self.outcomes.push(Outcome { index, verdict });
    }
}

fn is_container(tree: &Tree, node: Id) -> bool {
    matches!(tree.value(node), Value::Array(_) | Value::Object(_))
}
