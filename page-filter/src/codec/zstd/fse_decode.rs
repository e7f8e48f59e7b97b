//! Finite state entropy codes, decoded: RFC 8878, 4.1.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a distribution's shares sum to the number of states, a power of two that is cut to CELLS; symbols \
              are below SYMBOLS; a state is masked by CELLS"
)]

use super::bit_reader::BackwardBits;
use super::distribution::{Distribution, SYMBOLS};
use super::fse::StateSymbols;

/// What a state decodes to and where it goes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// The symbol, or the least value that it stands for.
    pub(super) least: u32,
    /// The least state that may come next.
    next: u16,
    /// How many bits to read and add to `next`.
    next_bits: u8,
    /// How many bits to read and add to `least`.
    pub(super) extra_bits: u8,
}

impl Cell {
    const EMPTY: Self = Self { least: 0, next: 0, next_bits: 0, extra_bits: 0 };

    /// Reads the state after this one.
    #[inline(always)]
    pub(super) fn next(self, bits: &mut BackwardBits<'_>) -> usize {
        usize::from(self.next) + bits.read(self.next_bits) as usize
    }

    /// Reads the value.
    #[inline(always)]
    pub(super) fn value(self, bits: &mut BackwardBits<'_>) -> u32 {
        self.least.wrapping_add(bits.read(self.extra_bits))
    }
}

/// A table to decode with; `CELLS` is a power of two, at most 512.
#[derive(Debug)]
pub(super) struct DecodeTable<const CELLS: usize> {
    cells: [Cell; CELLS],
    log: u32,
    /// Whether there is a table at all.
    pub(super) known: bool,
}

impl<const CELLS: usize> Default for DecodeTable<CELLS> {
    fn default() -> Self {
        Self { cells: [Cell::EMPTY; CELLS], log: 0, known: false }
    }
}

impl<const CELLS: usize> DecodeTable<CELLS> {
    /// The table of `distribution`, whose accuracy `CELLS` has room for. `codes` has the least value and the number of
    /// extra bits of each symbol; one that it does not have stands for itself.
    pub(super) const fn of(distribution: &Distribution, codes: &[(u32, u8)]) -> Self {
        let mut table = Self { cells: [Cell::EMPTY; CELLS], log: 0, known: false };
        table.fill(distribution, &StateSymbols::spread(distribution), codes);
        table
    }

    /// Makes this the table of `distribution`, as [`of`](Self::of) does.
    pub(super) fn build(&mut self, distribution: &Distribution, codes: &[(u32, u8)]) {
        self.fill(distribution, &StateSymbols::of(distribution), codes);
    }

    const fn fill(&mut self, distribution: &Distribution, symbols: &StateSymbols, codes: &[(u32, u8)]) {
        let most = CELLS.ilog2();
        self.log = if distribution.log < most { distribution.log } else { most };
        self.known = true;
        // The next of each symbol's states, counted from its number of states.
        let mut numbers = [0u16; SYMBOLS];
        let mut symbol = 0;
        while symbol < SYMBOLS {
            numbers[symbol] = distribution.shares[symbol].unsigned_abs();
            symbol += 1;
        }
        let mut state = 0;
        while state < 1 << self.log {
            let symbol = symbols.of_state(state);
            let place = symbol as usize % SYMBOLS;
            let number = if numbers[place] > 0 { numbers[place] } else { 1 };
            numbers[place] = number + 1;
            let bits = self.log.saturating_sub(number.ilog2());
            let baseline = ((number as u32) << bits).wrapping_sub(1 << self.log) as u16;
            let (least, extra_bits) = if place < codes.len() { codes[place] } else { (symbol as u32, 0) };
            self.cells[state & (CELLS - 1)] =
                Cell { least, next: baseline, next_bits: bits as u8, extra_bits };
            state += 1;
        }
    }

    /// Makes this the table of one symbol, with its least value and the number of its extra bits.
    pub(super) fn build_single(&mut self, (least, extra_bits): (u32, u8)) {
        self.cells[0] = Cell { least, next: 0, next_bits: 0, extra_bits };
        self.log = 0;
        self.known = true;
    }

    /// Makes this the same table as `other`, which is not larger.
    pub(super) fn copy<const OTHER: usize>(&mut self, other: &DecodeTable<OTHER>) {
        self.cells[..OTHER].copy_from_slice(&other.cells);
        self.log = other.log;
        self.known = true;
    }

    /// Reads the first state.
    pub(super) fn start(&self, bits: &mut BackwardBits<'_>) -> usize {
        bits.read(self.log as u8) as usize
    }

    /// What `state` decodes to.
    #[inline]
    pub(super) fn cell(&self, state: usize) -> Cell {
        self.cells[state & (CELLS - 1)]
    }
}
