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
        "/letters?search=%22+autofocus+onfocus%3D%22window.pwned%3D1&fingerprint=%22%3E%3Cimg+src%3Dx%3E".to_owned(),
        "/?search=%3Cscript%3Ewindow.pwned&order=oldest".to_owned(),
        "/letters/0:0/older".to_owned(),
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
    browser.press("/6b1f0a52\u{e007}");
    at("/letters?search=6b1f0a52&from=&to=&source-from=&source-to=&fingerprint=&topic=&partition=&from-offset=&to-offset=");
    browser.press("r");
    let newest = browser.run("return document.querySelector('a.row').pathname");
    browser.press("j\u{e007}");
    at(newest.as_str().expect("an address"));
    browser.press("p");
    wait::until("an older letter of the cause", LIMIT, || {
        let address = browser.address();
        (address.contains("/letters/0:") && !address.ends_with(newest.as_str()?)).then_some(())
    });
    browser.press("n");
    at(newest.as_str().expect("an address"));
    browser.press("o");
    at("/");
    assert!(browser.run("return document.querySelector('time').title").as_str().is_some_and(|title| !title.is_empty()));
    assert_eq!(browser.console(), [""; 0]);
}

/// How far ink and ground are apart at least, by the rule of the accessibility guidelines (WCAG 2, contrast ratio).
const CONTRAST: &str = "const light = colour => { const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => { const c = part / 255; \
     return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 }); return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] }; \
     const ground = element => { for (let e = element; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; \
     if (!/, 0\\)$/.test(c)) return c } return 'rgb(255, 255, 255)' }; \
     return Math.min(...Array.from(document.querySelectorAll('h1, th, td, td p, a, dt, dd, pre, mark, .caret, .left-out, footer, button, \
     figcaption, label span, small, .fold, .looked, .where, .scale span, .names span, .hint, .pages'), e => { \
     const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a); return (a + 0.05) / (b + 0.05) }))";

/// The widths of a desk's screen and of a telephone's.
const WIDTHS: [(&str, u32, u32); 2] = [("", 1280, 960), ("-narrow", 390, 844)];

#[test]
fn both_themes_can_be_read_on_a_wide_screen_and_on_a_narrow_one() {
    let pages = Pages::of(written("messagetrace.dlq.themes", &afternoon()), "messagetrace.dlq.themes");
    let browser = Browser::start();
    // Of the letters the first has a byte to blame; the second is a page, of which a key is known.
    let shown = [("overview", "/"), ("list", "/letters"), ("letter", "/letters/0:0"), ("key", "/letters/0:1")];
    for (page, path) in shown {
        for (suffix, width, height) in WIDTHS {
            browser.size(width, height);
            let pictures = ["light", "dark"].map(|theme| {
                browser.theme(theme);
                browser.open(&pages.address(path));
                let what = format!("{page}{suffix}-{theme}");
                let ratio = browser.run(CONTRAST).as_f64().expect("a ratio");
                assert!(ratio >= 4.5, "{what}: {ratio}");
                let over = browser.run("return document.documentElement.scrollWidth - innerWidth");
                assert!(over.as_i64() <= Some(0), "{what} is {over} too wide");
                let picture = STANDARD.decode(browser.picture()).expect("base64");
                assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{what}");
                let pointer = browser.run("return document.querySelector('mark:not(.byte), .caret')?.textContent");
                let pointed = match page {
                    "letter" => pointer.as_str().is_some_and(|caret| caret.trim() == "^"),
                    "key" => pointer == ">     \"Received\": \"soon\",",
                    _ => pointer.is_null(),
                };
                assert!(pointed, "{what}: {pointer}");
                if matches!(page, "overview" | "letter") && std::env::var_os("REGENERATE").is_some() {
                    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
                    fs::create_dir_all(&folder).expect("make the folder");
                    fs::write(folder.join(format!("dlq-serve-{what}.png")), &picture).expect("keep the picture");
                }
                picture
            });
            assert_ne!(pictures[0], pictures[1], "{page}{suffix}: one theme for both");
        }
    }
}

#[test]
fn on_a_narrow_screen_filters_are_folded_and_chart_and_caret_are_in_sight() {
    let pages = Pages::of(written("letters-narrow", &afternoon()), "letters-narrow");
    let browser = Browser::start();
    browser.size(390, 844);
    browser.open(&pages.address("/"));
    let is_folded = || browser.run("return getComputedStyle(document.querySelector('.folded')).display") == "none";
    assert!(is_folded());
    browser.run("document.querySelector('label.fold').click()");
    assert!(!is_folded());
    // What is smaller is read by nobody; what lies beside the screen neither.
    let in_sight = "const inside = e => { const box = e.getBoundingClientRect(); return box.width > 0 && box.left >= 0 && box.right <= innerWidth };";
    let chart = browser.run(&format!(
        "{in_sight} const seen = Array.from(document.querySelectorAll('.names span, .scale span')).filter(e => e.offsetParent && e.textContent); \
         return {{ inside: seen.every(inside), words: seen.length, size: Math.min(...seen.map(e => parseFloat(getComputedStyle(e).fontSize))), \
         bars: Array.from(document.querySelectorAll('svg rect')).every(inside), \
         bar: Math.min(...Array.from(document.querySelectorAll('svg rect'), e => e.getBoundingClientRect().width)) }}"
    ));
    assert!(chart["inside"] == true && chart["bars"] == true && chart["words"].as_u64() >= Some(5), "{chart}");
    assert!(chart["size"].as_f64() >= Some(11.0) && chart["bar"].as_f64() >= Some(3.0), "{chart}");
    browser.open(&pages.address("/letters/0:0"));
    let caret = browser.run(&format!(
        "{in_sight} const byte = document.querySelector('.byte'); return {{ inside: inside(byte), text: byte.textContent, \
         caret: getComputedStyle(byte, '::after').content }}"
    ));
    assert_eq!(caret, serde_json::json!({ "inside": true, "text": "}", "caret": "\"▲\"" }));
}
