//! The page codecs against the C libraries, and against hostile bytes.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, as it should"
)]

mod c_libraries;
mod corpus;
mod sizes;

use corpus::Random;
use page_filter::codec::{
    self, DecodeError, DecodeScratch, FastZlib, Lzo1x, PageCodec, Raw, Snappy, Zlib, Zstd,
};
use vmcore_format::kdump::Compression;

const CODECS: [(&str, &dyn PageCodec); 5] =
    [("zlib", &Zlib), ("zlib", &FastZlib), ("lzo", &Lzo1x), ("snappy", &Snappy), ("zstd", &Zstd)];

/// Compresses `page` into as many bytes as there may be, checking that nothing outside them is touched.
fn encode(codec: &dyn PageCodec, page: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut out = vec![0xa5; room + 8];
    let mut scratch = vec![0xdead_beef; codec.encode_scratch_words(page.len())];
    let len = codec.encode(page, &mut out[..room], &mut scratch)?;
    assert_eq!(out[room..], [0xa5; 8]);
    out.truncate(len);
    Some(out)
}

fn decode(
    codec: &dyn PageCodec,
    src: &[u8],
    len: usize,
    scratch: &mut DecodeScratch,
) -> Result<Vec<u8>, DecodeError> {
    let mut page = vec![0xa5; len];
    codec.decode(src, &mut page, scratch).map(|()| page)
}

fn corpus() -> Vec<Vec<u8>> {
    let mut pages = corpus::thresholds();
    pages.extend(corpus::ends());
    pages.extend(corpus::memory(4096, 8));
    for len in [4096, 8192, 16384, 32768, 65536] {
        pages.extend(corpus::pages(len));
    }
    pages
}

#[test]
fn c_libraries_decode_what_we_encode() {
    let pages = corpus();
    for (name, codec) in CODECS {
        let encoded: Vec<_> = pages
            .iter()
            .enumerate()
            .map(|(at, page)| {
                (page.len(), encode(codec, page, 2 * page.len()).unwrap_or_else(|| panic!("{name} {at}")))
            })
            .collect();
        let decoded = c_libraries::decode(name, &encoded);
        for (at, (page, decoded)) in pages.iter().zip(decoded).enumerate() {
            assert!(decoded.as_ref() == Some(page), "{name}: page {at} of {} bytes", page.len());
        }
    }
}

#[test]
fn we_decode_what_c_libraries_encode() {
    let pages: Vec<_> = corpus().into_iter().step_by(3).collect();
    let mut scratch = DecodeScratch::new();
    let mut check = |name: &str, options: &[&str], pages: &[Vec<u8>]| {
        let (_, codec) = CODECS.iter().find(|&&(codec, _)| codec == name).unwrap();
        for (at, (page, encoded)) in pages.iter().zip(c_libraries::encode(name, options, pages)).enumerate() {
            let encoded = encoded.unwrap_or_else(|| panic!("{name} {options:?} refuses page {at}"));
            let decoded = decode(*codec, &encoded, page.len(), &mut scratch);
            assert!(decoded.as_ref() == Ok(page), "{name} {options:?}: page {at}: {:?}", decoded.err());
        }
    };
    let some: Vec<_> = pages.iter().step_by(7).cloned().collect();

    for level in ["0", "1", "6", "9"] {
        check("zlib", &[level, "15", "8", "0"], &pages);
    }
    // Small windows, and the strategies that code literals only, runs only, fixed codes only.
    for options in [["6", "9", "1", "0"], ["6", "15", "8", "2"], ["6", "15", "8", "3"], ["9", "15", "8", "4"]]
    {
        check("zlib", &options, &some);
    }
    for options in [&["lzo1x_1_compress"][..], &["lzo1x_1_15_compress"], &["lzo1x_999_compress_level", "9"]] {
        check("lzo", options, &pages);
    }
    check("lzo", &["lzo1x_1_11_compress"], &some);
    check("lzo", &["lzo1x_999_compress_level", "1"], &some);
    check("snappy", &[], &pages);
    for level in ["100=-5", "100=1", "100=3", "100=6"] {
        check("zstd", &["0", level], &pages);
    }
    for level in ["100=2", "100=9", "100=13", "100=16", "100=19", "100=22"] {
        check("zstd", &["0", level], &some);
    }
    // A checksum (201), no content size (200); several blocks, which take tables over from each other, in a
    // window of 64 KiB (101).
    check("zstd", &["0", "100=3", "201=1", "200=0"], &some);
    for block in ["500", "1500", "3000"] {
        check("zstd", &[block, "100=3", "101=16", "201=1"], &some);
        check("zstd", &[block, "100=19", "101=16"], &some);
    }
}

#[test]
fn what_the_scratch_held_does_not_show() {
    let pages: Vec<_> = corpus().into_iter().step_by(5).collect();
    for (name, codec) in CODECS {
        let mut scratch = vec![0x1234_5678; codec.encode_scratch_words(codec::MAX_PAGE_LEN)];
        let mut out = vec![0; 2 * codec::MAX_PAGE_LEN];
        for (at, page) in pages.iter().enumerate() {
            let len = codec.encode(page, &mut out[..2 * page.len()], &mut scratch).unwrap();
            assert!(Some(&out[..len]) == encode(codec, page, 2 * page.len()).as_deref(), "{name}: page {at}");
        }
    }
}

#[test]
fn a_result_that_does_not_fit_is_none() {
    let mut pages = corpus::pages(4096);
    pages.extend(corpus::thresholds().into_iter().step_by(11));
    let raw: &dyn PageCodec = &Raw;
    for (name, codec) in CODECS.into_iter().chain([("raw", raw)]) {
        for (at, page) in pages.iter().enumerate() {
            let whole = encode(codec, page, 2 * page.len()).unwrap();
            let len = whole.len();
            assert!(encode(codec, page, len - 1).is_none_or(|shorter| shorter.len() < len), "{name} {at}");
            assert_eq!(encode(codec, page, len).as_ref(), Some(&whole), "{name} {at}");
            for room in [0, 1, 2, 5, 9, len / 2] {
                assert!(encode(codec, page, room.min(len - 1)).is_none(), "{name} {at}");
            }
        }
    }
}

#[test]
fn too_little_scratch_and_too_long_pages_are_none() {
    for (_, codec) in CODECS {
        assert!(codec.encode_scratch_words(4096) <= 16384);
        let mut out = [0; 8192];
        let mut scratch = vec![0; codec.encode_scratch_words(4096)];
        assert!(codec.encode(&[0; 4096], &mut out, &mut scratch).is_some());
        let short = scratch.len() - 1;
        assert!(codec.encode(&[0; 4096], &mut out, &mut scratch[..short]).is_none());
        assert!(encode(codec, &vec![0; 65537], 65537).is_none());
    }
}

#[test]
fn any_length_up_to_a_page_round_trips() {
    let mut scratch = DecodeScratch::new();
    let page = corpus::pages(4096).swap_remove(20);
    for len in (1..300).chain([511, 512, 1000, 4095]) {
        for (name, codec) in CODECS {
            let encoded = encode(codec, &page[..len], 2 * len + 64).unwrap();
            assert_eq!(
                decode(codec, &encoded, len, &mut scratch).as_deref(),
                Ok(&page[..len]),
                "{name} {len}"
            );
        }
    }
}

#[test]
fn cut_lengthened_and_misdirected_pages_are_refused() {
    let mut scratch = DecodeScratch::new();
    for (name, codec) in CODECS {
        for page in corpus::pages(4096).into_iter().step_by(5) {
            let mut encoded = encode(codec, &page, 8192).unwrap();
            for cut in 0..encoded.len() {
                assert!(
                    decode(codec, &encoded[..cut], page.len(), &mut scratch).is_err(),
                    "{name} cut at {cut}"
                );
            }
            for len in [0, 1, 4095, 4097, 8192] {
                assert!(decode(codec, &encoded, len, &mut scratch).is_err(), "{name} as {len} bytes");
            }
            encoded.push(0);
            assert!(decode(codec, &encoded, page.len(), &mut scratch).is_err(), "{name} with a byte more");
        }
    }
}

#[test]
fn page_descriptors_name_the_codecs() {
    // The flags of `page_desc` as makedumpfile's IMPLEMENTATION file numbers them.
    for (flags, name) in [(0, "Raw"), (1, "Zlib"), (2, "Lzo1x"), (4, "Snappy"), (0x20, "Zstd")] {
        let compression = Compression::from_flags(flags).unwrap();
        assert_eq!(format!("{:?}", codec::codec(compression)), name);
        let fast = if name == "Zlib" { "FastZlib" } else { name };
        assert_eq!(format!("{:?}", codec::encoder(compression, true)), fast);
    }
}

#[test]
fn raw_pages_have_the_length_of_a_page() {
    let mut scratch = DecodeScratch::new();
    assert_eq!(decode(&Raw, &[1, 2, 3], 3, &mut scratch), Ok(vec![1, 2, 3]));
    assert_eq!(decode(&Raw, &[1, 2, 3], 4, &mut scratch), Err(DecodeError::WrongLength));
    assert_eq!(decode(&Raw, &[1, 2, 3], 2, &mut scratch), Err(DecodeError::WrongLength));
}

/// Valid pages, those of the C libraries in forms that our encoders do not make among them.
fn valid(name: &str, codec: &dyn PageCodec) -> Vec<Vec<u8>> {
    let pages = corpus::pages(4096);
    let by_c = |options: &[&str]| c_libraries::encode(name, options, &pages).into_iter().flatten();
    let mut valid: Vec<_> = pages.iter().map(|page| encode(codec, page, 8192).unwrap()).collect();
    match name {
        "lzo" => valid.extend(by_c(&["lzo1x_999_compress_level", "9"])),
        "zstd" => valid.extend(by_c(&["1500", "100=19", "101=16"])),
        _ => {}
    }
    valid
}

/// One of `valid` with one to four bytes changed, added or left out.
fn damaged(valid: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut damaged = valid[random.below(valid.len())].clone();
    for _ in 0..1 + random.below(4) {
        // Headers and tables stand at the front.
        let reach = if random.below(2) == 0 { damaged.len() } else { damaged.len().min(40) };
        let at = random.below(reach);
        match random.below(4) {
            0 => damaged[at] ^= 1 << random.below(8),
            1 => damaged[at] = random.byte(),
            2 => damaged.insert(at, random.byte()),
            _ if damaged.len() > 1 => drop(damaged.remove(at)),
            _ => {}
        }
    }
    damaged
}

/// `KCAPTURE_MUTATIONS` sets how many damaged pages each codec is given.
fn mutations(usual: usize) -> usize {
    std::env::var("KCAPTURE_MUTATIONS").map_or(usual, |count| count.parse().unwrap())
}

#[test]
fn damaged_pages_end_in_an_error_or_a_page() {
    let mut scratch = DecodeScratch::new();
    for (name, codec) in CODECS {
        let valid = valid(name, codec);
        let mut random = Random::new(1);
        let mut page = [0; 4096];
        for _ in 0..mutations(8_000) {
            let _ = codec.decode(&damaged(&valid, &mut random), &mut page, &mut scratch);
        }
    }
}

#[test]
fn damaged_pages_decode_as_the_c_libraries_decode_them() {
    let mut scratch = DecodeScratch::new();
    for (name, codec) in CODECS {
        let valid = valid(name, codec);
        let mut random = Random::new(2);
        let pages: Vec<_> = (0..mutations(2_000)).map(|_| (4096, damaged(&valid, &mut random))).collect();
        for ((len, src), by_c) in pages.iter().zip(c_libraries::decode(name, &pages)) {
            let by_c = by_c.filter(|page| page.len() == *len);
            let by_us = decode(codec, src, *len, &mut scratch);
            match (by_c, by_us) {
                (None, Err(_)) => {}
                (Some(by_c), Ok(by_us)) => assert!(by_c == by_us, "{name}: differs, {src:x?}"),
                // libzstd forgives streams that end too early or too late; RFC 8878 does not.
                (Some(_), Err(_)) if name == "zstd" => {}
                (Some(_), Err(error)) => panic!("{name}: {error:?}, {src:x?}"),
                (None, Ok(_)) => panic!("{name}: accepted, {src:x?}"),
            }
        }
    }
}
