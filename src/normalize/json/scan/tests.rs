//! The scanner against RFC 8259, value by value, and against serde_json on everything short.

use super::*;
use crate::normalize::json::Type;

fn check(text: &str) -> Result<(), Flaw> {
    document(text.as_bytes(), &mut Members::default()).map(|_| ())
}

#[test]
fn what_rfc_8259_allows_passes() {
    for text in [
        "{}",
        "[]",
        " \t\r\n{ } ",
        "0",
        "-0",
        "-0.0e-00",
        "1E400",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        r#""""#,
        r#""\"\\\/\b\f\n\r\t\u00e9\uD83D""#,
        "\"\u{7f}\u{2028}\"",
        r#"[1,[],{},[[{"a":[{}]}]],"x",null]"#,
        r#"{"a":{"b":[1,2,{"c":null}]},"a":1,"":2}"#,
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : 2 }",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn the_first_wrong_byte_is_pointed_at() {
    for (text, at, expected) in [
        ("", 0, "a value was expected"),
        ("  ", 2, "a value was expected"),
        ("[1,]", 3, "a value was expected"),
        ("[1", 2, "a comma or a closing bracket was expected"),
        ("[1}", 2, "a comma or a closing bracket was expected"),
        ("[1 2]", 3, "a comma or a closing bracket was expected"),
        ("{\"a\":[1}", 7, "a comma or a closing bracket was expected"),
        ("{\"a\":1]", 6, "a comma or a closing brace was expected"),
        ("[{\"a\":1]]", 7, "a comma or a closing brace was expected"),
        ("{\"a\":1,}", 7, "a key in quotes was expected"),
        ("{,}", 1, "a key in quotes was expected"),
        ("{a:1}", 1, "a key in quotes was expected"),
        ("[{\"a\" 1}]", 6, "a colon was expected"),
        ("{\"a\"", 4, "a colon was expected"),
        ("{\"a\":}", 5, "a value was expected"),
        ("{} {}", 3, "nothing more was expected after the value"),
        ("1 x", 2, "nothing more was expected after the value"),
        ("01", 1, "nothing more was expected after the value"),
        ("-", 1, "a digit was expected"),
        ("+1", 0, "a value was expected"),
        (".5", 0, "a value was expected"),
        ("[1.]", 3, "a digit was expected"),
        ("1e", 2, "a digit was expected"),
        ("1e+", 3, "a digit was expected"),
        ("tru", 3, "true, false or null was expected"),
        ("nulL", 3, "true, false or null was expected"),
        ("NaN", 0, "a value was expected"),
        ("\"a", 2, "a closing quote was expected"),
        ("\"a\tb\"", 2, "a control character must be escaped in a string"),
        ("\"a\0b\"", 2, "a control character must be escaped in a string"),
        ("{\"a\u{1f}\":1}", 3, "a control character must be escaped in a string"),
        (r#""\x""#, 2, "an escape that JSON knows was expected"),
        (r#""\"#, 2, "an escape that JSON knows was expected"),
        (r#""\u12g4""#, 5, "four hexadecimal digits were expected"),
        (r#""\u12"#, 5, "four hexadecimal digits were expected"),
        ("\u{feff}{}", 0, "a value was expected"),
        ("[1,\u{a0}2]", 3, "a value was expected"),
        ("[1,\u{0}2]", 3, "a value was expected"),
        ("[1]\u{0}", 3, "nothing more was expected after the value"),
        ("/* */1", 0, "a value was expected"),
    ] {
        assert_eq!(check(text), Err(Flaw { at, expected }), "{text}");
    }
}

#[test]
fn no_depth_overflows_the_stack() {
    let depth = 1_000_000;
    assert_eq!(check(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))), Ok(()));
    assert_eq!(check(&format!("{}1{}", "{\"a\":[".repeat(depth), "]}".repeat(depth))), Ok(()));
    assert_eq!(check(&"[".repeat(depth)).unwrap_err().at, depth);
    let one_wrong = format!("{}{}}}", "[".repeat(depth), "]".repeat(depth - 1));
    assert_eq!(check(&one_wrong).unwrap_err().at, one_wrong.len() - 1);
}

#[test]
fn each_closing_is_held_against_its_own_opening_at_any_depth() {
    for depth in [1, 63, 64, 65, 127, 128, 129, 200] {
        let opening: String = (0..depth).map(|level| if level % 3 == 0 { "{\"k\":" } else { "[" }).collect();
        let closing: String = (0..depth).rev().map(|level| if level % 3 == 0 { '}' } else { ']' }).collect();
        assert_eq!(check(&format!("[{opening}0{closing}]")), Ok(()));
        for wrong in 0..depth {
            let mut closing = closing.clone().into_bytes();
            closing[wrong] ^= b'}' ^ b']';
            let text = format!("[{opening}0{}]", String::from_utf8(closing).unwrap());
            assert_eq!(check(&text).unwrap_err().at, 1 + opening.len() + 1 + wrong);
        }
    }
}

/// Every text of up to six pieces out of a small set, judged as serde_json does.
#[test]
fn short_texts_are_judged_as_serde_json_does() {
    const PIECES: [&str; 16] = ["{", "}", "[", "]", ",", ":", "\"", "a", "\\", " ", "1", "0", "-", ".", "e", "null"];
    let mut text = String::new();
    for length in 0..=5_u32 {
        for mut choice in 0..PIECES.len().pow(length) {
            text.clear();
            for _ in 0..length {
                text.push_str(PIECES[choice % PIECES.len()]);
                choice /= PIECES.len();
            }
            let expected = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
            assert_eq!(check(&text).is_ok(), expected, "{text}");
        }
    }
}

/// In strings of all lengths around the size of a block, one odd piece at every place.
#[test]
fn strings_are_judged_as_serde_json_does_wherever_the_odd_piece_stands() {
    for odd in
        ["\"", "\\", "\n", "\0", r"\u00e9", r"\ud83d\ude00", r"\u00e", r"\x", r"\\", "\u{7f}", "é", "😀", "\u{1f}"]
    {
        for length in 0..40 {
            for place in 0..=length {
                let text = format!("[\"{}{odd}{}\",1]", "x".repeat(place), "x".repeat(length - place));
                let expected = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
                assert_eq!(check(&text).is_ok(), expected, "{text}");
            }
        }
    }
}

#[test]
fn members_are_noted_where_they_stand() {
    let text = br#" {"x":{"Status":"inner"}, "Status" : "a", "Size":-12 ,"Stat\u0075s":"b\n","Received":{"value":1}} "#;
    let mut members = Members::default();
    let root = document(text, &mut members).unwrap();
    assert_eq!(root.kind(), Type::Object);
    assert_eq!(root.slice(text), &text[1..text.len() - 1]);
    let slice = |key| members.get(key).map(|value| String::from_utf8_lossy(value.slice(text)).into_owned());
    assert_eq!(slice(Key::Status).as_deref(), Some(r#""b\n""#));
    assert_eq!(slice(Key::Size).as_deref(), Some("-12"));
    assert_eq!(slice(Key::Received).as_deref(), Some(r#"{"value":1}"#));
    assert_eq!(slice(Key::Subject), None);
    let inner = object(text, members.get(Key::Received).unwrap()).unwrap();
    assert_eq!(inner.get(Key::Value).unwrap().slice(text), b"1");
}

#[test]
fn a_key_with_every_letter_escaped_is_still_known() {
    for key in [Key::D, Key::RecipientAddress] {
        let escaped: String = key.name().chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
        let mut members = Members::default();
        document(format!("{{\"{escaped}\":1}}").as_bytes(), &mut members).unwrap();
        assert!(members.has(key), "{escaped}");
    }
}

#[test]
fn elements_come_in_order_with_their_own_members() {
    let text = br#"[ {"Size":1} , 2,[3,[4]],"5",{"Status":null}]"#;
    let mut members = Members::default();
    let root = document(text, &mut members).unwrap();
    let mut elements = Elements::of(text, root);
    let mut seen = Vec::new();
    while let Some(element) = elements.next(&mut members) {
        let element = element.unwrap();
        let of = [Key::Size, Key::Status].map(|key| members.has(key));
        seen.push((String::from_utf8_lossy(element.slice(text)).into_owned(), of));
    }
    let expected = [
        (r#"{"Size":1}"#, [true, false]),
        ("2", [false, false]),
        ("[3,[4]]", [false, false]),
        (r#""5""#, [false, false]),
        (r#"{"Status":null}"#, [false, true]),
    ];
    assert_eq!(seen, expected.map(|(text, of)| (text.to_owned(), of)));
    let mut none = Elements::of(b"[ ]", Value { start: 0, end: 3, ..Value::default() });
    assert!(none.next(&mut members).is_none());
}
