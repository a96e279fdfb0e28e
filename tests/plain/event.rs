//! A trace as the JSON text of an event, in both profiles. Sections 6, 7 and 9.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::trace::Trace;
use super::{Options, Profile, suffix, time};

/// A JSON value under construction; `Nothing` is left out by the object around it.
enum Json {
    Nothing,
    Text(String),
    Number(i64),
    List(Vec<String>),
    Object(Vec<(&'static str, Json)>),
}

use Json::{List, Nothing, Number, Object};

fn text(value: impl Into<String>) -> Json {
    Json::Text(value.into())
}

fn maybe(value: &Option<String>) -> Json {
    value.as_ref().map_or(Nothing, text)
}

fn list_of_one(value: Option<&String>) -> Json {
    value.map_or(Nothing, |value| List(vec![value.clone()]))
}

/// In order, without what came before.
fn list_without_repeats<const N: usize>(values: [Option<&String>; N]) -> Json {
    let mut list: Vec<String> = Vec::new();
    for value in values.into_iter().flatten() {
        if !list.contains(value) {
            list.push(value.clone());
        }
    }
    List(list)
}

pub fn write(trace: &Trace, original: &str, timestamp_ms: Option<i64>, options: &Options) -> String {
    let event = match options.profile {
        Profile::Sekoia => sekoia(trace, original, options),
        Profile::Ecs => ecs(trace, original, timestamp_ms, options),
    };
    let mut out = String::new();
    print(&event, &mut out);
    out
}

fn sekoia(trace: &Trace, original: &str, options: &Options) -> Json {
    let ip = trace.from_ip.as_ref().filter(|ip| ip.parse::<IpAddr>().is_ok());
    Object(vec![
        ("message", text(original)),
        (
            "event",
            Object(vec![
                ("kind", text("event")),
                ("category", List(vec!["email".into()])),
                ("type", List(vec!["info".into()])),
                ("action", maybe(&trace.status)),
            ]),
        ),
        ("@timestamp", text(time::print(trace.received_us))),
        ("office365", office365(trace)),
        (
            "email",
            Object(vec![
                ("message_id", maybe(&trace.message_id)),
                ("from", Object(vec![("address", list_of_one(trace.sender.as_ref()))])),
                ("to", Object(vec![("address", list_of_one(trace.recipient.as_ref()))])),
                ("subject", maybe(&trace.subject)),
            ]),
        ),
        ("organization", organization(trace, options)),
        ("source", Object(vec![("ip", ip.map_or(Nothing, text)), ("address", ip.map_or(Nothing, text))])),
        ("related", Object(vec![("ip", list_of_one(ip))])),
    ])
}

fn ecs(trace: &Trace, original: &str, timestamp_ms: Option<i64>, options: &Options) -> Json {
    let from = Party::of(&trace.sender, &trace.from_ip);
    let to = Party::of(&trace.recipient, &trace.to_ip);
    let created = timestamp_ms.and_then(time::from_kafka);
    Object(vec![
        ("@timestamp", text(time::print(trace.received_us))),
        ("ecs", Object(vec![("version", text("9.4.0"))])),
        (
            "event",
            Object(vec![
                ("kind", text("event")),
                ("category", List(vec!["email".into()])),
                ("type", List(vec!["info".into()])),
                ("action", maybe(&trace.status)),
                ("outcome", trace.status.as_deref().map_or(Nothing, |status| text(outcome(status)))),
                ("id", text(event_id(trace))),
                ("dataset", text("office365.message_trace")),
                ("module", text("office365")),
                ("created", created.map_or(Nothing, |us| text(time::print(us)))),
                ("original", if options.include_original { text(original) } else { Nothing }),
            ]),
        ),
        ("office365", office365(trace)),
        (
            "email",
            Object(vec![
                ("local_id", text(&trace.id)),
                ("message_id", maybe(&trace.message_id)),
                ("delivery_timestamp", text(time::print(trace.received_us))),
                ("direction", direction(&from, &to, &options.local_domains).map_or(Nothing, text)),
                ("from", Object(vec![("address", list_of_one(from.address.as_ref()))])),
                ("to", Object(vec![("address", list_of_one(to.address.as_ref()))])),
                ("subject", maybe(&trace.subject)),
            ]),
        ),
        ("organization", organization(trace, options)),
        ("source", from.json()),
        ("destination", to.json()),
        (
            "related",
            Object(vec![
                ("ip", list_without_repeats([from.ip.as_ref(), to.ip.as_ref()])),
                ("user", list_without_repeats([from.address.as_ref(), to.address.as_ref()])),
                ("hosts", list_without_repeats([from.domain.as_ref(), to.domain.as_ref()])),
            ]),
        ),
        ("observer", Object(vec![("vendor", text("Microsoft")), ("product", text("Exchange Online"))])),
    ])
}

fn office365(trace: &Trace) -> Json {
    let size = trace.size.map_or(Nothing, Number);
    Object(vec![("message_trace", Object(vec![("MessageTraceId", text(&trace.id)), ("Size", size)]))])
}

fn organization(trace: &Trace, options: &Options) -> Json {
    Object(vec![("name", trace.organization.as_ref().or(options.organization.as_ref()).map_or(Nothing, text))])
}

/// One end of the message: who, and from or to where.
struct Party {
    /// As received; `<>` is nobody's.
    address: Option<String>,
    /// Before and after the last `@`; the user may be empty, the domain is not.
    user: Option<String>,
    domain: Option<String>,
    /// As received, valid or not.
    host: Option<String>,
    ip: Option<String>,
}

impl Party {
    fn of(address: &Option<String>, host: &Option<String>) -> Self {
        let parts = address.as_ref().and_then(|a| a.rsplit_once('@')).filter(|(_, domain)| !domain.is_empty());
        Self {
            address: address.clone().filter(|address| address != "<>"),
            user: parts.map(|(user, _)| user.to_owned()).filter(|user| !user.is_empty()),
            domain: parts.map(|(_, domain)| domain.to_ascii_lowercase()),
            host: host.clone(),
            ip: host.as_ref().and_then(|host| host.parse::<IpAddr>().ok()).map(|ip| ip.to_string()),
        }
    }

    fn json(&self) -> Json {
        let parts = self.domain.as_deref().and_then(suffix::divide);
        let part = |pick: fn(&suffix::Parts) -> Option<String>| parts.as_ref().and_then(pick).map_or(Nothing, text);
        let user = if self.domain.is_none() {
            Nothing
        } else {
            Object(vec![("email", maybe(&self.address)), ("name", maybe(&self.user)), ("domain", maybe(&self.domain))])
        };
        Object(vec![
            ("address", maybe(&self.host)),
            ("ip", maybe(&self.ip)),
            ("domain", maybe(&self.domain)),
            ("registered_domain", part(|parts| Some(parts.registered.clone()))),
            ("top_level_domain", part(|parts| Some(parts.suffix.clone()))),
            ("subdomain", part(|parts| parts.subdomain.clone())),
            ("user", user),
        ])
    }
}

fn outcome(status: &str) -> &'static str {
    match status.to_ascii_lowercase().as_str() {
        "delivered" => "success",
        "failed" | "quarantined" | "filteredasspam" => "failure",
        _ => "unknown",
    }
}

pub fn event_id(trace: &Trace) -> String {
    let lower = |part: &Option<String>| part.as_deref().unwrap_or("").to_ascii_lowercase();
    let hash = Sha256::digest(format!("{}\0{}\0{}\0", trace.id, lower(&trace.recipient), lower(&trace.status)));
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn direction(from: &Party, to: &Party, local_domains: &[String]) -> Option<&'static str> {
    let is_local = |domain: &String| {
        local_domains.iter().map(|local| local.to_ascii_lowercase()).any(|local| match local.strip_prefix('*') {
            Some(parent) => domain.len() > parent.len() && domain.ends_with(parent),
            None => *domain == local,
        })
    };
    if local_domains.is_empty() {
        return None;
    }
    Some(match (is_local(from.domain.as_ref()?), is_local(to.domain.as_ref()?)) {
        (true, true) => "internal",
        (true, false) => "outbound",
        (false, true) => "inbound",
        (false, false) => "external",
    })
}

/// Compact, with only the escapes that JSON demands, the short ones where there are any.
fn print(json: &Json, out: &mut String) {
    match json {
        Nothing => {}
        Json::Text(text) => print_text(text, out),
        Number(number) => out.push_str(&number.to_string()),
        List(items) => print_all('[', items, ']', out, |item, out| print_text(item, out)),
        Object(members) => {
            let kept: Vec<_> = members.iter().filter(|(_, value)| !is_nothing(value)).collect();
            print_all('{', &kept, '}', out, |(key, value), out| {
                print_text(key, out);
                out.push(':');
                print(value, out);
            });
        }
    }
}

fn is_nothing(json: &Json) -> bool {
    match json {
        Nothing => true,
        Json::Text(_) | Number(_) => false,
        List(items) => items.is_empty(),
        Object(members) => members.iter().all(|(_, value)| is_nothing(value)),
    }
}

fn print_all<T>(begin: char, items: &[T], end: char, out: &mut String, each: impl Fn(&T, &mut String)) {
    out.push(begin);
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(end);
}

fn print_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}
