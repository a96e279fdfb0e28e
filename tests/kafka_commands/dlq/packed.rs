//! Letters whose value was packed or encoded: people see what the mapping sees, and get the bytes as they came.

use super::letters::{GOOD, ours};
use super::serve::Pages;
use crate::packers::gzip;
use crate::support::cluster::Cluster;
use crate::support::service::Call;
use crate::support::writer::Writer;

const TOPIC: &str = "letters-packed";

fn dlq(cluster: &Cluster, words: &[&str]) -> String {
    let words: Vec<&str> = ["dlq"].iter().chain(words).copied().collect();
    let servers = format!("kafka.bootstrap_servers={}", cluster.bootstrap());
    let ended = Call::of(&words).set(&servers).set(&format!("dead_letters.topic={TOPIC}")).ended();
    ended.assert_code(0);
    ended.stdout
}

#[test]
fn what_was_packed_is_shown_unpacked_and_kept_as_it_came() {
    let cluster = Cluster::shared();
    cluster.create_topic(TOPIC, 1, &[("retention.ms", "-1")]);
    let broken = r#"{"MessageTraceId": "6b1f", "Received": tru}"#;
    let utf16: Vec<u8> = format!("\u{feff}{broken}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let values = [gzip(GOOD.as_bytes()), gzip(broken.as_bytes()), utf16, b"\x1f\x8b\x08 is no gzip".to_vec()];
    let writer = Writer::new(cluster, TOPIC);
    let unknown = ["invalid_utf8", "40940d4b11537fd5", "not UTF-8 from byte 2"];
    values.iter().for_each(|value| writer.send(0, &ours(0, Some(value), unknown, &[])));
    writer.settle();

    let pages = Pages::of(cluster, TOPIC);
    let undone =
        [", JSON, out of gzip", ", text, no JSON, out of gzip", ", text, no JSON, out of UTF-16", ", not text"];
    for (offset, (value, undone)) in values.iter().zip(undone).enumerate() {
        let heading = format!("value, {} bytes{undone}", value.len());
        let shown = dlq(cluster, &["show", &format!("0:{offset}")]);
        assert!(shown.lines().any(|line| line == heading), "{heading}: {shown}");
        let page = pages.page(&format!("/letters/0:{offset}"));
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading}: {page}");
        let kept = pages.get(&format!("/letters/0:{offset}/value"));
        assert_eq!((kept.status, &kept.body), (200, value));
    }
    assert!(dlq(cluster, &["show", "0:0"]).contains("\"SenderAddress\": \"a@example.com\""), "its text is laid out");
    for place in ["0:1", "0:2"] {
        let shown = dlq(cluster, &["show", place]);
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines.iter().position(|line| line.trim() == "^").expect("a caret");
        // Below the brace that stands where the word should go on; the mark before the text is shown escaped.
        assert_eq!(lines[caret - 1].rfind('}'), lines[caret].find('^'), "{shown}");
    }
    let compared = dlq(cluster, &["diff"]);
    assert!(compared.contains("1 now fixed, 3 failing differently"), "{compared}");
    assert!(compared.contains("invalid_json: no JSON at line 1, column 43"), "{compared}");
    assert!(compared.contains("invalid_encoding: the value begins like gzip, but "), "{compared}");
}
