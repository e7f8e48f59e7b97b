//! Compressed pages that the library did not write.

use std::io::Write;

/// A zlib stream of `page` (RFC 1950).
#[must_use]
pub fn zlib(page: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(1));
    out.write_all(page).expect("a Vec takes all bytes");
    out.finish().expect("a Vec takes all bytes")
}

/// A snappy raw block of `page`.
#[must_use]
pub fn snappy(page: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(page).expect("a page is small enough")
}

/// The shortest distance at which the page repeats itself to its end, if that is at most half of it.
fn period(page: &[u8]) -> Option<usize> {
    (0..10).map(|shift| 1usize << shift).find(|p| page.len() >= 2 * p && page[*p..] == page[..page.len() - p])
}

/// An LZO1X stream of `page`: a run of literals, one match if the page repeats itself, the end marker.
///
/// The first byte of a stream counts literals directly when it is above 17 (up to 238 of them, at least 4);
/// otherwise a run is length - 3 in four bits, or zero followed by a count in units of 255. A match of up to 16 KiB
/// distance is `001LLLLL`, its length - 2 in five bits or continued likewise, and its distance - 1 shifted left by 2.
#[must_use]
pub fn lzo(page: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(page.len() + 32);
    let long = |out: &mut Vec<u8>, mut rest: usize| {
        while rest > 255 {
            out.push(0);
            rest -= 255;
        }
        out.push(rest as u8);
    };
    let literals = period(page).map_or(page.len(), |p| p.max(8));
    match literals {
        0 => {}
        1..=238 => out.push(17 + literals as u8),
        len => {
            out.push(0);
            long(&mut out, len - 18);
        }
    }
    out.extend_from_slice(&page[..literals]);
    if let Some(period) = period(page).filter(|_| page.len() > literals + 33) {
        out.push(0x20);
        long(&mut out, page.len() - literals - 33);
        out.extend_from_slice(&(((period - 1) << 2) as u16).to_le_bytes());
    }
    out.extend_from_slice(&[0x11, 0, 0]);
    out
}

/// A zstd frame of `page` (RFC 8878): one compressed block of one sequence if the page repeats itself, otherwise raw
/// blocks of up to 1 KiB.
#[must_use]
pub fn zstd(page: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd];
    // Frame_Content_Size in 4 bytes (flag 2), Single_Segment.
    out.push(0b1010_0000);
    out.extend_from_slice(&(page.len() as u32).to_le_bytes());
    let mut block = |last: bool, kind: u32, size: usize, bytes: &[u8]| {
        let header = u32::from(last) | kind << 1 | (size as u32) << 3;
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.extend_from_slice(bytes);
    };
    if page.iter().all(|b| *b == page[0]) && !page.is_empty() {
        block(true, 1, page.len(), &page[..1]);
    } else if let Some(period) = period(page).filter(|_| page.len() > 64) {
        let bytes = zstd_sequence(page, period);
        block(true, 2, bytes.len(), &bytes);
    } else {
        let count = page.len().div_ceil(1024).max(1);
        for i in 0..count {
            let bytes = &page[i * 1024..page.len().min((i + 1) * 1024)];
            block(i + 1 == count, 0, bytes.len(), bytes);
        }
    }
    out
}

/// Literals as they are and one sequence, all three of whose codes come from one-symbol tables.
fn zstd_sequence(page: &[u8], period: usize) -> Vec<u8> {
    // (code, first value, extra bits), RFC 8878 section 3.1.1.3.2.1.1.
    const LITERAL_LENGTHS: [(u8, usize, u32); 9] = [
        (16, 16, 1),
        (20, 24, 2),
        (22, 32, 3),
        (24, 48, 4),
        (25, 64, 6),
        (26, 128, 7),
        (27, 256, 8),
        (28, 512, 9),
        (29, 1024, 10),
    ];
    const MATCH_LENGTHS: [(u8, usize, u32); 6] =
        [(43, 131, 7), (44, 259, 8), (45, 515, 9), (46, 1027, 10), (47, 2051, 11), (50, 16387, 14)];
    // 4099 and 8195 are codes 48 and 49.
    const LONG: [(u8, usize, u32); 3] = [(48, 4099, 12), (49, 8195, 13), (51, 32771, 15)];
    let literals = period.max(16);
    let matched = page.len() - literals;
    let code = |table: &[(u8, usize, u32)], value: usize| {
        let fits = |(_, base, bits): &&(u8, usize, u32)| (*base..*base + (1 << bits)).contains(&value);
        table.iter().find(fits).map(|(code, base, bits)| (*code, (value - base) as u64, *bits))
    };
    let ll = code(&LITERAL_LENGTHS, literals).expect("a period is a power of two from 16 on");
    let ml =
        code(&MATCH_LENGTHS, matched).or_else(|| code(&LONG, matched)).expect("a page is at most 64 KiB");
    let offset = (period + 3) as u64;
    let of_bits = offset.ilog2();

    // Raw_Literals_Block, size in 12 bits; one sequence; three RLE tables.
    let mut out = ((literals as u16) << 4 | 0b0100).to_le_bytes().to_vec();
    out.extend_from_slice(&page[..literals]);
    out.extend_from_slice(&[1, 0b0101_0100, ll.0, of_bits as u8, ml.0]);
    // Read backwards: offset, match length, literal length; a one ends the stream.
    let (mut bits, mut len) = (0u64, 0);
    for (value, width) in [(ll.1, ll.2), (ml.1, ml.2), (offset - (1 << of_bits), of_bits), (1, 1)] {
        bits |= value << len;
        len += width;
    }
    out.extend_from_slice(&bits.to_le_bytes()[..len.div_ceil(8) as usize]);
    out
}
