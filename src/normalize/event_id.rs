//! An event's id: the same for the same trace in the same state, whatever shape or fetch it came in; as a document id, or as
//! a record's key, it makes repeats harmless.

use sha2::{Digest, Sha256};

use super::json::Text;
use super::trace::Trace;

/// 32 hex digits.
pub type EventId = [u8; 32];

pub(super) fn event_id(trace: &Trace<'_>) -> EventId {
    let lower = |part: Option<Text<'_>>| part.map(Text::decoded).unwrap_or_default().to_ascii_lowercase();
    let digest = Sha256::new()
        .chain_update(trace.id.decoded())
        .chain_update([0])
        .chain_update(lower(trace.recipient))
        .chain_update([0])
        .chain_update(lower(trace.status))
        .chain_update([0])
        .finalize();
    let mut hex = [0; 32];
    for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
    hex
}
