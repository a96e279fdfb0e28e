//! One change to a JSON text at the place that a JSON Pointer (RFC 6901) names. The text is never parsed into values and
//! written anew: numbers, escapes, white space and the order of keys stay as they are wherever nothing is to change. Pure.

use std::ops::Range;

use serde::de::IgnoredAny;

/// Why a repair cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Failed {
    #[error("the value is no JSON text")]
    NoJson,
    #[error("the path leads nowhere in it")]
    NotThere,
    #[error("a key of the path stands there twice")]
    Ambiguous,
    #[error("the new key stands there already")]
    KeyTaken,
    #[error("what stands there cannot be cast")]
    NoCast,
}

/// The keys and indices that lead to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    pub fn parse(text: &str) -> Result<Self, String> {
        let form =
            || format!("{text} is no JSON Pointer: write a slash before each key, ~1 for a slash in it and ~0 for ~");
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/').ok_or_else(form)?.split('/');
        let unescaped = |step: &str| {
            let is_escape = |part: &str| part.starts_with(['0', '1']);
            let is_sound = step.split('~').skip(1).all(is_escape);
            is_sound.then(|| step.replace("~1", "/").replace("~0", "~"))
        };
        Ok(Self(steps.map(unescaped).collect::<Option<_>>().ok_or_else(form)?))
    }
}

/// What is to be done at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// To this JSON text; a key that is not there is added.
    Set(String),
    Remove,
    Rename(String),
    ToString,
    ToInteger,
}

impl Edit {
    pub fn apply(&self, text: &str, path: &Pointer) -> Result<String, Failed> {
        // From here on the text is known to be sound, and a look at bytes is enough.
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            return Err(Failed::NoJson);
        }
        let whole = Scanner { text }.value(0);
        let Some((last, before)) = path.0.split_last() else {
            return match self {
                Self::Set(json) => Ok(replaced(text, whole, json)),
                Self::Remove | Self::Rename(_) => Err(Failed::NotThere),
                Self::ToString | Self::ToInteger => Ok(replaced(text, whole.clone(), &self.cast(&text[whole])?)),
            };
        };
        let mut at = whole;
        for step in before {
            let parts = Scanner { text }.parts(&at).ok_or(Failed::NotThere)?;
            at = parts.find(text, step)?.ok_or(Failed::NotThere)?.1.value.clone();
        }
        let parts = Scanner { text }.parts(&at).ok_or(Failed::NotThere)?;
        let found = parts.find(text, last)?;
        match (self, found) {
            (Self::Set(json), Some((_, part))) => Ok(replaced(text, part.value.clone(), json)),
            (Self::Set(json), None) if parts.is_object => {
                let comma = if parts.list.is_empty() { "" } else { "," };
                let end = parts.list.last().map_or(at.start + 1, |part| part.value.end);
                Ok(replaced(text, end..end, &format!("{comma}{}:{json}", quoted(last))))
            }
            (_, None) => Err(Failed::NotThere),
            (Self::Remove, Some((number, part))) => Ok(replaced(text, parts.with_comma(number, part), "")),
            (Self::Rename(key), Some((_, part))) => {
                let name = part.key.clone().ok_or(Failed::NotThere)?;
                if key != last && parts.find(text, key)?.is_some() {
                    return Err(Failed::KeyTaken);
                }
                Ok(replaced(text, name, &quoted(key)))
            }
            (Self::ToString | Self::ToInteger, Some((_, part))) => {
                Ok(replaced(text, part.value.clone(), &self.cast(&text[part.value.clone()])?))
            }
        }
    }

    fn cast(&self, value: &str) -> Result<String, Failed> {
        let is_plain = !value.starts_with(['{', '[', '"']) && value != "null";
        match self {
            Self::ToString if value.starts_with('"') => Ok(value.to_owned()),
            Self::ToString if is_plain => Ok(format!("\"{value}\"")),
            Self::ToInteger if value.starts_with('"') => {
                let text: String = serde_json::from_str(value).map_err(|_| Failed::NoCast)?;
                integer(text.trim()).ok_or(Failed::NoCast)
            }
            Self::ToInteger if is_plain => integer(value).ok_or(Failed::NoCast),
            _ => Err(Failed::NoCast),
        }
    }
}

/// The whole number that a text is, as JSON writes it.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (digits, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(digits) || !is_number(fraction) || fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some(if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") })
}

fn replaced(text: &str, range: Range<usize>, new: &str) -> String {
    [&text[..range.start], new, &text[range.end..]].concat()
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

/// A member of an object, or an element of an array.
#[derive(Clone, Debug)]
struct Part {
    /// With its quotes.
    key: Option<Range<usize>>,
    value: Range<usize>,
}

impl Part {
    fn start(&self) -> usize {
        self.key.as_ref().map_or(self.value.start, |key| key.start)
    }
}

#[derive(Debug)]
struct Parts {
    is_object: bool,
    list: Vec<Part>,
}

impl Parts {
    /// The part under a key or an index, with its number. A key that is there twice means nobody knows which.
    fn find(&self, text: &str, step: &str) -> Result<Option<(usize, &Part)>, Failed> {
        if !self.is_object {
            let is_index = step.bytes().all(|byte| byte.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
            let index = step.parse::<usize>().ok().filter(|_| is_index);
            return Ok(index.and_then(|index| Some((index, self.list.get(index)?))));
        }
        let is_named = |part: &Part| {
            let name = part.key.clone().and_then(|key| serde_json::from_str::<String>(&text[key]).ok());
            name.is_some_and(|name| name == step)
        };
        let mut named = self.list.iter().enumerate().filter(|(_, part)| is_named(part));
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(Failed::Ambiguous),
            (found, None) => Ok(found),
        }
    }

    /// What has to go with a part so that the rest stays sound.
    fn with_comma(&self, number: usize, part: &Part) -> Range<usize> {
        match (self.list.get(number + 1), number.checked_sub(1).and_then(|before| self.list.get(before))) {
            (Some(next), _) => part.start()..next.start(),
            (None, Some(before)) => before.value.end..part.value.end,
            (None, None) => part.start()..part.value.end,
        }
    }
}

/// Looks at JSON that is known to be sound.
struct Scanner<'t> {
    text: &'t str,
}

impl Scanner<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn past_space(&self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(|byte| byte.is_ascii_whitespace()) {
            at += 1;
        }
        at
    }

    /// The value that begins at or behind `at`.
    fn value(&self, at: usize) -> Range<usize> {
        let start = self.past_space(at);
        let mut at = start;
        let mut depth = 0_usize;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'"' => at = self.string_end(at) - 1,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {
                    // A number or a word ends where it is followed by something else.
                    let ends = |byte: u8| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace();
                    if depth == 0 && self.byte(at + 1).is_some_and(|next| !ends(next)) {
                        at += 1;
                        continue;
                    }
                }
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        start..at
    }

    fn string_end(&self, quote: usize) -> usize {
        let mut at = quote + 1;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' => at += 2,
                b'"' => return at + 1,
                _ => at += 1,
            }
        }
        at
    }

    /// What is in an object or an array; `None` for anything else.
    fn parts(&self, value: &Range<usize>) -> Option<Parts> {
        let is_object = match self.byte(value.start)? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        let mut list = Vec::new();
        let mut at = self.past_space(value.start + 1);
        while at + 1 < value.end {
            let key = is_object.then(|| at..self.string_end(at));
            let colon = key.as_ref().map(|key| self.past_space(key.end) + 1);
            let value = self.value(colon.unwrap_or(at));
            // Past the comma, or the end.
            at = self.past_space(self.past_space(value.end) + 1);
            list.push(Part { key, value });
        }
        Some(Parts { is_object, list })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a\"\\\\\u{1f600}{}\\[\\],: ]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab/~\"]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Every place in a value.
    fn places(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match value {
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(at, one)| places(one, &format!("{path}/{at}"), found));
            }
            Value::Object(map) => map.iter().for_each(|(key, one)| {
                places(one, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }),
            _ => {}
        }
    }

    proptest! {
        /// Held against the same edit by a library that parses and writes anew.
        #[test]
        fn an_edit_does_what_it_would_do_to_the_parsed_value(value in json(), pick: prop::sample::Index, pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let mut all = Vec::new();
            places(&value, "", &mut all);
            let path = &all[pick.index(all.len())];
            let pointer = Pointer::parse(path).unwrap();
            let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();

            let set = read(Edit::Set("[7]".to_owned()).apply(&text, &pointer).unwrap());
            let mut expected = value.clone();
            *expected.pointer_mut(path).unwrap() = serde_json::json!([7]);
            prop_assert_eq!(set, expected);

            if let Some((parent, key)) = path.rsplit_once('/') {
                let removed = read(Edit::Remove.apply(&text, &pointer).unwrap());
                let mut expected = value.clone();
                let name = key.replace("~1", "/").replace("~0", "~");
                match expected.pointer_mut(parent).unwrap() {
                    Value::Object(map) => { map.remove(&name); }
                    Value::Array(list) => { list.remove(key.parse().unwrap()); }
                    _ => {}
                }
                prop_assert_eq!(removed, expected);
            }
            // What is set to what it is stays as it was written, to the byte.
            let at = Edit::Set("\u{1}".to_owned()).apply(&text, &pointer).unwrap();
            let (before, behind) = at.split_once('\u{1}').unwrap();
            prop_assert!(text.starts_with(before) && text.ends_with(behind));
        }

        #[test]
        fn no_text_and_no_path_panic(text in "[\\{\\}\\[\\],:\"\\\\a0 \u{e9}]{0,40}", path in "(/[a0~1-]{0,2}){0,3}") {
            if let Ok(pointer) = Pointer::parse(&path) {
                for edit in [Edit::Set("1".to_owned()), Edit::Remove, Edit::Rename("b".to_owned()), Edit::ToString, Edit::ToInteger] {
                    if let Ok(made) = edit.apply(&text, &pointer) {
                        prop_assert!(serde_json::from_str::<IgnoredAny>(&made).is_ok(), "{made}");
                    }
                }
            }
        }
    }
}
