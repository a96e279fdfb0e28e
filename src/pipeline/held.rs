//! Dead letters that wait so as to be handed over together. Pure.
//!
//! The client has at most five requests on their way to a broker, and each of them holds records of one partition. Dead
//! letters are few: handed over as they come, a handful of them fills a request and has a place on the way that a thousand
//! events could have had.

use std::ops::Range;
use std::time::Duration;

use super::arena::{Arena, BESIDE_HEADER};
use crate::record::Header;

/// How long a letter waits at the most. It goes out with the next seal in any case.
const LONGEST: Duration = Duration::from_millis(500);

/// What a letter takes here beside its bytes.
const BESIDE: usize = size_of::<Entry>() + 16 * BESIDE_HEADER;

/// A dead letter on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a, H> {
    /// `None`: the client's partitioner decides.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: H,
    pub timestamp_ms: i64,
    pub tag: usize,
}

/// One letter, as ranges of the arena.
#[derive(Debug)]
struct Entry {
    partition: Option<i32>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
    timestamp_ms: i64,
    tag: usize,
}

/// Letters that wait, copied into one arena, in the order in which they came.
#[derive(Debug)]
pub struct Held {
    most_bytes: usize,
    arena: Arena,
    letters: Vec<Entry>,
    /// How many of them have gone.
    gone: usize,
    since: Option<Duration>,
}

impl Held {
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, arena: Arena::default(), letters: Vec::new(), gone: 0, since: None }
    }

    /// Letters that wait.
    pub fn len(&self) -> usize {
        self.letters.len() - self.gone
    }

    /// Whether one of so many bytes may wait as well. A large one fills a request by itself.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        bytes <= self.most_bytes / 16 && self.arena.len() + self.letters.len() * BESIDE + bytes <= self.most_bytes
    }

    /// Whether the first of them has waited long enough, to be asked again and again.
    pub fn is_due(&mut self, now: Duration) -> bool {
        if self.len() == 0 {
            return false;
        }
        now >= *self.since.get_or_insert(now) + LONGEST
    }

    pub fn push<'h>(&mut self, letter: Letter<'_, impl Iterator<Item = Header<'h>>>) {
        let key = letter.key.map(|key| self.arena.copy(key));
        let value = letter.value.map(|value| self.arena.copy(value));
        let first_header = self.arena.headers_len();
        letter.headers.for_each(|header| self.arena.copy_header(header));
        let headers = first_header..self.arena.headers_len();
        let Letter { partition, timestamp_ms, tag, .. } = letter;
        self.letters.push(Entry { partition, key, value, headers, timestamp_ms, tag });
    }

    /// The letter that is next.
    pub fn next(&self) -> Option<Letter<'_, impl Iterator<Item = Header<'_>>>> {
        let entry = self.letters.get(self.gone)?;
        Some(Letter {
            partition: entry.partition,
            key: self.arena.bytes(entry.key.as_ref()),
            value: self.arena.bytes(entry.value.as_ref()),
            headers: self.arena.headers(entry.headers.clone()),
            timestamp_ms: entry.timestamp_ms,
            tag: entry.tag,
        })
    }

    /// It has gone.
    pub fn gone(&mut self) {
        self.gone += 1;
        if self.len() == 0 {
            self.clear();
        }
    }

    /// Forgets all of them. Their memory stays: it is bounded.
    pub fn clear(&mut self) {
        self.arena.clear(self.most_bytes);
        self.letters.clear();
        self.gone = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64 * 1024;

    type Owned = (Option<i32>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>, i64, usize);

    fn push(held: &mut Held, tag: usize, value: Option<&[u8]>) {
        let headers = [Header { name: b"first", value: Some(b"1") }, Header { name: b"\xff", value: None }];
        let headers = headers.into_iter().take(tag % 3);
        let key: Option<&[u8]> = tag.is_multiple_of(2).then_some(b"key");
        held.push(Letter { partition: Some(3), key, value, headers, timestamp_ms: 5, tag });
    }

    fn taken(held: &mut Held) -> Vec<Owned> {
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let mut taken = Vec::new();
        while held.len() > 0 {
            let Letter { partition, key, value, headers, timestamp_ms, tag } =
                held.next().expect("a letter that waits");
            let headers = headers.map(|header| (header.name.to_vec(), owned(header.value))).collect();
            taken.push((partition, owned(key), owned(value), headers, timestamp_ms, tag));
            held.gone();
        }
        assert!(held.next().is_none());
        taken
    }

    #[test]
    fn what_waited_goes_as_it_came_and_in_the_order_in_which_it_came() {
        let mut held = Held::new(MOST);
        for round in 0..3 {
            for (tag, value) in [None, Some(&b""[..]), Some(b"value")].into_iter().enumerate() {
                push(&mut held, tag, value);
            }
            assert_eq!(held.len(), 3, "{round}");
            let (first, second) = ((b"first".to_vec(), Some(b"1".to_vec())), (b"\xff".to_vec(), None));
            let expected: Vec<Owned> = vec![
                (Some(3), Some(b"key".to_vec()), None, vec![], 5, 0),
                (Some(3), None, Some(b"".to_vec()), vec![first.clone()], 5, 1),
                (Some(3), Some(b"key".to_vec()), Some(b"value".to_vec()), vec![first, second], 5, 2),
            ];
            assert_eq!(taken(&mut held), expected, "{round}");
            assert_eq!(held.len(), 0);
        }
    }

    #[test]
    fn what_waits_is_bounded_and_a_large_letter_does_not_wait() {
        let mut held = Held::new(MOST);
        assert!(!held.has_room_for(MOST / 16 + 1));
        let value = vec![0; 100];
        let mut pushed = 0;
        while held.has_room_for(value.len()) {
            push(&mut held, pushed, Some(&value));
            pushed += 1;
        }
        let bytes = held.arena.len() + held.letters.len() * size_of::<Entry>();
        assert!(pushed > 50 && bytes <= MOST, "{pushed} letters, {bytes} bytes");
        held.clear();
        assert!(held.next().is_none() && held.has_room_for(value.len()));
    }

    #[test]
    fn a_letter_waits_half_a_second_at_the_most() {
        let mut held = Held::new(MOST);
        let ms = Duration::from_millis;
        assert!(!held.is_due(ms(0)) && !held.is_due(ms(10_000)));
        push(&mut held, 0, None);
        assert!(!held.is_due(ms(10_000)));
        push(&mut held, 1, None);
        assert!(!held.is_due(ms(10_499)));
        assert!(held.is_due(ms(10_500)));
        held.gone();
        // The rest has waited as long.
        assert!(held.is_due(ms(10_501)));
        held.gone();
        push(&mut held, 2, None);
        assert!(!held.is_due(ms(20_000)));
    }
}
