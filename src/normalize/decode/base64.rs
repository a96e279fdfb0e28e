//! Base64 as RFC 4648 has it in section 4, with white space in it and with as much of its padding as there is.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bits that count for nothing must be zero; the padding is judged here, where a part of it may be missing.
const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Replaces the Base64 text in `text` by what it stands for; `None` when it is none.
pub(in crate::normalize) fn decode(text: &mut Vec<u8>) -> Option<()> {
    text.retain(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    let digits = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let belongs = match digits % 4 {
        2 => 2,
        3 => 1,
        _ => 0,
    };
    if text.len() - digits > belongs {
        return None;
    }
    text.truncate(digits);
    let decoded = UNPADDED.decode(&*text).ok()?;
    *text = decoded;
    Some(())
}
