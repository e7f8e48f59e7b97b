//! A digest of memory.

use sha2::{Digest as _, Sha256};

use super::Span;

/// SHA-256 of start and end of each stretch of memory, as 64-bit little-endian numbers. `spans` are in the order of their starts;
/// those that touch or overlap are one stretch, so it is the same however they are cut.
pub(crate) fn sha256_of(spans: impl Iterator<Item = Span>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut spans = spans.peekable();
    while let Some(mut span) = spans.next() {
        while let Some(next) = spans.next_if(|next| next.start <= span.end) {
            span.end = span.end.max(next.end);
        }
        hash.update(span.start.0.to_le_bytes());
        hash.update(span.end.0.to_le_bytes());
    }
    hash.finalize().into()
}
