//! Huffman codes of literals, decoded: RFC 8878, 4.2.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "weights are checked to be at most MAX_BITS before a table is made; the cells they take sum \
              to the table's length; an index of cells is read with at most MAX_BITS bits"
)]

use core::mem;

use super::bit_reader::BackwardBits;
use super::distribution::Distribution;
use super::fse_decode::DecodeTable;
use crate::codec::DecodeError;
use crate::codec::cursor::Input;

/// The longest code word, in bits.
const MAX_BITS: u32 = 11;

/// How many symbols are decoded between refills: their words take at most 55 bits.
const TURN: usize = 5;

/// The greatest accuracy of the code of weights.
const MAX_WEIGHTS_LOG: u32 = 6;

/// A symbol, and above it the length of its word in bits.
type Cell = u16;

/// A table to decode with.
#[derive(Debug)]
pub(super) struct HuffmanTable {
    cells: [Cell; 1 << MAX_BITS],
    log: u32,
    /// Whether there is a table at all.
    pub(super) known: bool,
    weights_table: DecodeTable<64>,
}

impl Default for HuffmanTable {
    fn default() -> Self {
        let cells = [0; 1 << MAX_BITS];
        Self { cells, log: 0, known: false, weights_table: DecodeTable::default() }
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
        let mut bits = BackwardBits::new(src.get(taken..).ok_or(DecodeError::Truncated)?)?;
        // Two states take turns until bits are missing for the next state of one; then the other has the last
        // weight.
        let mut state = table.start(&mut bits);
        let mut other = table.start(&mut bits);
        if bits.overrun() {
            return Err(DecodeError::Truncated);
        }
        for count in 0..254 {
            let cell = table.cell(state);
            weights[count & 255] = cell.symbol;
            // Eight states take at most 48 bits.
            if count % 8 == 0 {
                bits.refill();
            }
            state = cell.next(&mut bits);
            if bits.overrun() {
                weights[(count + 1) & 255] = table.cell(other).symbol;
                return Ok(count + 2);
            }
            (state, other) = (other, state);
        }
        Err(DecodeError::Corrupt)
    }

    /// Makes the table of `count` weights, at most 255, and of the last one, which they imply.
    fn build(&mut self, weights: &mut [u8; 256], count: usize) -> Result<(), DecodeError> {
        let given = weights.get(..count).ok_or(DecodeError::Corrupt)?;
        let mut counts = count_weights(given);
        let cells_of = |weight: usize| (1 << weight) >> 1;
        let sum: usize = counts.iter().enumerate().map(|(weight, &count)| count * cells_of(weight)).sum();
        let too_heavy = counts.iter().skip(MAX_BITS as usize + 1).any(|&count| count > 0);
        let log = sum.checked_ilog2().filter(|_| !too_heavy).ok_or(DecodeError::Corrupt)? + 1;
        let missing = (1 << log) - sum;
        if log > MAX_BITS || !missing.is_power_of_two() {
            return Err(DecodeError::Corrupt);
        }
        let last = (missing | 1).ilog2() as u8 + 1;
        weights[count & 255] = last;
        counts[usize::from(last & 15)] += 1;
        // The longest words have weight 1.
        if counts[1] == 0 {
            return Err(DecodeError::Corrupt);
        }
        let weights = weights.get(..=count).ok_or(DecodeError::Corrupt)?;
        self.fill(weights, &counts, log)
    }

    /// Fills the cells: the symbols of the least weight, that is of the longest words, come first.
    fn fill(&mut self, weights: &[u8], counts: &[usize; 16], log: u32) -> Result<(), DecodeError> {
        let mut next = [0; 16];
        for weight in 1..16 {
            next[weight] = next[weight - 1] + counts[weight - 1];
        }
        let mut order = [0u8; 256];
        for (&weight, symbol) in weights.iter().zip(0..=u8::MAX) {
            let place = &mut next[usize::from(weight & 15)];
            order[*place & 255] = symbol;
            *place += 1;
        }
        let mut symbols = order.get(counts[0]..weights.len()).ok_or(DecodeError::Corrupt)?;
        let mut cells = &mut self.cells[..];
        for (weight, &count) in (1..=MAX_BITS).zip(&counts[1..]) {
            let each = 1usize << (weight - 1);
            let (now, later) = symbols.split_at_checked(count).ok_or(DecodeError::Corrupt)?;
            let split = mem::take(&mut cells).split_at_mut_checked(count * each);
            let (room, rest) = split.ok_or(DecodeError::Corrupt)?;
            let bits = ((log + 1 - weight.min(log + 1)) as Cell) << 8;
            // Few cells are filled faster if their number is fixed.
            match each {
                1 => fill_each::<1>(room, now, bits),
                2 => fill_each::<2>(room, now, bits),
                4 => fill_each::<4>(room, now, bits),
                8 => fill_each::<8>(room, now, bits),
                _ => room.chunks_exact_mut(each).zip(now).for_each(|(cells, &symbol)| {
                    cells
                        .as_chunks_mut()
                        .0
                        .iter_mut()
                        .for_each(|some| *some = [bits | Cell::from(symbol); 16]);
                }),
            }
            (symbols, cells) = (later, rest);
        }
        self.log = log;
        self.known = true;
        Ok(())
    }

    /// Decodes one stream to the whole of `out`.
    pub(super) fn decode(&self, src: &[u8], out: &mut [u8]) -> Result<(), DecodeError> {
        self.decode_rest(BackwardBits::new(src)?, out)
    }

    /// Decodes four streams, each to the whole of its `out`, in turns: none has to wait for its own last symbol.
    pub(super) fn decode_four(&self, srcs: [&[u8]; 4], outs: [&mut [u8]; 4]) -> Result<(), DecodeError> {
        let [mut a, mut b, mut c, mut d] = [
            BackwardBits::new(srcs[0])?,
            BackwardBits::new(srcs[1])?,
            BackwardBits::new(srcs[2])?,
            BackwardBits::new(srcs[3])?,
        ];
        let [out_a, out_b, out_c, out_d] = outs;
        let common = out_d.len().min(out_a.len()) / TURN * TURN;
        let (Some((turns_a, out_a)), Some((turns_b, out_b)), Some((turns_c, out_c)), Some((turns_d, out_d))) = (
            out_a.split_at_mut_checked(common),
            out_b.split_at_mut_checked(common),
            out_c.split_at_mut_checked(common),
            out_d.split_at_mut_checked(common),
        ) else {
            return Err(DecodeError::Corrupt);
        };
        let turns_ab = turns_a.as_chunks_mut::<TURN>().0.iter_mut().zip(turns_b.as_chunks_mut::<TURN>().0);
        let turns_cd = turns_c.as_chunks_mut::<TURN>().0.iter_mut().zip(turns_d.as_chunks_mut::<TURN>().0);
        for ((turn_a, turn_b), (turn_c, turn_d)) in turns_ab.zip(turns_cd) {
            for bits in [&mut a, &mut b, &mut c, &mut d] {
                bits.refill();
            }
            for symbol in 0..TURN {
                turn_a[symbol] = self.symbol(&mut a);
                turn_b[symbol] = self.symbol(&mut b);
                turn_c[symbol] = self.symbol(&mut c);
                turn_d[symbol] = self.symbol(&mut d);
            }
        }
        self.decode_rest(a, out_a)?;
        self.decode_rest(b, out_b)?;
        self.decode_rest(c, out_c)?;
        self.decode_rest(d, out_d)
    }

    /// Decodes the rest of a stream to the whole of `out`.
    fn decode_rest(&self, mut bits: BackwardBits<'_>, out: &mut [u8]) -> Result<(), DecodeError> {
        for turn in out.chunks_mut(TURN) {
            bits.refill();
            for byte in turn {
                *byte = self.symbol(&mut bits);
            }
        }
        bits.finish()
    }

    #[inline]
    fn symbol(&self, bits: &mut BackwardBits<'_>) -> u8 {
        // A table has words of at least one bit.
        let cell = self.cells[bits.peek_all_but(64 - self.log) & ((1 << MAX_BITS) - 1)];
        bits.skip(u32::from(cell >> 8));
        cell as u8
    }
}

/// How many symbols have each weight.
fn count_weights(weights: &[u8]) -> [usize; 16] {
    // Neighbours often have the same weight, and one count would wait for the other.
    let mut lanes = [[0u16; 16]; 4];
    let (fours, rest) = weights.as_chunks::<4>();
    for four in fours {
        for (lane, &weight) in lanes.iter_mut().zip(four) {
            lane[usize::from(weight & 15)] += 1;
        }
    }
    for &weight in rest {
        lanes[0][usize::from(weight & 15)] += 1;
    }
    core::array::from_fn(|weight| lanes.iter().map(|lane| usize::from(lane[weight])).sum())
}

/// Fills `EACH` cells for each symbol, whose words have `bits`.
fn fill_each<const EACH: usize>(cells: &mut [Cell], symbols: &[u8], bits: Cell) {
    let (cells, _) = cells.as_chunks_mut::<EACH>();
    cells.iter_mut().zip(symbols).for_each(|(cells, &symbol)| *cells = [bits | Cell::from(symbol); EACH]);
}
