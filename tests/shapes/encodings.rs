//! A record in the encodings that are looked for by their first bytes, and Base64.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::Dice;

impl Dice<'_> {
    /// In the order in which they are taken off, or in any when it goes wrong.
    pub(super) fn encoded(&mut self, value: Vec<u8>) -> Vec<u8> {
        if self.mistake(6) {
            let mut value = value;
            for _ in 0..=self.below(3) {
                value = match self.below(3) {
                    0 => self.utf16(value),
                    1 => self.prefixed(value),
                    _ => self.packed(&value),
                };
            }
            return value;
        }
        // At least one of the three.
        let which = self.below(7) + 1;
        let value = if which & 1 != 0 { self.utf16(value) } else { value };
        let value = if which & 2 != 0 { self.prefixed(value) } else { value };
        if which & 4 != 0 { self.packed(&value) } else { value }
    }

    /// What is no UTF-8 stays as it is.
    fn utf16(&mut self, value: Vec<u8>) -> Vec<u8> {
        let text = match String::from_utf8(value) {
            Ok(text) => text,
            Err(error) => return error.into_bytes(),
        };
        let mut units: Vec<u16> = text.encode_utf16().collect();
        if self.one_in(3) {
            units.insert(0, 0xfeff);
        }
        while self.one_in(8) {
            let place = self.below(units.len() + 1);
            units.insert(place, self.pick(&[0xd83d, 0xde00, 0xdbff, 0xdc00, 0x20ac]));
        }
        let to_bytes = if self.one_in(3) { u16::to_be_bytes } else { u16::to_le_bytes };
        units.into_iter().flat_map(to_bytes).collect()
    }

    fn prefixed(&mut self, value: Vec<u8>) -> Vec<u8> {
        let id = self.pick(&[[0, 0, 0, 1], [0, 1, 0x86, 0xca], [0xff; 4], [0, b'{', 0, b'['], [b'{', 0, 0, 1]]);
        let space: &[u8] = self.pick(&[b"", b"", b" \r\n\t", b"\xef\xbb\xbf"]);
        [&[0][..], &id, space, &value].concat()
    }

    /// Compressed, in up to three members or frames, and now and then with something behind it.
    fn packed(&mut self, value: &[u8]) -> Vec<u8> {
        let choice = self.below(3);
        let pack: fn(&[u8]) -> Vec<u8> = [gzip, zlib, zstandard][choice];
        let mut packed = Vec::new();
        let mut rest = value;
        // Of zlib there is one stream only.
        while self.one_in(3) && (choice != 1 || self.mistake(2)) {
            let (member, behind) = rest.split_at(self.below(rest.len() + 1));
            packed.extend(pack(member));
            rest = behind;
        }
        packed.extend(pack(rest));
        if self.mistake(6) {
            let behind: [&[u8]; 5] = [b"\0", b"\x1f\x8b\x08", b"{}", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\0\0\0\0"];
            packed.extend_from_slice(self.pick(&behind));
        }
        packed
    }

    /// With any padding and any white space.
    pub(super) fn base64(&mut self, text: &str) -> String {
        let mut base64 = BASE64_STANDARD.encode(text);
        while self.one_in(3) && base64.ends_with('=') {
            base64.pop();
        }
        while self.one_in(6) {
            let place = self.below(base64.len() + 1);
            base64.insert_str(place, self.pick(&[" ", "\n", "\r\n", "\t"]));
        }
        if self.mistake(8) {
            base64.push_str(self.pick(&["=", "A", "A=", "*", "\u{a0}", "-", "_", "A==="]));
        }
        self.nudge(&base64, "ABCwxyz0189+/=-_ ")
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a list takes all")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a list takes all")
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("a list takes all")
}
