//! The pages in a browser: what letters say runs nowhere, the keyboard is enough, and both themes can be read.
//!
//! `REGENERATE=1` keeps the pictures in `docs/images`.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::browser::Browser;
use super::letters::{header, ours};
use super::serve::{Pages, afternoon};
use crate::support::cluster::Cluster;
use crate::support::raw::Record;
use crate::support::service::LIMIT;
use crate::support::wait;
use crate::support::writer::Writer;

/// Each tries to run a script where it may come to stand: between tags, in an attribute, in a script, in an address.
const ATTACKS: [&str; 8] = [
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror=\"window.pwned=1\">",
    "' autofocus onfocus='window.pwned=1",
    "</pre></title></textarea></svg><svg/onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "</script><script>window.pwned=1</script>",
    "<iframe srcdoc=\"<script>parent.pwned=1</script>\"></iframe>",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;&#60;b&#62;",
];

/// An attack in every place of a letter that a page shows.
fn hostile() -> Vec<Record> {
    let attack = |attack: &str| {
        let value = serde_json::json!({ "MessageTraceId": attack, attack: [attack] }).to_string();
        let mut letter = ours(
            0,
            Some(value.as_bytes()),
            [attack, attack, attack],
            &[
                ("dlq.source.topic", attack),
                ("dlq.processor", attack),
                ("dlq.consumer.group", attack),
                ("dlq.fit", attack),
                ("dlq.replayed.from", &format!("{attack}/0/1")),
            ],
        );
        letter.key = Some(attack.as_bytes().to_vec());
        letter.headers.push(header(attack, attack.as_bytes()));
        letter
    };
    // And as the text around a failing byte.
    let broken =
        |attack: &str| ours(1, Some(format!("{{\"a\": {attack}").as_bytes()), ["invalid_json", "00", "no JSON"], &[]);
    ATTACKS.into_iter().flat_map(|text| [attack(text), broken(text)]).collect()
}

fn written(topic: &str, letters: &[Record]) -> &'static Cluster {
    let cluster = Cluster::shared();
    cluster.create_topic(topic, 1, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, topic);
    letters.iter().for_each(|letter| writer.send(0, letter));
    writer.settle();
    cluster
}

#[test]
fn nothing_that_a_letter_says_runs_and_the_policy_holds_what_would() {
    let letters = hostile();
    let pages = Pages::of(written("letters-hostile", &letters), "letters-hostile");
    let browser = Browser::start();
    let paths = [
        "/".to_owned(),
        "/letters".to_owned(),
        "/letters?kind=%22%3E%3Cscript%3Ewindow.pwned%3D1%3C%2Fscript%3E".to_owned(),
    ];
    let of_letters =
        (0..letters.len()).flat_map(|offset| [format!("/letters/0:{offset}"), format!("/letters/0:{offset}?full=1")]);
    for path in paths.into_iter().chain(of_letters) {
        browser.open(&pages.address(&path));
        let found = browser.run(
            "return { pwned: window.pwned === undefined ? null : 1, scripts: document.scripts.length, \
             foreign: document.querySelectorAll('img, iframe, main [onfocus], main [autofocus], b').length, \
             targets: Array.from(document.links, link => link.protocol).filter(protocol => protocol !== 'http:').length, \
             main: document.querySelector('main').textContent.length }",
        );
        let expected =
            serde_json::json!({ "pwned": null, "scripts": 1, "foreign": 0, "targets": 0, "main": found["main"] });
        assert_eq!(found, expected, "{path}");
        assert!(found["main"].as_u64() > Some(20), "{path} is empty");
        assert_eq!(browser.console(), [""; 0], "{path}");
    }
    // Should an escape ever be forgotten.
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned=1\"><p style=\"color:red\">x</p>')");
    browser.run(
        "const script = document.createElement('script'); script.text = 'window.pwned=2'; document.body.append(script)",
    );
    let refused = wait::until("the policy says what it refused", LIMIT, || {
        let said = browser.console().join("\n");
        (said.contains("Content Security Policy")).then_some(said)
    });
    assert_eq!(browser.run("return window.pwned === undefined"), true, "{refused}");
}

#[test]
fn the_keyboard_is_enough() {
    let pages = Pages::of(written("letters-by-keyboard", &afternoon()), "letters-by-keyboard");
    let browser = Browser::start();
    browser.open(&pages.address("/"));
    let at = |path: &str| wait::until(path, LIMIT, || browser.address().ends_with(path).then_some(()));
    // The cause with the most letters is first; of its letters the third, and one back.
    browser.press("j\u{e007}");
    at("/letters?kind=invalid_json&fingerprint=f80484cc50f2e34f");
    let second = browser.run("return document.querySelectorAll('a.row')[1].pathname");
    browser.press("jjjk\u{e007}");
    at(second.as_str().expect("an address"));
    browser.press("l");
    at("/letters");
    browser.press("/24h\u{e007}");
    at("/letters?from=24h&to=&kind=&fingerprint=&topic=&partition=&from-offset=&to-offset=");
    browser.press("o");
    at("/");
    assert!(browser.run("return document.querySelector('time').title").as_str().is_some_and(|title| !title.is_empty()));
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn both_themes_can_be_read() {
    let pages = Pages::of(written("messagetrace.dlq.themes", &afternoon()), "messagetrace.dlq.themes");
    let browser = Browser::start();
    // How far ink and ground are apart, by the rule of the accessibility guidelines (WCAG 2, contrast ratio).
    let contrast = "const light = colour => { const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => { const c = part / 255; \
         return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 }); return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] }; \
         const ground = element => { for (let e = element; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; \
         if (!/, 0\\)$/.test(c)) return c } return 'rgb(255, 255, 255)' }; \
         return Math.min(...Array.from(document.querySelectorAll('h1, th, td, a, dt, dd, pre, mark, .caret, .left-out, footer, button, figcaption, label span'), e => { \
         const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a); return (a + 0.05) / (b + 0.05) }))";
    // Of the letters the first has a byte to blame; the second is a page, of which a key is known.
    for (page, path) in [("overview", "/"), ("letter", "/letters/0:0"), ("key", "/letters/0:1")] {
        let mut pictures = Vec::new();
        for theme in ["light", "dark"] {
            browser.theme(theme);
            browser.open(&pages.address(path));
            let ratio = browser.run(contrast).as_f64().expect("a ratio");
            assert!(ratio >= 4.5, "{page}, {theme}: {ratio}");
            let picture = STANDARD.decode(browser.picture()).expect("base64");
            assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{page}, {theme}");
            let pointer = browser.run("return document.querySelector('mark, .caret')?.textContent");
            let pointed = match page {
                "letter" => pointer.as_str().is_some_and(|caret| caret.trim() == "^"),
                "key" => pointer == ">     \"Received\": \"soon\",",
                _ => pointer.is_null(),
            };
            assert!(pointed, "{page}: {pointer}");
            if page != "key" && std::env::var_os("REGENERATE").is_some() {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
                fs::create_dir_all(&folder).expect("make the folder");
                fs::write(folder.join(format!("dlq-serve-{page}-{theme}.png")), &picture).expect("keep the picture");
            }
            pictures.push(picture);
        }
        assert_ne!(pictures[0], pictures[1], "{page}: one theme for both");
    }
}
