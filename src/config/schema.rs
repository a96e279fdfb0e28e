//! The JSON schema of the configuration, out of the table of settings: what an editor completes and a chart refuses
//! before anything is deployed.
//!
//! It never refuses what the loader takes from a file, so it is the looser of the two: it knows keys, forms and choices,
//! but neither ranges that carry a unit nor what settings must be together. Draft 7, because every validator in use reads
//! it, and without references, so that it can be set into another schema as it is.

use serde_json::{Map, Value, json};

use super::settings::{Form, SETTINGS, Setting};
use super::{refused, syntax, units};

/// Keeps off surrounding white space in an expression, where the loader does.
const SPACE: &str = r"\s*";

/// The whole schema.
pub fn schema() -> Value {
    let mut root = Group::default();
    for setting in SETTINGS {
        root.place(setting.key, setting);
    }
    let mut schema = root.into_schema();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Configuration of messagetrace-ecs");
    schema
}

/// Settings and groups of them under one name.
#[derive(Default)]
struct Group {
    properties: Map<String, Value>,
    dependencies: Map<String, Value>,
    groups: Vec<(&'static str, Group)>,
}

impl Group {
    /// `rest` is what is left of the key from this group on.
    fn place(&mut self, rest: &'static str, setting: &Setting) {
        let Some((name, rest)) = rest.split_once('.') else {
            return self.put(rest, setting);
        };
        let at = self.groups.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.groups.push((name, Self::default()));
            self.groups.len() - 1
        });
        self.groups[at].1.place(rest, setting);
    }

    fn put(&mut self, name: &str, setting: &Setting) {
        self.properties.insert(name.to_owned(), property(setting));
        if setting.is_secret() {
            let twin = format!("{name}_file");
            let doc = format!("The file that holds `{}`, on one line.", setting.key);
            self.properties.insert(twin.clone(), json!({ "description": doc, "type": "string" }));
            // Both at once are refused; an empty text is as good as none.
            let empty = |name: &str| json!({ "properties": { name: { "pattern": whole(SPACE) } } });
            self.dependencies.insert(name.to_owned(), json!({ "anyOf": [empty(&twin), empty(name)] }));
        }
    }

    fn into_schema(self) -> Value {
        let mut properties = self.properties;
        properties.extend(self.groups.into_iter().map(|(name, group)| (name.to_owned(), group.into_schema())));
        let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
        if !self.dependencies.is_empty() {
            schema["dependencies"] = Value::Object(self.dependencies);
        }
        schema
    }
}

/// One setting.
fn property(setting: &Setting) -> Value {
    let mut schema = form(setting);
    schema["description"] = json!(describe(setting));
    if let Some(default) = default(setting) {
        schema["default"] = default;
    }
    if setting.is_secret() {
        schema["writeOnly"] = json!(true);
    }
    schema
}

/// What the expressions do not say, a range for one, stands in the text.
fn describe(setting: &Setting) -> String {
    match setting.form {
        Form::Size { .. } | Form::Duration { .. } => format!("{} A {}.", setting.doc, setting.type_name()),
        _ => setting.doc.to_owned(),
    }
}

fn form(setting: &Setting) -> Value {
    // A setting without a default is taken back by an empty text.
    let optional = setting.default.is_empty();
    let text = |pattern: &str| match optional {
        true => json!({ "type": "string", "pattern": whole(&format!(r"{SPACE}|{pattern}")) }),
        false => json!({ "type": "string", "pattern": whole(pattern) }),
    };
    let number =
        |number: Value, written: &str| json!({ "anyOf": [number, text(&format!("{SPACE}({written}){SPACE}"))] });
    match setting.form {
        Form::Text(syntax) => text(syntax.pattern),
        Form::Secret => text(syntax::LINE.pattern),
        Form::Path => json!({ "type": "string" }),
        Form::List(syntax) => list(syntax.pattern, optional),
        Form::Properties => properties(),
        Form::Flag => json!({ "enum": [true, false, "true", "false"] }),
        Form::Count { least, most } => {
            number(json!({ "type": "integer", "minimum": least, "maximum": most }), r"\+?[0-9]+")
        }
        Form::Workers { most } => {
            number(json!({ "type": "integer", "minimum": 1, "maximum": most }), r"\+?[0-9]+|auto")
        }
        Form::Size { .. } => text(&format!("{SPACE}{}{SPACE}", units::size_pattern())),
        Form::Duration { .. } => text(&format!("{SPACE}{}{SPACE}", units::duration_pattern())),
        Form::Ratio => number(
            json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }),
            r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
        ),
        Form::Choice(names) if optional => {
            json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": whole(SPACE) }] })
        }
        Form::Choice(names) => json!({ "enum": names }),
        Form::Start => text(syntax::START),
        Form::Listen => text(syntax::LISTEN),
    }
}

/// An array, the entries with commas between them, or TOML's own list inside a text.
fn list(entry: &str, may_be_empty: bool) -> Value {
    let entry = format!("{SPACE}({entry}){SPACE}");
    let written = format!(r#"{entry}(,{entry})*|{SPACE}\["[^\x00]*"#);
    let written = if may_be_empty { format!(r"{SPACE}|{SPACE}\[\]{SPACE}|{written}") } else { written };
    let least = usize::from(!may_be_empty);
    json!({ "anyOf": [
        { "type": "array", "items": { "type": "string", "pattern": whole(&entry) }, "minItems": least, "uniqueItems": true },
        { "type": "string", "pattern": whole(&written) },
    ] })
}

/// A table, its names perhaps split at their dots as TOML does it, or such a table inside a text.
fn properties() -> Value {
    let refused: Vec<&str> = refused::names().collect();
    json!({ "anyOf": [
        {
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean", "object"] },
            "propertyNames": { "not": { "enum": refused } },
        },
        { "type": "string", "pattern": whole(&format!(r"{SPACE}(\{{[^\x00]*\}}{SPACE})?")) },
    ] })
}

/// The default in the form in which a file would rather have it.
fn default(setting: &Setting) -> Option<Value> {
    let text = setting.default;
    match setting.form {
        Form::Properties => Some(json!({})),
        Form::List(_) => Some(text.split(',').filter(|entry| !entry.is_empty()).collect()),
        _ if text.is_empty() => None,
        Form::Flag | Form::Count { .. } | Form::Ratio => serde_json::from_str(text).ok(),
        _ => Some(json!(text)),
    }
}

/// The expression for the whole of a text.
fn whole(pattern: &str) -> String {
    format!("^({pattern})$")
}
