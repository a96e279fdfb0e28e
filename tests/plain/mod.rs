//! The mapping a second time, written from its contract alone and for reading alone: a tree, a walk, a list of outcomes.
//!
//! It judges the fast one in `src/normalize`, with which it shares no line, so that a misreading has to happen twice to
//! go unseen. Speed is no concern here. The section numbers are those of the contract.

mod event;
mod json;
mod suffix;
mod time;
mod trace;

use json::{Id, Tree};

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
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Event {
        json: String,
        received_us: i64,
    },
    Rejection {
        kind: &'static str,
        /// Empty when no key is to blame.
        key: &'static str,
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
type Blame = (&'static str, &'static str);

const BYTE_ORDER_MARK: char = '\u{feff}';

/// How many wrappers a trace may stand in.
const MAX_LEVELS: usize = 4;

/// The outcomes of one record; none when it is skipped.
pub fn normalize(value: Option<&[u8]>, timestamp_ms: Option<i64>, options: &Options) -> Vec<Outcome> {
    let whole = |kind| vec![Outcome { index: None, verdict: Verdict::Rejection { kind, key: "", text: None } }];
    let value = value.unwrap_or_default();
    if value.len() > options.max_payload_bytes {
        return whole("payload_too_large");
    }
    let unmarked = value.strip_prefix("\u{feff}".as_bytes()).unwrap_or(value);
    if unmarked.iter().all(|byte| b" \t\n\r".contains(byte)) {
        return whole("empty_payload");
    }
    let Ok(text) = std::str::from_utf8(unmarked) else { return whole("invalid_utf8") };
    let Some(tree) = Tree::parse(text) else { return whole("invalid_json") };

    let mut walk = Walk { options, timestamp_ms, outcomes: Vec::new() };
    walk.visit(&Place { tree: &tree, node: tree.root, text, level: 0, in_page: false });
    let events_bytes: usize = walk.outcomes.iter().map(Outcome::event_bytes).sum();
    if walk.outcomes.len() > options.max_traces || events_bytes > options.max_events_bytes {
        return whole("expands_too_far");
    }
    walk.outcomes
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
enum Wrapper<'a> {
    /// Rows 1 to 4.
    Elements(&'a [Id]),
    /// Row 5: the key and the content of its string.
    Text(&'static str, &'a str),
    /// Row 6.
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
        match (trace::read(tree, node), wrapper(tree, node)) {
            (Some(Ok(trace)), _) => {
                let json = event::write(&trace, text, self.timestamp_ms, self.options);
                self.push(in_page, Verdict::Event { json, received_us: trace.received_us });
            }
            (Some(Err(blame)), _) => self.reject(in_page, blame, text),
            (None, None) => self.reject(in_page, (what_else(tree, node), ""), text),
            (None, Some(_)) if level == MAX_LEVELS => self.reject(in_page, ("unknown_shape", ""), text),
            (None, Some(Wrapper::Elements(elements))) => {
                for &node in elements {
                    let text = tree.verbatim(node);
                    self.visit(&Place { tree, node, text, level: level + 1, in_page: true });
                }
            }
            (None, Some(Wrapper::Value(node))) => {
                self.visit(&Place { tree, node, text: tree.verbatim(node), level: level + 1, in_page });
            }
            (None, Some(Wrapper::Text(key, content))) => {
                let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
                match Tree::parse(text) {
                    Some(tree) => self.visit(&Place { tree: &tree, node: tree.root, text, level: level + 1, in_page }),
                    None => self.reject(in_page, ("invalid_json", key), content),
                }
            }
        }
    }

    fn reject(&mut self, in_page: bool, (kind, key): Blame, text: &str) {
        let text = in_page.then(|| text.to_owned());
        self.push(in_page, Verdict::Rejection { kind, key, text });
    }

    fn push(&mut self, in_page: bool, verdict: Verdict) {
        let index = in_page.then_some(self.outcomes.len());
        self.outcomes.push(Outcome { index, verdict });
    }
}

fn wrapper<'a>(tree: &'a Tree, node: Id) -> Option<Wrapper<'a>> {
    let get = |key| tree.get(node, key);
    let array = |id: Option<Id>| id.and_then(|id| tree.array(id));
    let string = |id: Option<Id>| id.and_then(|id| tree.string(id));

    let elements = array(Some(node))
        .or_else(|| array(get("d")))
        .or_else(|| array(get("d").and_then(|d| tree.get(d, "results"))))
        .or_else(|| array(get("results")))
        .or_else(|| array(get("value")))
        .or_else(|| array(get("records")));
    if let Some(elements) = elements {
        return Some(Wrapper::Elements(elements));
    }
    let strings = [
        ("message", get("message")),
        ("event.original", get("event.original")),
        ("event.original", get("event").and_then(|event| tree.get(event, "original"))),
        ("payload", get("payload")),
    ];
    if let Some((key, content)) = strings.into_iter().find_map(|(key, id)| Some((key, string(id)?))) {
        return Some(Wrapper::Text(key, content));
    }
    let is_container = |id: &Id| tree.is_object(*id) || tree.array(*id).is_some();
    ["message", "payload"].into_iter().find_map(|key| get(key).filter(is_container)).map(Wrapper::Value)
}

/// Why a value that is neither trace nor wrapper is rejected.
fn what_else(tree: &Tree, node: Id) -> &'static str {
    let is_object = |key| tree.get(node, key).is_some_and(|id| tree.is_object(id));
    if trace::is_detail_row(tree, node) {
        "message_trace_detail"
    } else if is_object("error") || is_object("odata.error") || tree.has(node, "ErrorCode") {
        "api_error"
    } else {
        "unknown_shape"
    }
}
