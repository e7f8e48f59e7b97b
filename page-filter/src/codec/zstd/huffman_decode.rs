//! Huffman codes of literals, decoded: RFC 8878, 4.2.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "weights are checked to be at most MAX_BITS before a table is made; the cells they take sum \
              to the table's length; an index of cells is read with at most MAX_BITS bits"
)]

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

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    symbol: u8,
    bits: u8,
}

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
        let cells = [Cell::default(); 1 << MAX_BITS];
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
        if given.iter().any(|&weight| u32::from(weight) > MAX_BITS) {
            return Err(DecodeError::Corrupt);
        }
        let cells_of = |weight: u8| if weight == 0 { 0 } else { 1usize << (weight - 1) };
        let sum: usize = given.iter().map(|&weight| cells_of(weight)).sum();
        let log = sum.checked_ilog2().ok_or(DecodeError::Corrupt)? + 1;
        let missing = (1 << log) - sum;
        if log > MAX_BITS || !missing.is_power_of_two() {
            return Err(DecodeError::Corrupt);
        }
        weights[count & 255] = (missing | 1).ilog2() as u8 + 1;
        let weights = weights.get(..=count).ok_or(DecodeError::Corrupt)?;
        // The longest words have weight 1.
        if !weights.contains(&1) {
            return Err(DecodeError::Corrupt);
        }

        // The symbols of the least weight, that is of the longest words, come first.
        let mut counts = [0usize; 16];
        for &weight in weights {
            counts[usize::from(weight & 15)] += 1;
        }
        let mut next = [0usize; 16];
        for weight in 1..=MAX_BITS as u8 {
            let place = usize::from(weight);
            next[place + 1] = next[place] + counts[place] * cells_of(weight);
        }
        for (symbol, &weight) in weights.iter().enumerate().filter(|&(_, &weight)| weight > 0) {
            let start = next[usize::from(weight & 15)];
            let end = start + cells_of(weight);
            let bits = log as u8 + 1 - weight;
            let cells = self.cells.get_mut(start..end).ok_or(DecodeError::Corrupt)?;
            cells.fill(Cell { symbol: symbol as u8, bits });
            next[usize::from(weight & 15)] = end;
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
        let cell = self.cells[bits.peek(self.log) as usize & ((1 << MAX_BITS) - 1)];
        bits.skip(u32::from(cell.bits));
        cell.symbol
    }
}
