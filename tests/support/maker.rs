//! Makes records up from a seed: values of known fate under odd keys, headers and times.

use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use super::raw::{Headers, Record};
use super::sample::Sample;

#[derive(Debug)]
pub struct Maker {
    pub rng: Rng,
    seed: u64,
    made: usize,
    /// Records are at most this young, so that no broker takes them for future ones.
    newest_ms: i64,
}

impl Maker {
    pub fn new(seed: u64, newest_ms: i64) -> Self {
        Self { rng: Rng::with_seed(seed), seed, made: 0, newest_ms }
    }

    /// A record of any kind.
    pub fn mixed(&mut self) -> (Record, Sample) {
        let id = self.next_id();
        let sample = Sample::mixed(&mut self.rng, &id);
        (self.record(&sample), sample)
    }

    /// A plain trace.
    pub fn plain(&mut self) -> (Record, Sample) {
        let id = self.next_id();
        let sample = Sample::plain(&mut self.rng, &id);
        (self.record(&sample), sample)
    }

    /// Unique over makers of different seeds.
    pub fn next_id(&mut self) -> String {
        self.made += 1;
        format!("{:04x}-{:08}", self.seed, self.made)
    }

    /// Key, headers and time for a value, any of them odd.
    pub fn record(&mut self, sample: &Sample) -> Record {
        let rng = &mut self.rng;
        let timestamp_ms = self.newest_ms - rng.i64(0..48 * 3_600_000);
        Record { key: key(rng), value: sample.value.clone(), headers: headers(rng), timestamp_ms }
    }
}

/// Keys repeat often enough for their order to matter.
fn key(rng: &mut Rng) -> Option<Vec<u8>> {
    match rng.u8(..10) {
        0 | 1 => None,
        2 => Some(Vec::new()),
        3 => Some(vec![0xff, 0x00, rng.u8(..8)]),
        _ => Some(format!("user-{}@contoso.example", rng.u8(..200)).into_bytes()),
    }
}

fn headers(rng: &mut Rng) -> Headers {
    let known: [(&[u8], Option<&[u8]>); 15] = [
        (b"traceparent", Some(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        (b"content-type", Some(b"application/json")),
        (b"repeated", Some(b"1")),
        (b"repeated", Some(b"2")),
        (b"repeated", None),
        (b"empty", Some(b"")),
        (b"bytes", Some(b"\xff\xfe\x00\x01")),
        (b"na\xefve", Some(b"a name that is not UTF-8")),
        (b"", Some(b"a name that is empty")),
        // Our own, as a replayed dead letter or a chain of two services brings them.
        (b"messagetrace.source", Some(b"elsewhere/3/1400")),
        (b"dlq.attempts", Some(b"2")),
        (b"dlq.attempts", Some(b"often")),
        (b"dlq.replayed.from", Some(b"messagetrace.dlq/2/77")),
        (b"dlq.error.kind", Some(b"invalid_json")),
        (b"dlq.note", Some(b"not of the closed list")),
    ];
    let count = rng.usize(..5);
    (0..count)
        .map(|_| known[rng.usize(..known.len())])
        .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
        .collect()
}

pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("this century")
}
