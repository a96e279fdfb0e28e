//! In which keys two events differ. A difference is named by its key path, never by its value.

use serde_json::Value;

use crate::text::harmless;

/// How many differing keys of an event are named.
pub const MAX_KEYS: usize = 8;

/// A key path is cut there, in characters; keys of the event that was found may be anybody's.
const MAX_PATH_CHARS: usize = 120;

/// The key paths in which what was found differs from what is expected, in the order of the keys; at most [`MAX_KEYS`].
/// In brackets stands what no key path can name.
pub fn differing_keys(expected: &[u8], found: Option<&[u8]>) -> Vec<String> {
    let Some(found) = found else { return vec!["(no value)".to_owned()] };
    let (Ok(expected), Ok(found)) = (serde_json::from_slice::<Value>(expected), serde_json::from_slice::<Value>(found))
    else {
        return vec!["(no JSON text)".to_owned()];
    };
    let mut keys = Vec::new();
    compare("", Some(&expected), Some(&found), &mut keys);
    if keys.is_empty() {
        keys.push("(equal values, written otherwise)".to_owned());
    }
    keys
}

/// Recursion ends where the parser's does, at 128 levels.
fn compare(path: &str, expected: Option<&Value>, found: Option<&Value>, keys: &mut Vec<String>) {
    if expected == found || keys.len() == MAX_KEYS {
        return;
    }
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            let added = found.keys().filter(|key| !expected.contains_key(*key));
            for key in expected.keys().chain(added) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, expected.get(key), found.get(key), keys);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for at in 0..expected.len().max(found.len()) {
                compare(&format!("{path}[{at}]"), expected.get(at), found.get(at), keys);
            }
        }
        _ if path.is_empty() => keys.push("(no object)".to_owned()),
        _ => keys.push(harmless(path.as_bytes(), MAX_PATH_CHARS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_its_key_path() {
        let expected = r#"{"@timestamp":"2022","event":{"kind":"event","category":["email"]},"size":7}"#;
        let cases: [(&str, &[&str]); 9] = [
            (r#"{"@timestamp":"2023","event":{"kind":"event","category":["email"]},"size":7}"#, &["@timestamp"]),
            (r#"{"@timestamp":"2022","event":{"kind":"alert","category":["email"]},"size":7}"#, &["event.kind"]),
            (r#"{"@timestamp":"2022","event":{"category":["email"]},"size":7}"#, &["event.kind"]),
            (
                r#"{"@timestamp":"2022","event":{"kind":"event","category":["email","x"]},"size":7,"more":1}"#,
                &["event.category[1]", "more"],
            ),
            (r#"{"@timestamp":"2022","event":"secret","size":7}"#, &["event"]),
            (
                r#"{"size":7,"@timestamp":"2022","event":{"kind":"event","category":["email"]}}"#,
                &["(equal values, written otherwise)"],
            ),
            (r#"["secret"]"#, &["(no object)"]),
            ("secret", &["(no JSON text)"]),
            (
                "{\"@timestamp\":\"2022\",\"event\":{\"kind\":\"event\",\"category\":[\"email\"]},\"size\":7,\"\\u001b[31m\\n\":1}",
                &["\\u{1b}[31m\\n"],
            ),
        ];
        for (found, keys) in cases {
            assert_eq!(differing_keys(expected.as_bytes(), Some(found.as_bytes())), keys, "{found}");
        }
        assert_eq!(differing_keys(expected.as_bytes(), None), ["(no value)"]);
    }

    #[test]
    fn long_lists_and_long_paths_are_cut() {
        let keys: Vec<String> = (0..100).map(|key| format!("\"{key}\":1")).collect();
        let found = format!("{{{}}}", keys.join(","));
        assert_eq!(differing_keys(b"{}", Some(found.as_bytes())).len(), MAX_KEYS);
        let long = format!("{{\"{}\":1}}", "k".repeat(1 << 20));
        assert_eq!(differing_keys(b"{}", Some(long.as_bytes()))[0].chars().count(), MAX_PATH_CHARS + 1);
    }
}
