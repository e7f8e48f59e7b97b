//! Pages stored as they are.

use super::{DecodeError, DecodeScratch, PageCodec};

/// No compression. Needs no scratch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Raw;

impl PageCodec for Raw {
    fn encode_scratch_words(&self, _page_len: usize) -> usize {
        0
    }

    fn encode(&self, page: &[u8], out: &mut [u8], _scratch: &mut [u32]) -> Option<usize> {
        out.get_mut(..page.len())?.copy_from_slice(page);
        Some(page.len())
    }

    fn decode(&self, src: &[u8], page: &mut [u8], _scratch: &mut DecodeScratch) -> Result<(), DecodeError> {
        if src.len() != page.len() {
            return Err(DecodeError::WrongLength);
        }
        page.copy_from_slice(src);
        Ok(())
    }
}
