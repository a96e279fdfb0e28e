//! The Elastic Common Schema as far as our events and exported letters use it, as a judge of every one in either profile.
//!
//! `fields.csv` holds the fields that we emit, `types_of_category.csv` which `event.type` goes with which
//! `event.category`: facts of ECS 9.4.0 (`generated/csv/fields.csv` and `generated/ecs/ecs_flat.yml` of elastic/ecs).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use chrono::DateTime;
use serde_json::{Map, Value};

/// The only fields of ours that ECS does not know: what is particular to the source stands under its own name.
const OUR_OWN: &str = "office365.";

/// Below it ECS leaves the names to whoever writes them; the values are keywords.
const LABELS: &str = "labels.";

struct Field {
    data_type: &'static str,
    is_array: bool,
    /// Empty: any.
    allowed: Vec<&'static str>,
}

static FIELDS: LazyLock<HashMap<&'static str, Field>> = LazyLock::new(|| {
    rows(include_str!("fields.csv"))
        .map(|row| {
            let [name, data_type, values, allowed] = row[..] else { panic!("four columns: {row:?}") };
            let allowed = allowed.split_whitespace().collect();
            (name, Field { data_type, is_array: values == "many", allowed })
        })
        .collect()
});

static TYPES_OF_CATEGORY: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    rows(include_str!("types_of_category.csv")).map(|row| (row[0], row[1].split_whitespace().collect())).collect()
});

fn rows(csv: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect())
}

/// Every field of an event with its dotted name.
pub fn flatten(event: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut fields = Vec::new();
    for (key, value) in event {
        match value {
            Value::Object(inner) => {
                fields.extend(flatten(inner).into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            _ => fields.push((key.clone(), value)),
        }
    }
    fields
}

/// What in an event the schema does not allow; empty when all is well.
pub fn complaints(event: &Map<String, Value>) -> Vec<String> {
    let fields = flatten(event);
    let mut complaints: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !name.starts_with(OUR_OWN))
        .filter_map(|(name, value)| complaint(name, value))
        .collect();
    let strings = |name: &str| {
        let values = fields.iter().find(|(field, _)| field == name).and_then(|(_, value)| value.as_array());
        values.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    for category in strings("event.category") {
        let types = TYPES_OF_CATEGORY.get(category).map_or(&[][..], Vec::as_slice);
        for event_type in strings("event.type").into_iter().filter(|event_type| !types.contains(event_type)) {
            complaints.push(format!("event.type {event_type} does not go with event.category {category}"));
        }
    }
    complaints
}

fn complaint(name: &str, value: &Value) -> Option<String> {
    if name.starts_with(LABELS) {
        return (!value.is_string()).then(|| format!("{name} is a text, not {value}"));
    }
    let Some(field) = FIELDS.get(name) else { return Some(format!("{name} is no field that we know")) };
    let values = match (field.is_array, value) {
        (true, Value::Array(values)) if !values.is_empty() => values.iter().collect(),
        (false, value) => vec![value],
        _ => return Some(format!("{name} is an array with something in it, not {value}")),
    };
    values.into_iter().find(|value| !field.takes(value)).map(|value| format!("{name} cannot be {value}"))
}

impl Field {
    fn takes(&self, value: &Value) -> bool {
        let Some(text) = value.as_str() else { return false };
        let fits = match self.data_type {
            "keyword" | "wildcard" | "match_only_text" => true,
            "ip" => text.parse::<IpAddr>().is_ok(),
            "date" => DateTime::parse_from_rfc3339(text).is_ok(),
            other => panic!("no field of ours has the type {other}"),
        };
        fits && (self.allowed.is_empty() || self.allowed.contains(&text))
    }
}
