//! How traces travel: plain, wrapped, in pages, several levels of that; with the text that each of them must leave behind.

use fastrand::Rng;

use super::trace::{Draft, Facts, quoted};

/// Levels of wrapping that the mapping takes off.
pub const MAX_LEVELS: usize = 4;

/// What must become of one trace, or of a record that holds none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Event {
        facts: Box<Facts>,
        message: String,
    },
    Letter {
        kind: &'static str,
        /// The key to blame; empty when there is none.
        key: &'static str,
        /// The dead letter's value when it comes out of a page; otherwise the record's value.
        text: String,
    },
}

/// A piece of JSON text with the traces in it, in order.
#[derive(Clone, Debug)]
pub struct Piece {
    pub text: String,
    pub fates: Vec<Fate>,
    /// Reached through an array.
    pub page: bool,
    pub levels: usize,
    /// Not wrapped yet: a string around it becomes the verbatim text, white space included.
    bare: bool,
}

impl Piece {
    pub fn trace(rng: &mut Rng, id: String) -> Self {
        let draft = Draft::make(rng, id);
        let text = draft.text(rng);
        let fate = Fate::Event { facts: Box::new(draft.facts), message: text.clone() };
        Self::bare(text, fate)
    }

    /// A good trace whose event has more than so many bytes, which is more than its topic takes.
    pub fn large(rng: &mut Rng, id: &str, bytes: usize) -> Self {
        let mut draft = Draft::make(rng, id.to_owned());
        let subject = draft.names().subject;
        draft.set(subject, &format!("\"{}\"", "x".repeat(bytes)));
        Self::letter("event_too_large", "", draft.text(rng))
    }

    /// A trace or something else that gives exactly one rejection.
    pub fn letter(kind: &'static str, key: &'static str, text: String) -> Self {
        let fate = Fate::Letter { kind, key, text: text.clone() };
        Self::bare(text, fate)
    }

    fn bare(text: String, fate: Fate) -> Self {
        Self { text, fates: vec![fate], page: false, levels: 0, bare: true }
    }

    /// An array of pieces: a page, were it empty or of one element.
    pub fn array(rng: &mut Rng, elements: Vec<Self>) -> Self {
        let comma = rng.choice([",", ", ", ",\n"]).expect("not empty");
        let texts: Vec<&str> = elements.iter().map(|element| element.text.as_str()).collect();
        Self {
            text: format!("[{}]", texts.join(comma)),
            levels: 1 + elements.iter().map(|element| element.levels).max().unwrap_or(0),
            fates: elements.into_iter().flat_map(|element| element.fates).collect(),
            page: true,
            bare: false,
        }
    }

    /// Puts an array into one of the objects that pages come in; that is part of the same level.
    pub fn in_envelope(mut self, rng: &mut Rng) -> Self {
        assert!(self.text.starts_with('['), "envelopes are for arrays");
        let (before, after) = rng
            .choice([
                ("", ""),
                ("{\"value\":", "}"),
                ("{\"@odata.context\":\"https://graph.example/$metadata\",\"value\": ", ",\"@odata.count\":2}"),
                ("{\"d\":{\"results\":", "}}"),
                ("{\"d\":", "}"),
                ("{\"results\" : ", "}"),
                ("{\"records\":", "}"),
            ])
            .expect("not empty");
        self.text = format!("{before}{}{after}", self.text);
        self
    }

    /// One more level that is no page: into a string, or into an object as it stands.
    pub fn wrapped(self, rng: &mut Rng) -> Self {
        let is_container = self.text.starts_with(['{', '[']);
        if is_container && rng.u8(..3) == 0 { self.in_object(rng) } else { self.in_string(rng) }
    }

    fn in_object(mut self, rng: &mut Rng) -> Self {
        let key = rng.choice(["message", "payload"]).expect("not empty");
        self.text = format!("{{\"agent\":\"shipper\",\"{key}\":{}}}", self.text);
        self.levels += 1;
        self.bare = false;
        self
    }

    fn in_string(mut self, rng: &mut Rng) -> Self {
        self = self.aired(rng);
        self.text = in_string_of(rng, &self.text).1;
        self.levels += 1;
        self.bare = false;
        self
    }

    /// White space and a byte order mark around it, as the whole of a string or of a record's value.
    pub fn aired(mut self, rng: &mut Rng) -> Self {
        let (mark, before, after) =
            rng.choice([("", "", ""), ("", " ", "\n"), ("\u{feff}", "", ""), ("", "", "\r\n")]).expect("not empty");
        let content = format!("{before}{}{after}", self.text);
        if self.bare {
            // The verbatim text is all of the content, less the byte order mark.
            let fate = self.fates.first_mut().expect("a bare piece has one fate");
            let (Fate::Event { message: text, .. } | Fate::Letter { text, .. }) = fate;
            text.clone_from(&content);
        }
        self.text = format!("{mark}{content}");
        self
    }

    /// One more level, always the same one.
    pub fn in_payload(mut self) -> Self {
        self.text = format!("{{\"payload\":{}}}", self.text);
        self.levels += 1;
        self.bare = false;
        self
    }

    /// The same fate, written down as another text, one level deeper.
    pub fn written_as(mut self, text: String) -> Self {
        self.text = text;
        self.levels += 1;
        self.bare = false;
        self
    }

    /// Wraps up to `levels` levels in all.
    pub fn wrapped_to(mut self, rng: &mut Rng, levels: usize) -> Self {
        while self.levels < levels {
            self = if rng.u8(..4) == 0 { Self::array(rng, vec![self]).in_envelope(rng) } else { self.wrapped(rng) };
        }
        self
    }
}

/// An object that carries `content` in one of the four string keys, and that key's name.
pub fn in_string_of(rng: &mut Rng, content: &str) -> (&'static str, String) {
    let json = quoted(rng, content);
    let (key, text) = match rng.u8(..4) {
        0 => ("message", format!("{{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"message\":{json}}}")),
        1 => ("event.original", format!("{{\"event.original\":{json}}}")),
        2 => ("event.original", format!("{{\"event\":{{\"kind\":\"event\",\"original\":{json}}}}}")),
        _ => ("payload", format!("{{\"payload\":{json},\"offset\":17}}")),
    };
    (key, text)
}
