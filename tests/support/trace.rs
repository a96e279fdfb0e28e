//! One trace, made up from a seed: its JSON text in one of the two shapes, and the event that must come of it.
//!
//! The event is known from the fields that went into the text, so nothing has to be parsed to know it.

use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Reporting,
    Graph,
}

/// What a trace says, as the event must show it. Absent is `None`, however the text says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub id: String,
    pub received: String,
    pub organization: Option<String>,
    pub message_id: Option<String>,
    pub sender: Option<String>,
    pub recipient: Option<String>,
    pub subject: Option<String>,
    pub status: Option<String>,
    /// Only when it is an address.
    pub from_ip: Option<String>,
    pub size: Option<u64>,
}

impl Facts {
    /// The same for the same trace in the same state.
    pub fn event_id(&self) -> String {
        let lower = |part: &Option<String>| part.as_deref().unwrap_or_default().to_ascii_lowercase();
        let hash = Sha256::digest(format!("{}\0{}\0{}\0", self.id, lower(&self.recipient), lower(&self.status)));
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The event of profile `sekoia`: these keys and no others.
    pub fn event(&self, message: &str) -> Value {
        let mut event = json!({"kind": "event", "category": ["email"], "type": ["info"]});
        let mut email = Map::new();
        let mut trace = json!({"MessageTraceId": self.id});
        let mut root = json!({"message": message, "@timestamp": self.received});
        if let Some(status) = &self.status {
            event["action"] = json!(status);
        }
        if let Some(size) = self.size {
            trace["Size"] = json!(size);
        }
        if let Some(id) = &self.message_id {
            email.insert("message_id".to_owned(), json!(id));
        }
        for (side, address) in [("from", &self.sender), ("to", &self.recipient)] {
            if let Some(address) = address {
                email.insert(side.to_owned(), json!({"address": [address]}));
            }
        }
        if let Some(subject) = &self.subject {
            email.insert("subject".to_owned(), json!(subject));
        }
        if !email.is_empty() {
            root["email"] = Value::Object(email);
        }
        if let Some(name) = &self.organization {
            root["organization"] = json!({"name": name});
        }
        if let Some(ip) = &self.from_ip {
            root["source"] = json!({"ip": ip, "address": ip});
            root["related"] = json!({"ip": [ip]});
        }
        root["event"] = event;
        root["office365"] = json!({"message_trace": trace});
        root
    }
}

/// Keys and the JSON text of their values, still to be written down; poison is made by spoiling one of them.
#[derive(Clone, Debug)]
pub struct Draft {
    pub shape: Shape,
    pub keys: Vec<(&'static str, String)>,
    pub facts: Facts,
}

impl Draft {
    pub fn make(rng: &mut Rng, id: String) -> Self {
        let shape = rng.choice([Shape::Reporting, Shape::Graph]).expect("not empty");
        let names = names(shape);
        let (received_text, received) = received(rng, shape);
        let mut keys = vec![(names.id, quoted(rng, &id)), (names.received, received_text)];
        let mut facts = Facts { id, received, ..Facts::default() };
        if let Some(key) = names.organization {
            facts.organization = maybe(rng, &mut keys, key, |_| "contoso.example".to_owned());
        }
        facts.message_id = maybe(rng, &mut keys, names.message_id, |rng| format!("<{:x}@mail.example>", rng.u64(..)));
        facts.sender = maybe(rng, &mut keys, names.sender, address);
        facts.recipient = maybe(rng, &mut keys, names.recipient, address);
        facts.subject = maybe(rng, &mut keys, names.subject, subject);
        facts.status = maybe(rng, &mut keys, names.status, |rng| {
            let known = ["Delivered", "delivered", "Failed", "GettingStatus", "FilteredAsSpam", "quarantined"];
            rng.choice(known).expect("not empty").to_owned()
        });
        maybe(rng, &mut keys, names.to_ip, |_| "198.51.100.7".to_owned());
        let ip = maybe(rng, &mut keys, names.from_ip, from_ip);
        facts.from_ip = ip.filter(|ip| !ip.contains("not"));
        facts.size = size(rng, &mut keys, names.size);
        if rng.u8(..4) == 0 {
            keys.push(("StartDate", quoted(rng, "/Date(1658751973240)/")));
            keys.push(("@odata.type", quoted(rng, "#microsoft.graph.exchangeMessageTrace")));
        }
        rng.shuffle(&mut keys);
        Self { shape, keys, facts }
    }

    /// Puts another JSON text in place of a key's value.
    pub fn set(&mut self, key: &'static str, json: &str) {
        self.keys.retain(|(name, _)| *name != key);
        self.keys.push((key, json.to_owned()));
    }

    pub fn names(&self) -> Names {
        names(self.shape)
    }

    /// The JSON text, compact or aired.
    pub fn text(&self, rng: &mut Rng) -> String {
        let (comma, colon) = rng.choice([(",", ":"), (", ", ": "), (",\n  ", " : ")]).expect("not empty");
        let pairs: Vec<String> = self.keys.iter().map(|(key, json)| format!("\"{key}\"{colon}{json}")).collect();
        format!("{{{}}}", pairs.join(comma))
    }
}

/// The keys of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    pub id: &'static str,
    pub received: &'static str,
    pub organization: Option<&'static str>,
    pub message_id: &'static str,
    pub sender: &'static str,
    pub recipient: &'static str,
    pub subject: &'static str,
    pub status: &'static str,
    pub to_ip: &'static str,
    pub from_ip: &'static str,
    pub size: &'static str,
}

fn names(shape: Shape) -> Names {
    match shape {
        Shape::Reporting => Names {
            id: "MessageTraceId",
            received: "Received",
            organization: Some("Organization"),
            message_id: "MessageId",
            sender: "SenderAddress",
            recipient: "RecipientAddress",
            subject: "Subject",
            status: "Status",
            to_ip: "ToIP",
            from_ip: "FromIP",
            size: "Size",
        },
        Shape::Graph => Names {
            id: "id",
            received: "receivedDateTime",
            organization: None,
            message_id: "messageId",
            sender: "senderAddress",
            recipient: "recipientAddress",
            subject: "subject",
            status: "status",
            to_ip: "toIP",
            from_ip: "fromIP",
            size: "size",
        },
    }
}

/// Writes a key with a value or, now and then, in one of the three ways of saying that it has none. A sender or recipient keeps
/// its key, because a graph trace is known by it.
fn maybe(
    rng: &mut Rng,
    keys: &mut Vec<(&'static str, String)>,
    key: &'static str,
    value: impl FnOnce(&mut Rng) -> String,
) -> Option<String> {
    match rng.u8(..12) {
        0 if !key.ends_with("Address") => None,
        1 => {
            keys.push((key, "null".to_owned()));
            None
        }
        2 => {
            keys.push((key, "\"\"".to_owned()));
            None
        }
        _ => {
            let value = value(rng);
            keys.push((key, quoted(rng, &value)));
            Some(value)
        }
    }
}

fn address(rng: &mut Rng) -> String {
    let known = ["alice@contoso.example", "Bob.Martin@sub.fabrikam.example", "<>", "zoé@café.example", "no-at-sign"];
    rng.choice(known).expect("not empty").to_owned()
}

fn subject(rng: &mut Rng) -> String {
    let known = [
        "Invoice 2022-117",
        "Réunion – budget ☕ 😀",
        "quotes \" and \\ backslashes / slashes",
        "two\nlines\tand a tab",
        "\u{1}control\u{7f}",
        "日本語の件名",
    ];
    let start = rng.choice(known).expect("not empty");
    format!("{start}{}", "·".repeat(rng.usize(..40)))
}

fn from_ip(rng: &mut Rng) -> String {
    let known = ["203.0.113.9", "2001:db8::17", "2001:0DB8:0:0:0:0:0:1", "::ffff:192.0.2.1", "not an address"];
    rng.choice(known).expect("not empty").to_owned()
}

fn size(rng: &mut Rng, keys: &mut Vec<(&'static str, String)>, key: &'static str) -> Option<u64> {
    let (json, size) = match rng.u8(..6) {
        0 => ("null", None),
        1 => ("\"\"", None),
        2 => ("\"4711\"", Some(4711)),
        3 => ("87680.0", Some(87_680)),
        4 => ("0", Some(0)),
        _ => ("9223372036854775807", Some(9_223_372_036_854_775_807)),
    };
    keys.push((key, json.to_owned()));
    size
}

/// A received time in one of the accepted forms, as JSON text, and as it must be printed.
fn received(rng: &mut Rng, shape: Shape) -> (String, String) {
    let seconds = rng.i64(1_420_070_400..1_790_000_000);
    let (text, micros) = if shape == Shape::Reporting && rng.bool() {
        let millis = rng.u32(..1000);
        let zone = rng.choice(["", "+0000", "-0700"]).expect("not empty");
        (format!("/Date({seconds}{millis:03}{zone})/"), millis * 1000)
    } else {
        iso(rng, seconds)
    };
    let text = if rng.u8(..8) == 0 { format!(" {text}\t") } else { text };
    let json = quoted(rng, &text);
    let wrapped = shape == Shape::Reporting && rng.u8(..8) == 0;
    let json = if wrapped { format!("{{\"value\":{json},\"DateTime\":\"Monday\"}}") } else { json };
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    (json, format!("{}{fraction}Z", utc(seconds).format("%Y-%m-%dT%H:%M:%S")))
}

fn iso(rng: &mut Rng, seconds: i64) -> (String, u32) {
    let (zone, ahead_minutes) =
        rng.choice([("", 0), ("Z", 0), ("+02:00", 120), ("-0530", -330), ("+01", 60)]).expect("not empty");
    let digits: String = (0..rng.usize(..=9)).map(|_| rng.digit(10)).collect();
    let micros = format!("{digits:0<6}")[..6].parse().expect("six digits");
    let point = if digits.is_empty() { "" } else { "." };
    let separator = rng.choice(["T", " "]).expect("not empty");
    let local = utc(seconds + ahead_minutes * 60).format("%Y-%m-%d*%H:%M:%S").to_string().replace('*', separator);
    (format!("{local}{point}{digits}{zone}"), micros)
}

fn utc(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("a time of this century")
}

/// A JSON string; sometimes with every escape that JSON allows but does not need.
pub fn quoted(rng: &mut Rng, text: &str) -> String {
    let plain = json!(text).to_string();
    match rng.u8(..4) {
        0 => plain.replace('/', "\\/"),
        1 => plain.chars().map(escaped).collect(),
        _ => plain,
    }
}

fn escaped(character: char) -> String {
    if character.is_ascii() {
        return character.to_string();
    }
    character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}
