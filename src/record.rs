//! What a Kafka record is to us: headers as bytes, coordinates, which ones somebody means, and the size by which we judge
//! whether a topic takes it.
//!
//! Pure, and ignorant of any client library.
//!
//! ```
//! use messagetrace_ecs::record::{Coordinates, wire_size};
//!
//! let (source, index) = Coordinates::parse_indexed("messagetrace.raw/3/1042/7").expect("as it was written");
//! assert_eq!((source.to_string().as_str(), index), ("messagetrace.raw/3/1042", Some(7)));
//! // Bytes, as a broker compares them with the topic's `max.message.bytes`.
//! assert_eq!(wire_size(Some(b"key"), Some(b"value"), []), 76);
//! ```

use std::fmt;

/// Bytes of a version 2 record batch before its first record.
const BATCH_OVERHEAD: usize = 61;

/// One header of a record. Names are bytes: Kafka says they are UTF-8, foreign producers do not always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Where a record stands, written `topic/partition/offset`. Kafka allows no slash in a topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coordinates<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
}

impl<'a> Coordinates<'a> {
    /// Kafka's own limit to the length of a topic's name.
    pub const MAX_TOPIC_BYTES: usize = 249;

    /// Reads what `Display` writes, and nothing else.
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::parse_indexed(text).filter(|(_, index)| index.is_none()).map(|(coordinates, _)| coordinates)
    }

    /// Reads `topic/partition/offset`, or `topic/partition/offset/index` for a trace out of a page.
    pub fn parse_indexed(text: &'a str) -> Option<(Self, Option<u32>)> {
        let mut parts = text.split('/');
        let topic = parts.next().filter(|topic| (1..=Self::MAX_TOPIC_BYTES).contains(&topic.len()))?;
        let partition = i32::try_from(parse_decimal(parts.next()?)?).ok()?;
        let offset = i64::try_from(parse_decimal(parts.next()?)?).ok()?;
        let index = match parts.next() {
            Some(index) => Some(u32::try_from(parse_decimal(index)?).ok()?),
            None => None,
        };
        parts.next().is_none().then_some((Self { topic, partition, offset }, index))
    }
}

impl fmt::Display for Coordinates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Records as people name them, by place and time; nothing set: all. Every stretch begins with its first value and ends before
/// its second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub from_offset: Option<i64>,
    pub to_offset: Option<i64>,
    /// Milliseconds since 1970.
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
}

impl Section {
    /// Whether a record at this place is meant; one that nobody knows the place of is not where places are asked for.
    pub fn has_place(&self, at: Option<Coordinates<'_>>) -> bool {
        self.topic.as_ref().is_none_or(|topic| at.is_some_and(|at| topic == at.topic))
            && self.partition.is_none_or(|partition| at.is_some_and(|at| partition == at.partition))
            && is_within(at.map(|at| at.offset), self.from_offset, self.to_offset)
    }

    /// The same for a time.
    pub fn has_time(&self, ms: Option<i64>) -> bool {
        is_within(ms, self.from_ms, self.to_ms)
    }
}

/// What has no value lies in no stretch that is bounded.
pub fn is_within(value: Option<i64>, from: Option<i64>, to: Option<i64>) -> bool {
    let Some(value) = value else { return from.is_none() && to.is_none() };
    from.is_none_or(|from| value >= from) && to.is_none_or(|to| value < to)
}

/// A whole number in ASCII digits. Stricter than `str::parse`, which takes a plus sign.
pub fn parse_decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The bytes that one record takes alone in an uncompressed version 2 record batch, exactly.
///
/// This is what a broker compares with the topic's `max.message.bytes`, so it is what we judge by before producing.
/// librdkafka (2.12) judges differently, and the settings have to be chosen so that only our judgement ever speaks:
///
/// * When a record is produced it compares key + value + header bytes + 36 (`RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD`) with
///   `message.max.bytes`. We count the same bytes + 61 + at least 7, always 32 or more above it. With
///   `message.max.bytes` at the largest limit of the topics we write to, librdkafka refuses nothing that we allow.
///   Its range is 1000 to 1 000 000 000: cap the limit there and judge by the capped one.
/// * A batch of several records stays below both `message.max.bytes` and `batch.size`, uncompressed and with the request's
///   header counted; a compressed batch that came out larger is sent uncompressed. With `batch.size` at most the
///   *smallest* limit of those topics no batch of records that fit alone is ever refused for its size, not even when
///   the broker stores it uncompressed. Both settings hold for a whole producer, not for one topic.
/// * A value larger than `queue.buffering.max.kbytes` never enters the queue: that one has to be larger than the limit.
pub fn wire_size<'a>(key: Option<&[u8]>, value: Option<&[u8]>, headers: impl IntoIterator<Item = Header<'a>>) -> usize {
    let (count, header_bytes) =
        headers.into_iter().fold((0, 0), |(count, bytes), header| (count + 1, bytes + header_size(header)));
    // Attributes, timestamp delta and offset delta: one byte each, the deltas of an only record being zero.
    let body = 3 + bytes_size(key) + bytes_size(value) + varint_size(count) + header_bytes;
    BATCH_OVERHEAD + varint_size(body) + body
}

fn header_size(header: Header<'_>) -> usize {
    varint_size(header.name.len()) + header.name.len() + bytes_size(header.value)
}

/// `null` is the length -1, one byte.
fn bytes_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_size(bytes.len()) + bytes.len())
}

/// Bytes of a zigzag varint that holds a length or a count: one for each 7 bits of twice the number.
fn varint_size(number: usize) -> usize {
    let zigzag = (number as u64) << 1;
    (u64::BITS - (zigzag | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> Header<'a> {
        Header { name, value }
    }

    /// One record as it goes over the wire, written from Kafka's message format, without the 61 bytes before it.
    fn record_bytes(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> Vec<u8> {
        fn varint(number: i64, out: &mut Vec<u8>) {
            let mut zigzag = ((number << 1) ^ (number >> 63)) as u64;
            while zigzag >= 0x80 {
                out.push((zigzag & 0x7f) as u8 | 0x80);
                zigzag >>= 7;
            }
            out.push(zigzag as u8);
        }
        fn bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
            varint(bytes.map_or(-1, |bytes| bytes.len() as i64), out);
            out.extend_from_slice(bytes.unwrap_or_default());
        }
        let mut body = vec![0, 0, 0];
        bytes(key, &mut body);
        bytes(value, &mut body);
        varint(headers.len() as i64, &mut body);
        for header in headers {
            bytes(Some(header.name), &mut body);
            bytes(header.value, &mut body);
        }
        let mut record = Vec::new();
        varint(body.len() as i64, &mut record);
        record.extend(body);
        record
    }

    #[test]
    fn a_record_takes_the_bytes_counted_by_hand() {
        let long = [b'x'; 200];
        type Case<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [Header<'a>], usize);
        let cases: [Case<'_>; 7] = [
            // length 1, attributes 1, timestamp 1, offset 1, key 1, value 1, header count 1
            (None, None, &[], 61 + 7),
            (Some(b""), Some(b""), &[], 61 + 7),
            (Some(b"k"), Some(b"value"), &[], 61 + 7 + 6),
            // name: length 1 + 2 bytes; value: length 1 + 3 bytes
            (None, None, &[header(b"ab", Some(b"123"))], 61 + 7 + 7),
            (None, None, &[header(b"ab", None)], 61 + 7 + 4),
            // 63 is the last length that takes one byte; with it the body is 69, so the record's own length takes two
            (None, long.get(..63), &[], 61 + 2 + 6 + 63),
            (None, long.get(..64), &[], 61 + 2 + 7 + 64),
        ];
        for (key, value, headers, expected) in cases {
            assert_eq!(wire_size(key, value, headers.iter().copied()), expected, "{key:?} {headers:?}");
        }
    }

    #[test]
    fn a_varint_grows_where_seven_more_bits_are_needed() {
        for (number, expected) in
            [(0, 1), (63, 1), (64, 2), (8191, 2), (8192, 3), (1_048_575, 3), (1_048_576, 4), (i32::MAX as usize, 5)]
        {
            assert_eq!(varint_size(number), expected, "{number}");
        }
    }

    #[test]
    fn coordinates_are_read_as_they_are_written() {
        let coordinates = Coordinates { topic: "mail.raw", partition: 3, offset: 9_007_199_254_740_993 };
        assert_eq!(coordinates.to_string(), "mail.raw/3/9007199254740993");
        assert_eq!(Coordinates::parse("mail.raw/3/9007199254740993"), Some(coordinates));
    }

    #[test]
    fn a_trace_out_of_a_page_has_an_index_as_well() {
        let coordinates = Coordinates { topic: "t", partition: 0, offset: 9 };
        let cases = [
            ("t/0/9", Some((coordinates, None))),
            ("t/0/9/0", Some((coordinates, Some(0)))),
            ("t/0/9/4294967295", Some((coordinates, Some(u32::MAX)))),
            ("t/0/9/4294967296", None),
            ("t/0/9/", None),
            ("t/0/9/1/1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Coordinates::parse_indexed(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_coordinate() {
        for text in ["", "t", "t/1", "t/1/2/3", "/1/2", "t/+1/2", "t/1/-2", "t//2", "t/1/", "t/2147483648/0", "t/1/2 "]
        {
            assert_eq!(Coordinates::parse(text), None, "{text}");
        }
        let long = format!("{}/0/0", "t".repeat(250));
        assert_eq!(Coordinates::parse(&long), None);
        assert!(Coordinates::parse(long.get(1..).unwrap()).is_some());
    }

    proptest! {
        #[test]
        fn a_record_takes_as_many_bytes_as_are_written(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20_000)),
            headers in proptest::collection::vec(
                (
                    proptest::collection::vec(any::<u8>(), 0..100),
                    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..100)),
                ),
                0..80,
            ),
        ) {
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(name, value)| header(name, value.as_deref())).collect();
            let written = record_bytes(key.as_deref(), value.as_deref(), &headers).len();
            prop_assert_eq!(wire_size(key.as_deref(), value.as_deref(), headers.iter().copied()), 61 + written);
        }
    }
}
