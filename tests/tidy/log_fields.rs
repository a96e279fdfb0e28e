//! The names of the fields in our log lines, read from the calls. In ECS some of them are objects: an index that knows the schema
//! refuses a line that has a text under such a name, and the line is gone.

use super::File;

/// What every call of them begins with.
const CALLS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The objects of ECS 9.4.0: what stands before the first dot in the column `Field` of elastic/ecs's
/// `generated/csv/fields.csv`, and `labels`, which has its type.
const OBJECTS: [&str; 48] = [
    "agent",
    "client",
    "cloud",
    "container",
    "data_stream",
    "destination",
    "device",
    "dll",
    "dns",
    "ecs",
    "email",
    "entity",
    "error",
    "event",
    "faas",
    "file",
    "gen_ai",
    "group",
    "host",
    "http",
    "labels",
    "log",
    "network",
    "observer",
    "orchestrator",
    "organization",
    "package",
    "process",
    "registry",
    "related",
    "rule",
    "server",
    "service",
    "source",
    "span",
    "threat",
    "tls",
    "trace",
    "transaction",
    "url",
    "user",
    "user_agent",
    "volume",
    "vulnerability",
    // Of a line itself, which names each once.
    "@timestamp",
    "message",
    "tags",
    "ecs.version",
];

/// What the log renames by itself: src/telemetry/line.rs.
const RENAMED: [&str; 2] = ["error", "@timestamp"];

/// Fields of the program's lines that ECS has another use for, with their files.
pub fn taken(files: &[File]) -> Vec<String> {
    let sources = files.iter().filter(|file| file.path.starts_with("src/") && file.path.ends_with(".rs"));
    let named = sources.flat_map(|file| names(&file.text).into_iter().map(move |name| (&file.path, name)));
    let is_taken = |name: &str| OBJECTS.contains(&name) && !RENAMED.contains(&name);
    named.filter(|(_, name)| is_taken(name)).map(|(path, name)| format!("{path}: {name}")).collect()
}

/// The names of all fields in a file, in order.
pub fn names(text: &str) -> Vec<String> {
    let begins: Vec<String> = CALLS.iter().map(|call| format!("tracing::{call}!(")).collect();
    let calls = begins.iter().flat_map(|begin| text.match_indices(begin).map(|(at, found)| &text[at + found.len()..]));
    calls.flat_map(|rest| arguments(rest).into_iter().filter_map(field)).collect()
}

/// What an argument names: `name = value`, `%name`, `?name`, `name`. The target is none of these.
fn field(argument: &str) -> Option<String> {
    let name = argument.split_once('=').map_or(argument, |(name, _)| name);
    let name = name.trim().trim_start_matches(['%', '?']).trim_matches('"');
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@');
    (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_owned())
}

/// The arguments before the message, each as it is written.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut from, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                let argument = text[from..at].trim();
                // The message, and what stands in it.
                if argument.starts_with('"') && !argument.contains("\" =") {
                    return found;
                }
                found.push(argument);
                from = at + 1;
                if character == ')' {
                    return found;
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_names_of_fields_are_read_from_the_calls() {
    let text = concat!(
        "tracing::",
        "warn!(target: \"a\", %error, group = name(1, \"x, y\"), ?reply, \"user.id\" = 1, open, \"said, {client}\");\n",
        "tracing::",
        "info!(\n    service,\n    \"multiple\"\n);",
    );
    let file = |text: &str| File { path: "src/a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(names(text), ["error", "group", "reply", "user.id", "open", "service"]);
    assert_eq!(taken(&[file(text)]), ["src/a.rs: group", "src/a.rs: service"]);
    assert_eq!(taken(&[file("tracing::debug!(kafka_client = \"probe\", %error, \"{reason}\");")]), [""; 0]);
}
