//! Pages that other encoders packed, and our own.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::status::{
    KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_ERR_PAGE_LENGTH,
    KCAP_OK,
};
use crate::testing::{Memory, Room};

/// The length of a page: Miri takes seconds for 4 KiB.
const LEN: usize = if cfg!(miri) { 512 } else { 4096 };

fn page() -> Vec<u8> {
    (0..LEN as u32).map(|i| (i / 24 * i / 100) as u8).collect()
}

/// An encoder that is not ours.
type Encoder = fn(&[u8]) -> Vec<u8>;

#[test]
fn pages_are_packed_and_unpacked() {
    let page = page();
    let codecs: [(kcap_compression, Encoder); 4] = [
        (KCAP_COMPRESSION_ZLIB, testkit::zlib),
        (KCAP_COMPRESSION_LZO, testkit::lzo),
        (KCAP_COMPRESSION_SNAPPY, testkit::snappy),
        (KCAP_COMPRESSION_ZSTD, testkit::zstd),
    ];
    let mut decoder = Room::<kcap_page_decoder>::new();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let len = Room::<kcap_page_decoder>::LEN;
        assert_eq!(kcap_page_decoder_init(decoder.at(), 0, null_mut()), KCAP_ERR_BUFFER_TOO_SMALL);
        assert_eq!(kcap_page_decoder_init(null_mut(), len, null_mut()), KCAP_ERR_NULL);
        assert!(decoder.untouched());
        assert_eq!(kcap_page_decoder_init(decoder.at(), len, null_mut()), KCAP_OK);
        for (number, oracle) in codecs {
            let needed = kcap_page_encode_scratch(number, LEN);
            let (mut scratch, mut out) = (Memory::new(needed), [0; LEN]);
            let mut packed = 77;
            let mut encode = |page: *const u8, room, scratch_len, packed| {
                let scratch = scratch.at();
                let out = out.as_mut_ptr();
                kcap_page_encode(number, page, LEN, out, room, scratch, scratch_len, packed, null_mut())
            };
            let bytes = page.as_ptr();
            assert_eq!(encode(null(), LEN, needed, &raw mut packed), KCAP_ERR_NULL);
            assert_eq!(encode(bytes, LEN, needed, null_mut()), KCAP_ERR_NULL);
            assert_eq!(encode(bytes, usize::MAX, needed, &raw mut packed), KCAP_ERR_LENGTH);
            assert_eq!(encode(bytes, LEN, needed - 4, &raw mut packed), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(packed, 77);
            assert_eq!(encode(bytes, 10, needed, &raw mut packed), KCAP_OK);
            assert_eq!(packed, 0);
            assert_eq!(encode(bytes, LEN, needed, &raw mut packed), KCAP_OK);
            assert!(packed > 0 && packed < LEN, "{number}");
            for packed in [&out[..packed], &oracle(&page)] {
                let mut back = [0; LEN];
                let mut decode = |len| {
                    let (bytes, size) = (packed.as_ptr(), packed.len());
                    kcap_page_decode(decoder.at(), number, bytes, size, back.as_mut_ptr(), len, null_mut())
                };
                assert_eq!(decode(usize::MAX), KCAP_ERR_LENGTH);
                assert_ne!(decode(LEN - 1), KCAP_OK);
                assert_eq!(decode(LEN), KCAP_OK);
                assert!(back[..] == page);
            }
        }
        let decode = |decoder, number, packed, len| {
            kcap_page_decode(decoder, number, packed, len, null_mut(), 0, null_mut())
        };
        assert_eq!(decode(null_mut(), 0, null(), 0), KCAP_ERR_NULL);
        assert_eq!(decode(decoder.at(), 3, null(), 0), KCAP_ERR_INVALID);
        assert_eq!(decode(decoder.at(), 0, null(), 1), KCAP_ERR_NULL);
        assert_eq!(decode(decoder.at(), 0, page.as_ptr(), 1), KCAP_ERR_PAGE_LENGTH);
    }
}
