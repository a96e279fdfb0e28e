//! `dlq serve` as a client sees it: what its pages hold, whom it answers, and how it starts and ends.

use std::cmp::Reverse;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::letters::{START_MS, header, others, ours, usual};
use super::{TOPIC, cluster, printed};
use crate::packers::gzip;
use crate::support::children::Signal;
use crate::support::cluster::Cluster;
use crate::support::raw::Record;
use crate::support::service::{Call, LIMIT, Service};
use crate::support::wait;
use crate::support::writer::Writer;

/// The pages, being served.
#[derive(Debug)]
pub struct Pages {
    pub service: Service,
    port: u16,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Pages {
    pub fn of(cluster: &Cluster, topic: &str) -> Self {
        Self::start(&cluster.bootstrap(), topic, &[])
    }

    fn start(servers: &str, topic: &str, settings: &[&str]) -> Self {
        let call = Call::of(&["dlq", "serve", "--listen", "127.0.0.1:0"]);
        let call = call.set(&format!("kafka.bootstrap_servers={servers}")).set(&format!("dead_letters.topic={topic}"));
        let service = settings.iter().fold(call, |call, setting| call.set(setting)).start();
        let port = wait::until("it says where it listens", LIMIT, || {
            let log = service.log();
            let (_, rest) = log.split_once(&format!("dead letters of {topic} on http://127.0.0.1:"))?;
            rest.split(' ').next()?.parse().ok()
        });
        Self { service, port }
    }

    pub fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A request with these lines behind the first.
    fn ask(&self, line: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a socket");
        write!(stream, "{line} HTTP/1.1\r\n{headers}\r\n").expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_ascii_lowercase(), body: answer.split_off(end + 4) }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "Host: localhost\r\n")
    }

    /// Where one is led to.
    fn led(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        between(&answer.head, "\r\nlocation: ", "\r\n").concat()
    }

    pub fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a page is text")
    }
}

/// What stands between two pieces of markup, each time.
fn between<'h>(html: &'h str, begin: &str, end: &str) -> Vec<&'h str> {
    html.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

/// A piece of a page as it is read.
fn as_text(html: &str) -> String {
    let text: String = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (entity, character)| text.replace(entity, character))
}

#[test]
fn the_pages_hold_what_the_commands_print() {
    let pages = Pages::of(cluster(), TOPIC);
    let overview = pages.page("/");
    assert!(overview.contains(&format!("<h1>{} dead letters</h1>", usual().len() + others().len())), "{overview}");
    // The largest group first, with its newest letter.
    let first = &between(&overview, "<tbody><tr><td class=\"number\">", "</tr>")[..];
    let expected = "3</td><td class=\"message\"><a class=\"row\" href=\"/letters?kind=missing_field&amp;fingerprint=e4501980dc423063\">";
    let says = |row: &str| row.contains("<p>Received is missing</p>") && row.contains("/letters/0:9");
    assert!(first.iter().any(|row| row.starts_with(expected) && says(row)), "{first:?}");
    let bars = between(&overview, "&amp;to=2026-03-01T11%3A00%3A00.000Z\"><title>", "</title>");
    assert!(bars.len() == 1 && bars[0].starts_with("2026-03-01 10:00: 10 letters; 2 missing_field"), "{bars:?}");

    let places = |path: &str| between(&pages.page(path), "href=\"/letters/", "\"").join(" ");
    assert_eq!(places("/letters?kind=missing_field"), "0:9 0:1 0:0", "the newest first");
    assert_eq!(places("/letters?kind=missing_field&order=oldest"), "0:0 0:1 0:9");
    assert_eq!(places("/letters?kind=empty_payload&kind=kip1191&from="), "0:7 1:4");
    assert_eq!(places("/letters?topic=orders&partition=1&from-offset=78&to-offset=80"), "1:3 1:2");
    assert_eq!(places("/letters?to=2026-03-01T10%3A12%3A00Z"), "1:1 1:0 0:2 0:1 0:0");
    assert_eq!(places("/letters?from=2h"), "");

    let letter = pages.page("/letters/0:2");
    assert!(letter.contains("<p class=\"now failing\">") && letter.contains("still invalid_json"), "{letter}");
    assert_eq!(between(&letter, "<span class=\"caret\">", "</span>").len(), 1, "{letter}");
    assert!(pages.page("/letters/0:4").contains("<p class=\"now fixed\">"), "today's limit takes it");
    assert!(pages.page("/letters/0:5").contains("<p class=\"now unknown\">"), "it was cut");

    for (partition, letters) in [(0, usual()), (1, others())] {
        for (offset, written) in letters.into_iter().enumerate() {
            let value = pages.get(&format!("/letters/{partition}:{offset}/value"));
            assert_eq!((value.status, value.body), (200, written.value.unwrap_or_default()));
            let name = format!("content-disposition: attachment; filename=\"letter-{partition}-{offset}.bin\"");
            let is_kept = [name.as_str(), "content-type: application/octet-stream"];
            assert!(is_kept.iter().all(|header| value.head.contains(header)), "{}", value.head);
            let place = format!("{partition}:{offset}");
            let shown = printed(&["show", &place]);
            let page = pages.page(&format!("/letters/{place}"));
            let parts = [
                ("<pre tabindex=\"0\">", "</pre>"),
                ("<pre class=\"dump\" tabindex=\"0\">", "</pre>"),
                ("<dd>", "</dd>"),
            ];
            for part in parts.into_iter().flat_map(|(begin, end)| between(&page, begin, end)) {
                assert!(shown.contains(&as_text(part)), "{place}: the page has {part}, the command {shown}");
            }
        }
    }
}

#[test]
fn a_list_goes_on_page_by_page_and_leaves_none_out() {
    let cluster = Cluster::shared();
    cluster.create_topic("letters-many", 3, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, "letters-many");
    let mut expected = Vec::new();
    for (partition, count) in [(0, 130), (2, 120)] {
        for offset in 0..count {
            // Times out of order, many of them the same, and some that cannot be.
            let minute = i64::from(offset * 7 % 40 - partition);
            let timestamp_ms = if offset % 50 == 3 { 1 } else { START_MS + minute * 60_000 };
            writer.send(partition, &Record { timestamp_ms, ..usual().remove(0) });
            let is_possible = timestamp_ms > 1;
            expected.push((
                !is_possible,
                Reverse(if is_possible { timestamp_ms } else { 0 }),
                partition,
                Reverse(offset),
            ));
        }
    }
    writer.settle();
    expected.sort_unstable();
    let expected: Vec<String> =
        expected.into_iter().map(|(.., partition, Reverse(offset))| format!("{partition}:{offset}")).collect();
    let pages = Pages::of(cluster, "letters-many");
    let (mut seen, mut path, mut count) = (Vec::new(), "/letters?kind=missing_field".to_owned(), 0);
    loop {
        let page = pages.page(&path);
        count += 1;
        assert!(page.contains("<h1>250 letters</h1>"), "{page}");
        seen.extend(between(&page, "href=\"/letters/", "\"").into_iter().map(str::to_owned));
        match between(&page, "<a rel=\"next\" href=\"", "\"").first() {
            Some(next) => path = next.replace("&amp;", "&"),
            None => break,
        }
    }
    assert_eq!((&seen, count), (&expected, 3));
    // And from letter to letter, the same way.
    for (newer, older) in expected.iter().zip(&expected[1..]).step_by(49) {
        assert_eq!(pages.led(&format!("/letters/{newer}/older")), format!("/letters/{older}"));
        assert_eq!(pages.led(&format!("/letters/{older}/newer")), format!("/letters/{newer}"));
    }
    assert!(pages.page(&format!("/letters/{}/newer", expected[0])).contains("No newer letter of this cause"));
    assert!(pages.page(&format!("/letters/{}/older", expected[249])).contains("No older letter of this cause"));
}

#[test]
fn a_search_finds_what_stands_in_source_key_and_value_and_says_of_which_kinds_the_others_are() {
    let cluster = Cluster::shared();
    cluster.create_topic("letters-search", 1, &[("retention.ms", "-1")]);
    let writer = Writer::new(cluster, "letters-search");
    let packed = gzip(br#"{"SenderAddress":"Anna@Contoso.example"}"#);
    let mut keyed = ours(1, Some(b"{}"), ["empty_page", "01", "x"], &[]);
    keyed.key = Some(b"\xffANNA@contoso\xfe".to_vec());
    let letters = [
        ours(0, Some(b"{\"a\":\"anna@contoso.example\"}"), ["missing_field", "00", "x"], &[]),
        keyed,
        ours(2, Some(&packed), ["missing_field", "00", "x"], &[]),
        ours(3, Some(b"{}"), ["missing_field", "00", "anna@contoso"], &[("dlq.source.topic", "mail-anna@contoso")]),
        ours(4, Some(b"{}"), ["missing_field", "00", "anna@contoso in the message alone"], &[]),
    ];
    letters.iter().for_each(|letter| writer.send(0, letter));
    writer.settle();
    let pages = Pages::of(cluster, "letters-search");
    let places = |path: &str| between(&pages.page(path), "href=\"/letters/", "\"").join(" ");
    assert_eq!(places("/letters?search=anna%40contoso"), "0:3 0:2 0:1 0:0");
    assert_eq!(places("/letters?search=ANNA%40CONTOSO&kind=missing_field"), "0:3 0:2 0:0");
    assert_eq!(places("/letters?search=nobody"), "");
    let overview = pages.page("/?search=anna%40contoso&kind=empty_page");
    assert!(overview.contains("<h1>1 dead letter</h1>"), "{overview}");
    let kinds = between(&overview, "name=\"kind\" value=\"", "</small>");
    let of = |kind: &str| kinds.iter().copied().find(|choice| choice.starts_with(kind)).expect("it is offered");
    assert!(of("empty_page\" checked>").ends_with("<small>1"), "{kinds:?}");
    assert!(of("missing_field\">").ends_with("<small>3"), "{kinds:?}");
}

#[test]
fn the_page_of_a_letter_of_eight_mebibytes_stays_small() {
    let cluster = Cluster::shared();
    cluster.create_topic("letters-heavy", 1, &[("max.message.bytes", "20000000"), ("retention.ms", "-1")]);
    let writer = Writer::new(cluster, "letters-heavy");
    let rows = r#"{"MessageTraceId":"6b1f","Subject":"\"<>\""},"#.repeat(200_000);
    let json = format!("[{rows}tru]");
    assert!(json.len() > 8 << 20);
    let mut letter = ours(0, Some(json.as_bytes()), ["invalid_json", "f80484cc50f2e34f", "no JSON"], &[]);
    letter.key = Some(vec![b'<'; 1 << 20]);
    letter.headers.extend((0..2000).map(|number| header(&format!("x-{number}"), &[b'"'; 500])));
    writer.send(0, &letter);
    writer.settle();
    // Today's mapping would not look into more than eight mebibytes, and then no byte is to blame.
    let unlooked = Pages::of(cluster, "letters-heavy").page("/letters/0:0");
    assert!(unlooked.contains("differently, payload_too_large") && !unlooked.contains("<mark"), "{unlooked}");
    let pages = Pages::start(&cluster.bootstrap(), "letters-heavy", &["input.max_payload_bytes=16MiB"]);
    for (path, most) in [("/letters/0:0", 512 * 1024), ("/letters/0:0?full=1", 1024 * 1024), ("/letters", 64 * 1024)] {
        let page = pages.page(path);
        assert!(page.len() < most, "{path} has {} bytes", page.len());
        // The byte to blame, once, behind what comes before it.
        let marked = if path.contains("0:0") { &["]"][..] } else { &[] };
        assert_eq!(between(&page, "tru<mark class=\"byte\">", "</mark>"), marked, "{path}");
        assert_eq!(between(&page, "<mark", "</mark>").len(), marked.len(), "{path}");
    }
    assert_eq!(pages.get("/letters/0:0/value").body.len(), json.len());
}

#[test]
fn a_page_says_where_it_looks_and_when_and_can_be_asked_again() {
    let pages = Pages::of(cluster(), TOPIC);
    let page = pages.page("/letters?kind=missing_field&refresh=60");
    let cluster = format!("<strong>{TOPIC}</strong> on {}", cluster().bootstrap());
    assert!(page.contains(&cluster), "{page}");
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"60\">"), "{page}");
    assert!(page.contains("<a class=\"refresh\" href=\"/letters?kind=missing_field&amp;refresh=60\">"), "{page}");
    assert!(!pages.page("/").contains("http-equiv"));
    // The replay of this letter failed again; however long it takes to find that out.
    let history = pages.page("/letters/0:0?full=1");
    let history = history.split_once("History of its record").expect("a history").1;
    assert_eq!(between(history, "<a href=\"/letters/", "\"").first(), Some(&"0:1"), "{history}");
    // A line to copy stands where a shell can do no harm with it, and nowhere else.
    let call = "<pre class=\"copy\" tabindex=\"0\">messagetrace-ecs dlq replay --fingerprint e4501980dc423063</pre>";
    assert!(pages.page("/letters/0:0").contains(call));
    assert!(!pages.page("/letters/1:0").contains("--fingerprint"), "its fingerprint is an attack");
}

#[test]
fn only_this_machine_is_answered_and_every_answer_is_guarded() {
    let pages = Pages::of(cluster(), TOPIC);
    let answers = [
        (pages.get("/"), 200),
        (pages.get("/style.css"), 200),
        (pages.get("/page.js"), 200),
        (pages.get("/icon.svg"), 200),
        (pages.get("/letters/0:0/value"), 200),
        (pages.get("/letters/0:9999"), 404),
        (pages.get("/letters/7:0"), 404),
        (pages.get("/elsewhere"), 404),
        (pages.get("/letters?from=yesterday"), 400),
        (pages.get("/letters?nothing=1"), 400),
        (pages.get("/letters/0:0?x"), 400),
        (pages.get("/letters?search=%00%3Cscript%3E"), 200),
        (pages.get(&format!("/letters?search={}", "a".repeat(201))), 400),
        (pages.get("/letters/0:0/older"), 200),
        (pages.get("/letters/0:9/older"), 303),
        (pages.get("/letters/0:9/older?x"), 400),
        (pages.ask("GET /letters/0:9/older", "Host: evil.example\r\n"), 421),
        (pages.ask("POST /letters", "Host: localhost\r\nContent-Length: 0\r\n"), 405),
        (pages.ask("GET /", "Host: evil.example\r\n"), 421),
        (pages.ask("GET /letters/0:0/value", "Host: evil.example:8081\r\n"), 421),
        (pages.ask("GET http://evil.example/", "Host: localhost\r\n"), 421),
        (pages.ask("GET /", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"), 403),
    ];
    for (answer, status) in answers {
        assert_eq!(answer.status, status, "{}", answer.head);
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self';",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(answer.head.contains(&format!("\r\n{header}")), "{header} is not in {}", answer.head);
        }
        assert!(!answer.head.contains("access-control-allow"), "{}", answer.head);
    }
    assert_eq!(pages.ask("HEAD /", "Host: localhost\r\n").body, b"");
}

#[test]
fn it_starts_and_ends_as_a_person_expects() {
    let pages = Pages::of(cluster(), TOPIC);
    let taken = pages.address("").replace("http://", "");
    let again = |listen: &str| Call::of(&["dlq", "serve", "--listen", listen]).ended();
    let refused = again(&taken);
    refused.assert_code(1);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains(&taken) && refused.stderr.contains("--listen"), "{}", refused.stderr);
    for listen in ["0.0.0.0:0", "192.0.2.1:8081", "[::]:8081", "8081", "localhost"] {
        let refused = again(listen);
        refused.assert_code(2);
        assert!(refused.stderr.contains("127.0.0.1"), "{listen}: {}", refused.stderr);
    }
    pages.service.stopped().assert_code(0);
    let pages = Pages::of(cluster(), TOPIC);
    pages.service.signal(Signal::Int);
    pages.service.ended().assert_code(0);
}

#[test]
fn a_topic_that_cannot_be_read_is_one_line_on_a_page() {
    let missing = Pages::of(cluster(), "missing").get("/");
    assert_eq!(missing.status, 502);
    let expected = "<p class=\"problem\" role=\"alert\">topic missing does not exist (create it: messagetrace-ecs topics --create, or correct dead_letters.topic)</p>";
    assert!(missing.text().contains(expected), "{}", missing.text());
    let nobody = Pages::start("127.0.0.1:1", TOPIC, &[]).get("/letters");
    assert_eq!(nobody.status, 502);
    assert!(nobody.text().contains("no broker of 127.0.0.1:1 answered"), "{}", nobody.text());
}

/// For the pictures and the markup: an afternoon on which a connector was changed.
pub fn afternoon() -> Vec<Record> {
    let broken = br#"{"MessageTraceId": "6b1f0a52", "Received": "2026-03-01T13:05:00Z", "Subject": "Invoice 2026-117", "Size": tru}"#;
    let soon =
        br#"[{"MessageTraceId":"6b1f0a52","Received":"soon","SenderAddress":"anna@contoso.example","Size":18241}]"#;
    let causes: [(&[u8], [&str; 3]); 4] = [
        (broken, ["invalid_json", "f80484cc50f2e34f", "no JSON: line 1, column 104"]),
        (soon, ["invalid_timestamp", "b1b7b43d4bb2bb0c", "Received holds no time"]),
        (
            super::letters::GOOD.as_bytes(),
            ["payload_too_large", "3919d15b88dbbb69", "the value has 92 bytes; input.max_payload_bytes allows 90"],
        ),
        (br#"{"error":{"code":"Forbidden"}}"#, ["api_error", "8f1ce1f02b4c4d1a", "the answer of an API that failed"]),
    ];
    // Letters of each cause, hour by hour.
    let hours: [[usize; 4]; 14] = [
        [1, 2, 0, 0],
        [0, 3, 0, 0],
        [2, 1, 0, 0],
        [1, 2, 0, 1],
        [0, 1, 0, 0],
        [14, 2, 0, 0],
        [31, 3, 2, 0],
        [27, 2, 6, 0],
        [9, 3, 8, 0],
        [2, 2, 7, 0],
        [1, 1, 3, 12],
        [0, 2, 0, 9],
        [1, 4, 0, 2],
        [0, 2, 0, 0],
    ];
    let mut letters = Vec::new();
    for (hour, counts) in (0_i64..).zip(hours) {
        for ((value, cause), count) in causes.iter().zip(counts) {
            let minutes = (0..).map(|letter| hour * 60 + letter * 60 / i64::try_from(count.max(1)).expect("small"));
            letters.extend(minutes.take(count).map(|minute| ours(minute, Some(value), *cause, &[])));
        }
    }
    letters
}
