//! Huffman codes of literals, decoded: RFC 8878, 4.2.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "weights are checked to be at most MAX_BITS before a table is made; the cells they take sum \
              to the table's length; an index of cells is read with at most MAX_BITS bits"
)]

use core::mem;

use zerocopy::IntoBytes;

use super::bit_reader::BackwardBits;
use super::distribution::Distribution;
use super::fse_decode::DecodeTable;
use super::word_reader::{Cell, MAX_BITS, TURN, WordReader};
use crate::codec::DecodeError;
use crate::codec::cursor::Input;

/// The greatest accuracy of the code of weights.
const MAX_WEIGHTS_LOG: u32 = 6;

/// A table to decode with.
#[derive(Debug)]
pub(super) struct HuffmanTable {
    cells: [Cell; 1 << MAX_BITS],
    /// Whether there is a table at all.
    pub(super) known: bool,
    weights_table: DecodeTable<64>,
}

impl Default for HuffmanTable {
    fn default() -> Self {
        let cells = [0; 1 << MAX_BITS];
        Self { cells, known: false, weights_table: DecodeTable::default() }
    }
}

impl HuffmanTable {
    /// Reads a description of a tree and makes its table.
    pub(super) fn read(&mut self, src: &mut Input<'_>) -> Result<(), DecodeError> {
        let mut weights = [0u8; 256];
        let header = src.byte()?;
        let count = match header.checked_sub(127) {
            Some(count @ 1..) => {
                let count = usize::from(count);
                let pairs = src.take(count.div_ceil(2))?;
                for (pair, &byte) in weights.chunks_mut(2).zip(pairs) {
                    pair.copy_from_slice(&[byte >> 4, byte & 15]);
                }
                // An odd number leaves half a byte that says nothing.
                weights[count & 255] = 0;
                count
            }
            _ => self.read_weights(src.take(usize::from(header))?, &mut weights)?,
        };
        self.build(&mut weights, count)
    }

    /// Reads weights that are coded themselves; returns how many there are, at most 255.
    fn read_weights(&mut self, src: &[u8], weights: &mut [u8; 256]) -> Result<usize, DecodeError> {
        let (distribution, taken) = Distribution::read(src, MAX_BITS as usize + 1, MAX_WEIGHTS_LOG)?;
        self.weights_table.build(&distribution, &[]);
        let table = &self.weights_table;
        let mut bits = BackwardBits::new(src, taken)?;
        // Two states take turns until bits are missing for the next state of one; then the other has the last
        // weight.
        let mut state = table.start(&mut bits);
        let mut other = table.start(&mut bits);
        let mut count = 0;
        // Eight states take at most 48 bits.
        while let (48.., Some(eight)) = (bits.left(), weights.get_mut(count..count + 8)) {
            bits.refill();
            for pair in eight.as_chunks_mut::<2>().0 {
                let cells = [table.cell(state), table.cell(other)];
                *pair = cells.map(|cell| cell.least as u8);
                state = cells[0].next(&mut bits);
                other = cells[1].next(&mut bits);
            }
            count += 8;
        }
        bits.refill();
        while bits.left() >= 0 && count < 254 {
            let cell = table.cell(state);
            weights[count & 255] = cell.least as u8;
            (state, other) = (other, cell.next(&mut bits));
            count += 1;
        }
        if count == 0 {
            return Err(DecodeError::Truncated);
        }
        if bits.left() >= 0 {
            return Err(DecodeError::Corrupt);
        }
        weights[count & 255] = table.cell(state).least as u8;
        Ok(count + 1)
    }

    /// Makes the table of `count` weights, at most 255, and of the last one, which they imply. Behind them are zeros.
    fn build(&mut self, weights: &mut [u8; 256], count: usize) -> Result<(), DecodeError> {
        let mut counts = count_weights(weights);
        let mut sum = 0;
        for weight in 1..16 {
            sum += counts.iter().map(|counts| usize::from(counts[weight])).sum::<usize>() << (weight - 1);
        }
        let too_heavy =
            counts.iter().any(|counts| counts[MAX_BITS as usize + 1..].iter().any(|&count| count > 0));
        let log = sum.checked_ilog2().filter(|_| !too_heavy).ok_or(DecodeError::Corrupt)? + 1;
        let missing = (1 << log) - sum;
        if log > MAX_BITS || !missing.is_power_of_two() {
            return Err(DecodeError::Corrupt);
        }
        let last = (missing | 1).ilog2() as u8 + 1;
        weights[count & 255] = last;
        let last_counts = &mut counts[(count & 255) / QUARTER];
        last_counts[0] -= 1;
        last_counts[usize::from(last & 15)] += 1;
        // The longest words have weight 1.
        if counts.iter().all(|counts| counts[1] == 0) {
            return Err(DecodeError::Corrupt);
        }
        self.fill(weights, &counts, log)
    }

    /// Fills the cells: the symbols of the least weight, that is of the longest words, come first.
    fn fill(&mut self, weights: &[u8; 256], counts: &Counts, log: u32) -> Result<(), DecodeError> {
        let mut next = Counts::default();
        let mut at = 0u8;
        let mut totals = [0; 16];
        for weight in 0..16 {
            for (next, counts) in next.iter_mut().zip(counts) {
                next[weight] = at;
                at = at.wrapping_add(counts[weight]);
                totals[weight] += usize::from(counts[weight]);
            }
        }
        let mut order = [0u8; 256];
        for_each_weight(weights, &mut next, |symbol, place| {
            order[usize::from(*place)] = symbol;
            *place = place.wrapping_add(1);
        });
        let mut symbols = order.get(totals[0]..).ok_or(DecodeError::Corrupt)?;
        let mut cells = &mut self.cells[..];
        for (weight, &count) in (1..=MAX_BITS).zip(&totals[1..]) {
            let each = 1usize << (weight - 1 + MAX_BITS - log);
            let (now, later) = symbols.split_at_checked(count).ok_or(DecodeError::Corrupt)?;
            let split = mem::take(&mut cells).split_at_mut_checked(count * each);
            let (room, rest) = split.ok_or(DecodeError::Corrupt)?;
            let bits = (log + 1 - weight.min(log + 1)) as Cell;
            // Few cells are filled faster if their number is fixed.
            match each {
                1 => fill_each::<1>(room, now, bits),
                2 => fill_each::<2>(room, now, bits),
                4 => fill_each::<4>(room, now, bits),
                8 => fill_each::<8>(room, now, bits),
                16 => fill_each::<16>(room, now, bits),
                _ => room
                    .chunks_exact_mut(each)
                    .zip(now)
                    .for_each(|(cells, &symbol)| fill_cells(cells, symbol, bits)),
            }
            (symbols, cells) = (later, rest);
        }
        self.known = true;
        Ok(())
    }

    /// Decodes one stream to the whole of `out`.
    pub(super) fn decode(&self, mut words: WordReader<'_>, out: &mut [u8]) -> Result<(), DecodeError> {
        let mut done = 0;
        for turn in out.as_chunks_mut::<TURN>().0 {
            if words.is_short() {
                break;
            }
            self.turn(&mut words, turn);
            done += TURN;
        }
        self.decode_rest(words, out.get_mut(done..).unwrap_or_default())
    }

    /// Decodes four streams, each to the whole of its `out`, in turns: none has to wait for its own last symbol.
    pub(super) fn decode_four(
        &self,
        mut words: [WordReader<'_>; 4],
        outs: [&mut [u8]; 4],
    ) -> Result<(), DecodeError> {
        let [out_a, out_b, out_c, out_d] = outs;
        let turns_ab = out_a.as_chunks_mut::<TURN>().0.iter_mut().zip(out_b.as_chunks_mut::<TURN>().0);
        let turns_cd = out_c.as_chunks_mut::<TURN>().0.iter_mut().zip(out_d.as_chunks_mut::<TURN>().0);
        let mut done = 0;
        for ((turn_a, turn_b), (turn_c, turn_d)) in turns_ab.zip(turns_cd) {
            let [a, b, c, d] = &mut words;
            if a.is_short() || b.is_short() || c.is_short() || d.is_short() {
                break;
            }
            self.turn(a, turn_a);
            self.turn(b, turn_b);
            self.turn(c, turn_c);
            self.turn(d, turn_d);
            done += TURN;
        }
        for (words, out) in words.into_iter().zip([out_a, out_b, out_c, out_d]) {
            self.decode_rest(words, out.get_mut(done..).unwrap_or_default())?;
        }
        Ok(())
    }

    #[inline(always)]
    fn turn(&self, words: &mut WordReader<'_>, out: &mut [u8; TURN]) {
        words.refill();
        for symbol in out {
            *symbol = words.symbol(&self.cells);
        }
    }

    /// Decodes the rest of a stream to the whole of `out`.
    fn decode_rest(&self, mut words: WordReader<'_>, out: &mut [u8]) -> Result<(), DecodeError> {
        if words.is_short() || out.len() > TURN {
            return self.decode_slowly(words.rest(), out);
        }
        words.refill();
        for symbol in out {
            *symbol = words.symbol(&self.cells);
        }
        words.rest().finish()
    }

    #[cold]
    fn decode_slowly(&self, mut bits: BackwardBits<'_>, out: &mut [u8]) -> Result<(), DecodeError> {
        for turn in out.chunks_mut(TURN) {
            bits.refill();
            for symbol in turn {
                let cell = self.cells[bits.peek(MAX_BITS as u8) as usize];
                bits.read(cell as u8);
                *symbol = (cell >> 8) as u8;
            }
        }
        bits.finish()
    }
}

/// Something for each weight in each quarter of the symbols: neighbours often have the same weight, and if they shared a number,
/// one would wait for the other.
type Counts = [[u8; 16]; 4];

/// How many symbols a quarter has.
const QUARTER: usize = 64;

/// How many symbols have each weight.
fn count_weights(weights: &[u8; 256]) -> Counts {
    let mut counts = Counts::default();
    for_each_weight(weights, &mut counts, |_, count| *count += 1);
    counts
}

/// Calls `with` for each symbol, with the number of its weight in the symbol's quarter, those of a quarter in order.
#[inline(always)]
fn for_each_weight(weights: &[u8; 256], numbers: &mut Counts, mut with: impl FnMut(u8, &mut u8)) {
    for symbol in 0..QUARTER {
        for (quarter, numbers) in numbers.iter_mut().enumerate() {
            let symbol = quarter * QUARTER + symbol;
            with(symbol as u8, &mut numbers[usize::from(weights[symbol] & 15)]);
        }
    }
}

/// Fills `EACH` cells for each symbol, whose words have `bits`.
#[inline(always)]
fn fill_each<const EACH: usize>(cells: &mut [Cell], symbols: &[u8], bits: Cell) {
    let (cells, _) = cells.as_chunks_mut::<EACH>();
    cells.iter_mut().zip(symbols).for_each(|(cells, &symbol)| fill_cells(cells, symbol, bits));
}

/// Fills cells, four at once where there are as many.
#[inline(always)]
fn fill_cells(cells: &mut [Cell], symbol: u8, bits: Cell) {
    let cell = bits | Cell::from(symbol) << 8;
    if cells.len() < 4 {
        return cells.fill(cell);
    }
    let four = u64::from(cell) * 0x0001_0001_0001_0001;
    for cells in cells.as_mut_bytes().as_chunks_mut::<8>().0 {
        *cells = four.to_ne_bytes();
    }
}
