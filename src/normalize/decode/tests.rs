//! What is undone, in which order, and what costs no more than is allowed.

use super::*;
use crate::normalize::packers::{gzip, zlib, zstandard};

const TEXT: &[u8] = b"{\"a\":1}";

fn kind(value: &[u8], max_bytes: usize) -> Option<Kind> {
    decoded(value, max_bytes).err().map(|rejection| rejection.kind)
}

#[test]
fn what_was_done_to_a_text_is_undone_and_told() {
    let utf16: Vec<u8> = "\u{feff}{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let prefixed = [&[0, 0, 0, 1, 200], TEXT].concat();
    for (value, text, undone) in [
        (TEXT.to_vec(), TEXT, vec![]),
        (gzip(TEXT), TEXT, vec![Encoding::Gzip]),
        ([gzip(b"{\"a\""), gzip(b":1}")].concat(), TEXT, vec![Encoding::Gzip]),
        (zlib(TEXT), TEXT, vec![Encoding::Zlib]),
        (zstandard(TEXT), TEXT, vec![Encoding::Zstandard]),
        ([zstandard(b"{\"a\""), zstandard(b":1}")].concat(), TEXT, vec![Encoding::Zstandard]),
        (prefixed.clone(), TEXT, vec![Encoding::SchemaId(456)]),
        (utf16.clone(), "\u{feff}{\"a\":1}".as_bytes(), vec![Encoding::Utf16]),
        (gzip(&utf16), "\u{feff}{\"a\":1}".as_bytes(), vec![Encoding::Gzip, Encoding::Utf16]),
        (zstandard(&prefixed), TEXT, vec![Encoding::Zstandard, Encoding::SchemaId(456)]),
    ] {
        let found = decoded(&value, 100).unwrap();
        assert_eq!((&*found.text, found.undone), (text, undone), "{}", value.escape_ascii());
    }
}

#[test]
fn a_bomb_is_known_by_its_first_byte_too_many_and_costs_no_more_than_is_allowed() {
    let spaces = vec![b' '; 30_000_000];
    for (value, packing) in
        [(gzip(&spaces), Packing::Gzip), (zlib(&spaces), Packing::Zlib), (zstandard(&spaces), Packing::Zstandard)]
    {
        let mut out = Vec::new();
        let rejection = packing.unpack(&value, 1_000_000, &mut out).unwrap_err();
        assert_eq!(rejection.kind, Kind::ExpandsTooFar);
        assert!(out.capacity() <= 1_000_001, "{packing:?}: {}", out.capacity());
        let cut = &value[..value.len() - 5];
        assert_eq!(kind(cut, 1_000_000), Some(Kind::ExpandsTooFar), "{packing:?}");
        assert_eq!(kind(cut, 40_000_000), Some(Kind::InvalidEncoding), "{packing:?}");
        let whole = decoded(&value, spaces.len());
        assert!(whole.is_ok_and(|whole| *whole.text == spaces), "{packing:?}");
        assert_eq!(kind(&value, spaces.len() - 1), Some(Kind::ExpandsTooFar), "{packing:?}");
        assert!(decoded(&value, usize::MAX).is_ok_and(|whole| *whole.text == spaces), "{packing:?}");
    }
}

#[test]
fn bytes_behind_a_stream_are_no_part_of_it() {
    for packed in [gzip(TEXT), zlib(TEXT), zstandard(TEXT)] {
        for behind in [&b"x"[..], b"\0", b"{}"] {
            assert_eq!(
                kind(&[&packed, behind].concat(), 100),
                Some(Kind::InvalidEncoding),
                "{}",
                packed.escape_ascii()
            );
        }
    }
}

/// A frame of blocks that each hold a space and how often it comes: 128 KiB out of 4 bytes.
fn bomb(packed_bytes: usize) -> Vec<u8> {
    let block = |last: u32| {
        let [low, middle, high, _] = ((128 << 10) << 3 | 1 << 1 | last).to_le_bytes();
        [low, middle, high, b' ']
    };
    // A window of 128 KiB, and no word of how much it is.
    [&b"\x28\xb5\x2f\xfd\x00\x38"[..], &block(0).repeat(packed_bytes / 4), &block(1)].concat()
}

#[test]
fn a_frame_that_would_give_ten_gigabytes_costs_no_more_than_is_allowed() {
    assert!(decoded(&bomb(400), 101 << 17).is_ok_and(|decoded| decoded.text.len() == 101 << 17));
    for (packed_bytes, unpacked_bytes) in [(10_000, 312 << 20), (330_000, 10_u64 << 30)] {
        let bomb = bomb(packed_bytes);
        assert!((packed_bytes as u64 / 4) << 17 >= unpacked_bytes);
        let mut out = Vec::new();
        let rejection = Packing::Zstandard.unpack(&bomb, 8 << 20, &mut out).unwrap_err();
        assert_eq!(rejection.kind, Kind::ExpandsTooFar);
        assert!(out.capacity() <= (8 << 20) + 1, "{}", out.capacity());
    }
}
