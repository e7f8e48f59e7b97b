//! The blocks of deflate, decoded: RFC 1951, 3.2.3. What zlib refuses is refused.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "code lengths are masked by 15, cells and symbols by the lengths of their tables; bits at hand are at most \
              63 and those taken at most 15, or 13, at a time"
)]

use super::symbols::{DISTANCES, LITERALS};
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// What a code word stands for. The lowest byte is its length in bits and what kind it is, the next the number of
/// extra bits; the high half is the byte, the shortest length, the shortest distance, or the symbol.
type Cell = u32;

/// Kinds in the lowest byte.
const LITERAL: Cell = 0x80;
const END: Cell = 0x40;
const UNUSED: Cell = 0x20;
const LENGTH: Cell = 0x0f;

/// Symbols of code lengths.
const KINDS: usize = 19;

/// The order in which their own lengths are stored.
const ORDER: [u8; KINDS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The cells of literals and lengths without the lengths of their words.
static LITERAL_CELLS: [Cell; 512] = {
    let mut cells = [UNUSED; 512];
    let mut symbol = 0;
    while symbol < 256 {
        cells[symbol] = (symbol as Cell) << 16 | LITERAL;
        symbol += 1;
    }
    cells[256] = END;
    let (mut length, mut symbol) = (3, 257);
    while symbol < 285 {
        let extra = if symbol < 265 { 0 } else { (symbol as Cell - 261) / 4 };
        cells[symbol] = length << 16 | extra << 8;
        length += 1 << extra;
        symbol += 1;
    }
    cells[285] = 258 << 16;
    cells
};

/// Those of distances.
static DISTANCE_CELLS: [Cell; DISTANCES] = {
    let mut cells = [UNUSED; DISTANCES];
    let (mut distance, mut symbol) = (1, 0);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { (symbol as Cell - 2) / 2 };
        cells[symbol] = distance << 16 | extra << 8;
        distance += 1 << extra;
        symbol += 1;
    }
    cells
};

/// Those of code lengths.
static KIND_CELLS: [Cell; 32] = {
    let mut cells = [UNUSED; 32];
    let mut symbol = 0;
    while symbol < KINDS {
        cells[symbol] = (symbol as Cell) << 16;
        symbol += 1;
    }
    cells
};

/// A code: a cell for every value of the next bits, and what the words that are longer need. `CELLS` and `SYMBOLS` are powers
/// of two.
#[derive(Debug)]
struct Code<const CELLS: usize, const SYMBOLS: usize> {
    /// 0 where the word is longer.
    cells: [Cell; CELLS],
    /// How many words there are of each length.
    counts: [u16; 16],
    /// The symbols in the order of their words.
    sorted: [u16; SYMBOLS],
}

impl<const CELLS: usize, const SYMBOLS: usize> Code<CELLS, SYMBOLS> {
    const fn new() -> Self {
        Self { cells: [0; CELLS], counts: [0; 16], sorted: [0; SYMBOLS] }
    }

    /// Makes this the code whose words have these lengths; says whether there is one. It is complete, or, where
    /// `single` says so, has one word of one bit, or none.
    const fn build(&mut self, lengths: &[u8], cells: &[Cell], single: bool) -> bool {
        self.cells = [0; CELLS];
        self.counts = [0; 16];
        let mut symbol = 0;
        while symbol < lengths.len() {
            self.counts[lengths[symbol] as usize & 15] += 1;
            symbol += 1;
        }
        self.counts[0] = 0;
        // The first word of each length, and where its symbol is in their order.
        let (mut words, mut places) = ([0u32; 16], [0u16; 16]);
        let (mut left, mut longest, mut length) = (1i32, 0, 1);
        while length < 16 {
            words[length] = (words[length - 1] + self.counts[length - 1] as u32) << 1;
            places[length] = places[length - 1] + self.counts[length - 1];
            left = (left << 1) - self.counts[length] as i32;
            if left < 0 {
                return false;
            }
            if self.counts[length] > 0 {
                longest = length;
            }
            length += 1;
        }
        if left > 0 && !(single && longest < 2) {
            return false;
        }
        let mut symbol = 0;
        while symbol < lengths.len() {
            let length = lengths[symbol] as usize & 15;
            if length > 0 {
                self.sorted[places[length] as usize & (SYMBOLS - 1)] = symbol as u16;
                places[length] += 1;
                let word = words[length].reverse_bits() >> (32 - length);
                words[length] += 1;
                if 1 << length <= CELLS && symbol < cells.len() {
                    let mut at = word as usize;
                    while at < CELLS {
                        self.cells[at] = cells[symbol] | length as Cell;
                        at += 1 << length;
                    }
                }
            }
            symbol += 1;
        }
        true
    }

    /// What the next bits stand for; an unused cell where they are no word.
    #[inline(always)]
    fn cell(&self, bits: u64, cells: &[Cell]) -> Cell {
        match self.cells[bits as usize & (CELLS - 1)] {
            0 => self.long_cell(bits, cells),
            cell => cell,
        }
    }

    /// The same, bit by bit.
    #[cold]
    #[inline(never)]
    fn long_cell(&self, mut bits: u64, cells: &[Cell]) -> Cell {
        let (mut word, mut first, mut place) = (0u32, 0u32, 0u32);
        for (count, length) in self.counts.iter().zip(0..).skip(1) {
            word = word << 1 | (bits & 1) as u32;
            bits >>= 1;
            let count = u32::from(*count);
            first <<= 1;
            if word.wrapping_sub(first) < count {
                let symbol = self.sorted[(place + word - first) as usize & (SYMBOLS - 1)];
                return cells.get(usize::from(symbol)).map_or(UNUSED, |cell| cell | length);
            }
            first += count;
            place += count;
        }
        UNUSED
    }
}

/// The codes of a block.
#[derive(Debug)]
pub(in crate::codec) struct Codes {
    literals: Code<1024, 512>,
    distances: Code<512, 32>,
}

impl Codes {
    const fn new() -> Self {
        Self { literals: Code::new(), distances: Code::new() }
    }
}

impl Default for Codes {
    fn default() -> Self {
        Self::new()
    }
}

/// The codes that are not sent: RFC 1951, 3.2.6.
static FIXED: Codes = {
    let mut codes = Codes::new();
    let mut lengths = [8; LITERALS];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    assert!(codes.literals.build(&lengths, &LITERAL_CELLS, false));
    assert!(codes.distances.build(&[5; DISTANCES], &DISTANCE_CELLS, false));
    codes
};

/// Bits of a stream, from the lowest of each byte up.
struct Bits<'a> {
    src: &'a [u8],
    /// The byte after those in `word`.
    at: usize,
    /// Bits at hand, and above them what follows or zeros.
    word: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Makes at least 56 bits ready, or all that are left.
    #[inline(always)]
    fn refill(&mut self) {
        if let Some(bytes) = self.src.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            self.word |= u64::from_le_bytes(*bytes) << (self.count & 63);
            self.at += ((63 - self.count) >> 3) as usize;
            self.count |= 56;
            return;
        }
        while self.count < 56
            && let Some(&byte) = self.src.get(self.at)
        {
            self.word |= u64::from(byte) << (self.count & 63);
            self.at += 1;
            self.count += 8;
        }
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) -> Result<(), DecodeError> {
        self.count = self.count.checked_sub(count).ok_or(DecodeError::Truncated)?;
        self.word >>= count & 63;
        Ok(())
    }

    /// The next `count` bits, at most 16, which a refill made ready.
    #[inline(always)]
    fn take(&mut self, count: u32) -> Result<u32, DecodeError> {
        let value = self.word as u32 & ((1 << (count & 31)) - 1);
        self.skip(count)?;
        Ok(value)
    }

    /// The bits of the word of `cell`, which must be one.
    #[inline(always)]
    fn skip_word(&mut self, cell: Cell) -> Result<(), DecodeError> {
        if cell & UNUSED != 0 {
            // What is missing may have been the rest of a word.
            return Err(if self.count < 15 { DecodeError::Truncated } else { DecodeError::Corrupt });
        }
        self.skip(cell & LENGTH)
    }

    /// The bytes from the next whole one on.
    fn rest(&self) -> &'a [u8] {
        self.src.get(self.at.saturating_sub((self.count / 8) as usize)..).unwrap_or_default()
    }
}

/// Decodes blocks up to the last one; returns what follows them.
pub(super) fn blocks<'a>(
    src: &'a [u8],
    page: &mut Output<'_>,
    codes: &mut Codes,
) -> Result<&'a [u8], DecodeError> {
    let mut bits = Bits { src, at: 0, word: 0, count: 0 };
    loop {
        bits.refill();
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits = stored(&bits, page)?,
            1 => coded(&mut bits, page, &FIXED)?,
            2 => {
                read_codes(&mut bits, codes)?;
                coded(&mut bits, page, codes)?;
            }
            _ => return Err(DecodeError::Corrupt),
        }
        if last {
            return Ok(bits.rest());
        }
    }
}

/// Bytes as they are: their number twice, then they.
fn stored<'a>(bits: &Bits<'a>, page: &mut Output<'_>) -> Result<Bits<'a>, DecodeError> {
    let mut src = Input::new(bits.rest());
    let [len, complement] = [src.array()?, src.array()?].map(u16::from_le_bytes);
    if len != !complement {
        return Err(DecodeError::Corrupt);
    }
    page.take_from(&mut src, usize::from(len))?;
    Ok(Bits { src: src.rest(), at: 0, word: 0, count: 0 })
}

/// Reads the codes of a block: RFC 1951, 3.2.7.
fn read_codes(bits: &mut Bits<'_>, codes: &mut Codes) -> Result<(), DecodeError> {
    bits.refill();
    let literals = bits.take(5)? as usize + 257;
    let distances = bits.take(5)? as usize + 1;
    let stored = bits.take(4)? as usize + 4;
    if literals > 286 || distances > 30 {
        return Err(DecodeError::Corrupt);
    }
    let mut kinds = [0u8; 32];
    for &kind in ORDER.iter().take(stored) {
        bits.refill();
        kinds[usize::from(kind & 31)] = bits.take(3)? as u8;
    }
    let mut code = Code::<128, 32>::new();
    if !code.build(&kinds, &KIND_CELLS, false) {
        return Err(DecodeError::Corrupt);
    }
    let mut lengths = [0u8; 512];
    let count = literals + distances;
    let (mut at, mut before) = (0, None);
    while at < count {
        bits.refill();
        let cell = code.cell(bits.word, &KIND_CELLS);
        bits.skip_word(cell)?;
        let (length, run) = match cell >> 16 {
            16 => (before.ok_or(DecodeError::Corrupt)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length as u8, 1),
        };
        before = Some(length);
        let end = at + run as usize;
        if end > count {
            return Err(DecodeError::Corrupt);
        }
        lengths.get_mut(at..end).unwrap_or_default().fill(length);
        at = end;
    }
    let of_literals = lengths.get(..literals).unwrap_or_default();
    let of_distances = lengths.get(literals..count).unwrap_or_default();
    // A block without an end has none.
    if lengths[256] == 0
        || !codes.literals.build(of_literals, &LITERAL_CELLS, true)
        || !codes.distances.build(of_distances, &DISTANCE_CELLS, true)
    {
        return Err(DecodeError::Corrupt);
    }
    Ok(())
}

/// Decodes what is left of a block in these codes.
fn coded(bits: &mut Bits<'_>, page: &mut Output<'_>, codes: &Codes) -> Result<(), DecodeError> {
    loop {
        // A length and a distance take at most 48 bits, a literal 15.
        bits.refill();
        let mut cell = codes.literals.cell(bits.word, &LITERAL_CELLS);
        if cell & LITERAL != 0 {
            literal(cell, bits, page)?;
            cell = codes.literals.cell(bits.word, &LITERAL_CELLS);
            if cell & LITERAL != 0 {
                literal(cell, bits, page)?;
                cell = codes.literals.cell(bits.word, &LITERAL_CELLS);
                if cell & LITERAL != 0 {
                    literal(cell, bits, page)?;
                    continue;
                }
            }
            bits.refill();
        }
        bits.skip_word(cell)?;
        if cell & END != 0 {
            return Ok(());
        }
        let length = (cell >> 16) + bits.take(cell >> 8 & 0xff)?;
        let cell = codes.distances.cell(bits.word, &DISTANCE_CELLS);
        bits.skip_word(cell)?;
        let distance = (cell >> 16) + bits.take(cell >> 8 & 0xff)?;
        page.repeat(distance, length)?;
    }
}

#[inline(always)]
fn literal(cell: Cell, bits: &mut Bits<'_>, page: &mut Output<'_>) -> Result<(), DecodeError> {
    bits.skip(cell & LENGTH)?;
    page.push((cell >> 16) as u8).ok_or(DecodeError::WrongLength)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn decoded(src: &[u8], len: usize) -> Result<vec::Vec<u8>, DecodeError> {
        let mut page = vec![0; len];
        let mut out = Output::new(&mut page);
        let rest = blocks(src, &mut out, &mut Codes::default())?;
        out.complete()?;
        assert!(rest.is_empty());
        Ok(page)
    }

    // Streams that were put together bit by bit, and what zlib 1.2.13 says of each.

    #[test]
    fn what_zlib_decodes_is_decoded() {
        let sound: &[(&str, &[u8])] = &[
            // Sound.
            (
                "aa",
                b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\x20\x10",
            ),
            // Match.
            (
                "aaaaaa",
                b"\x15\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfd\xff\x4f\x10\x11\x02\x11",
            ),
            // No distances at all, none used.
            (
                "a",
                b"\x15\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfd\xff\x4f\x10\x11\x20",
            ),
            // Single literal.
            ("", b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\xfe\xff\x5f\x23\x00"),
            // 286 literals.
            (
                "",
                b"\xed\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\xe0\x9f\x04",
            ),
            // 30 distances.
            (
                "",
                b"\x05\xfd\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\x20\x7e\x49",
            ),
            // Long words.
            (
                "abklmno",
                b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\x12\x8b\x9a\x47\x56\xcf\xda\xe7\xff\xdf\x0e\xe8\x7f\xff\xf7\xff\xfe\xbf\xff\xdf\xff\x1f",
            ),
            // Stored.
            ("ab", b"\x01\x02\x00\xfd\xff\x61\x62"),
            // Two blocks.
            ("ab", b"\x4a\x04\x04\x01\x00\xfe\xff\x62"),
        ];
        for &(text, src) in sound {
            assert_eq!(decoded(src, text.len()).as_deref(), Ok(text.as_bytes()));
            assert_eq!(decoded(src, text.len() + 1), Err(DecodeError::WrongLength));
            for cut in 0..src.len() {
                assert_eq!(decoded(&src[..cut], text.len()), Err(DecodeError::Truncated), "{text} {cut}");
            }
            for len in 0..text.len() {
                assert_eq!(decoded(src, len), Err(DecodeError::WrongLength), "{text} {len}");
            }
        }
    }

    #[test]
    fn what_zlib_refuses_is_refused() {
        let refused: &[(&str, &[u8])] = &[
            (
                "invalid distance code",
                b"\x15\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfd\xff\x4f\x10\x11\x52\x01",
            ),
            (
                "invalid distance code",
                b"\x15\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfd\xff\x4f\x10\x11\x10\x01",
            ),
            (
                "invalid distance too far back",
                b"\x15\xe1\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfd\xff\x4f\x10\x11\x20\x11",
            ),
            (
                "invalid literal/lengths set",
                b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xe2\xff\x7f\x04\x02",
            ),
            (
                "invalid literal/lengths set",
                b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfd\xff\x4f\x10\x08",
            ),
            ("invalid distances set", b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\x20\x05"),
            (
                "invalid code -- missing end-of-block",
                b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xe2\xff\x7f\x05",
            ),
            ("invalid code lengths set", b"\x05\xe0\x5b\x93\x24\x49\x92\x2c\xcb\x7e\x56\xfc\xfe\x5f\x02\x21"),
            ("invalid bit length repeat", b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x5e\x02"),
            (
                "invalid bit length repeat",
                b"\x05\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\xe0\x07\x04",
            ),
            (
                "too many length or distance symbols",
                b"\xf5\xe0\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\xe0\xa7\x04",
            ),
            (
                "too many length or distance symbols",
                b"\x05\xfe\xdb\x92\x24\x49\x92\x2c\xcb\x7e\x2b\xfe\xff\x4f\xe0\xa7\x04",
            ),
            ("invalid literal/length code", b"\x1b\x03\x00\x00"),
            ("invalid distance code", b"\x4b\x04\x3e\x00\x00"),
            ("invalid block type", b"\x07\x00\x00"),
            ("invalid stored block lengths", b"\x01\x02\x00\xfc\xff\x61\x62"),
        ];
        for &(message, src) in refused {
            // Zeros behind it, so that no bits are missing.
            let longer = [src, &[0; 8]].concat();
            let mut page = [0; 16];
            let decoded = blocks(&longer, &mut Output::new(&mut page), &mut Codes::default());
            assert_eq!(decoded, Err(DecodeError::Corrupt), "{message}");
        }
    }
}
