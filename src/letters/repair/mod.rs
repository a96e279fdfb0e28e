//! Repairs of letters whose cause is known, as somebody writes them on the command line: what is to change, and how it is
//! written. The editing itself is that of [`edit`], which leaves every other byte as it is. Pure.

mod edit;

use std::fmt;

pub use self::edit::Failed;
use self::edit::{Edit, Pointer};
use crate::dead_letter::MAX_REPAIRED_BYTES;

/// Between repairs, in the header that names them.
const SEPARATOR: &str = "; ";

/// One repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// As it was given.
    text: String,
    path: Pointer,
    edit: Edit,
}

impl Repair {
    /// `set /Size=17`, `remove /a`, `rename /a=b`, `cast /Size=integer`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let forms = "write 'set PATH=JSON', 'remove PATH', 'rename PATH=KEY' or 'cast PATH=string|integer', PATH a JSON Pointer \
                     like /Size or /value/0/Subject";
        if text.chars().any(char::is_control) {
            return Err("a repair is one line".to_owned());
        }
        let (verb, rest) = text.trim().split_once(' ').ok_or(forms)?;
        let rest = rest.trim();
        let (path, edit) = match verb {
            "remove" => (rest, Edit::Remove),
            "set" => {
                // A key may hold the sign itself: the value is the first rest that is JSON.
                let mut splits = rest.match_indices('=').map(|(at, _)| (&rest[..at], rest[at + 1..].trim()));
                let is_json = |json: &str| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
                let (path, json) =
                    splits.find(|(_, json)| is_json(json)).ok_or("what is set must be JSON, like 17 or \"text\"")?;
                (path, Edit::Set(json.to_owned()))
            }
            "rename" => {
                let (path, key) = rest.rsplit_once('=').ok_or(forms)?;
                (path, Edit::Rename(key.to_owned()))
            }
            "cast" => match rest.rsplit_once('=').ok_or(forms)? {
                (path, "string") => (path, Edit::ToString),
                (path, "integer") => (path, Edit::ToInteger),
                _ => return Err("a value can be cast to string or integer".to_owned()),
            },
            _ => return Err(forms.to_owned()),
        };
        Ok(Self { text: text.trim().to_owned(), path: Pointer::parse(path.trim())?, edit })
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Repairs in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs(Vec<Repair>);

impl Repairs {
    pub fn new(repairs: &[Repair]) -> Result<Self, String> {
        let repairs = Self(repairs.to_vec());
        if repairs.header().len() > MAX_REPAIRED_BYTES {
            return Err(format!("the repairs are longer than {MAX_REPAIRED_BYTES} bytes together"));
        }
        Ok(repairs)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Repair> {
        self.0.iter()
    }

    /// As they travel with the record.
    pub fn header(&self) -> String {
        self.0.iter().map(|repair| repair.text.as_str()).collect::<Vec<_>>().join(SEPARATOR)
    }

    /// Behind those that were made before.
    pub fn header_behind(&self, before: Option<&str>) -> String {
        before.into_iter().map(str::to_owned).chain([self.header()]).collect::<Vec<_>>().join(SEPARATOR)
    }

    /// Makes them, or says why one of them cannot be made; then nothing is.
    pub fn apply(&self, value: Option<&[u8]>) -> Result<Vec<u8>, Failed> {
        let text = value.and_then(|value| simdutf8::basic::from_utf8(value).ok()).ok_or(Failed::NoJson)?;
        let mut text = text.to_owned();
        for repair in &self.0 {
            text = repair.edit.apply(&text, &repair.path)?;
        }
        Ok(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(repairs: &[&str], value: &str) -> Result<String, Failed> {
        let repairs: Vec<Repair> = repairs.iter().map(|text| Repair::parse(text).unwrap()).collect();
        Repairs::new(&repairs).unwrap().apply(Some(value.as_bytes())).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_repair_changes_what_it_names_and_leaves_every_other_byte() {
        let value = "{ \"a\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 }, null ] }";
        let cases = [
            ("cast /Size=integer", "{ \"a\" : 1.50,\n  \"Size\":17 , \"c\":[ {\"x\" : 1e2 }, null ] }"),
            ("cast /a=string", "{ \"a\" : \"1.50\",\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 }, null ] }"),
            ("set /c/1={\"y\": 2}", "{ \"a\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 }, {\"y\": 2} ] }"),
            ("set /new=1", "{ \"a\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 }, null ],\"new\":1 }"),
            ("set /c/0/y=\"=\"", "{ \"a\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2,\"y\":\"=\" }, null ] }"),
            ("remove /a", "{ \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 }, null ] }"),
            ("remove /Size", "{ \"a\" : 1.50,\n  \"c\":[ {\"x\" : 1e2 }, null ] }"),
            ("remove /c", "{ \"a\" : 1.50,\n  \"Size\":\"17\" }"),
            ("remove /c/0/x", "{ \"a\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ { }, null ] }"),
            ("remove /c/1", "{ \"a\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 } ] }"),
            ("rename /a=\"b", "{ \"\\\"b\" : 1.50,\n  \"Size\":\"17\" , \"c\":[ {\"x\" : 1e2 }, null ] }"),
            ("set =[]", "[]"),
        ];
        for (repair, expected) in cases {
            assert_eq!(repaired(&[repair], value).as_deref(), Ok(expected), "{repair}");
        }
        let several = ["cast /Size=integer", "rename /Size=size", "set /size=18"];
        assert_eq!(repaired(&several, "{\"Size\":\"17\"}").as_deref(), Ok("{\"size\":18}"));
    }

    #[test]
    fn what_cannot_be_made_is_told_and_nothing_is_made() {
        let cases = [
            ("set /a/b/c=1", "{\"a\":{}}", Failed::NotThere),
            ("set /a/b=1", "{\"a\":1}", Failed::NotThere),
            ("remove /a", "{}", Failed::NotThere),
            ("remove /1", "[1]", Failed::NotThere),
            ("remove /01", "[1,2]", Failed::NotThere),
            ("remove /-", "[1,2]", Failed::NotThere),
            ("remove ", "{}", Failed::NotThere),
            ("rename /a=b", "{\"a\":1,\"b\":2}", Failed::KeyTaken),
            ("rename /0=b", "[1]", Failed::NotThere),
            ("set /a=1", "{\"a\":1,\"\\u0061\":2}", Failed::Ambiguous),
            ("set /a=1", "{\"a\":1", Failed::NoJson),
            ("set /a=1", "", Failed::NoJson),
            ("cast /a=integer", "{\"a\":\"1.5\"}", Failed::NoCast),
            ("cast /a=integer", "{\"a\":\"\"}", Failed::NoCast),
            ("cast /a=integer", "{\"a\":{}}", Failed::NoCast),
            ("cast /a=string", "{\"a\":null}", Failed::NoCast),
        ];
        for (repair, value, expected) in cases {
            let parsed = Repair::parse(repair).unwrap_or_else(|_| Repair::parse("remove /nowhere").unwrap());
            let made = Repairs::new(&[parsed]).unwrap().apply(Some(value.as_bytes()));
            assert_eq!(made, Err(expected), "{repair} {value}");
        }
        let repairs = Repairs::new(&[Repair::parse("remove /a").unwrap()]).unwrap();
        assert_eq!(repairs.apply(None), Err(Failed::NoJson));
        assert_eq!(repairs.apply(Some(b"\xff")), Err(Failed::NoJson));
    }

    #[test]
    fn numbers_become_whole_when_they_are_and_stay_as_written_otherwise() {
        let cases = [
            ("\"17\"", "17"),
            ("\" 17 \"", "17"),
            ("\"-007\"", "-7"),
            ("\"0\"", "0"),
            ("\"-0\"", "0"),
            ("\"99999999999999999999\"", "99999999999999999999"),
            ("17", "17"),
            ("17.00", "17"),
            ("\"1\\u0037\"", "17"),
        ];
        for (from, to) in cases {
            let value = format!("{{\"a\":{from}}}");
            assert_eq!(repaired(&["cast /a=integer"], &value), Ok(format!("{{\"a\":{to}}}")), "{from}");
        }
        assert_eq!(repaired(&["cast /a=string"], "{\"a\":true}").as_deref(), Ok("{\"a\":\"true\"}"));
        assert_eq!(repaired(&["cast /a=string"], "{\"a\":\"x\"}").as_deref(), Ok("{\"a\":\"x\"}"));
    }

    #[test]
    fn a_repair_that_cannot_be_read_says_what_to_write() {
        for text in [
            "",
            "set",
            "set /a",
            "set /a=x",
            "set a=1",
            "rename /a",
            "cast /a",
            "cast /a=float",
            "drop /a",
            "remove /~2",
        ] {
            assert!(Repair::parse(text).is_err(), "{text}");
        }
        let escaped = Repair::parse("set /a~1b~0=1").unwrap();
        assert_eq!(Repairs::new(&[escaped]).unwrap().apply(Some(b"{\"a/b~\":0}")).unwrap(), b"{\"a/b~\":1}");
        let long = Repair::parse(&format!("rename /a={}", "b".repeat(600))).unwrap();
        assert!(Repairs::new(&[long]).is_err());
    }
}
