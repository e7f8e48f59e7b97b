//! Finite state entropy codes, encoded, and what both directions share: RFC 8878, 4.1.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a distribution's shares sum to the number of states, a power of two at most MAX_STATES; \
              positions are masked by it; symbols are below SYMBOLS"
)]

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::distribution::{Distribution, SYMBOLS};
use crate::codec::bit_writer::BitWriter;

/// The most states of any table here.
pub(super) const MAX_STATES: usize = 512;

/// The symbol of each state of `distribution`.
pub(super) const fn symbols_of_states(distribution: &Distribution) -> [u8; MAX_STATES] {
    let mut symbols = [0; MAX_STATES];
    let states = 1usize << distribution.log;
    // Symbols with less than one state take the last ones.
    let mut end = states;
    let used = distribution.symbols();
    let mut symbol = 0;
    while symbol < used {
        if distribution.shares[symbol] == -1 && end > 0 {
            end -= 1;
            symbols[end] = symbol as u8;
        }
        symbol += 1;
    }
    let step = (states >> 1) + (states >> 3) + 3;
    let mut state = 0;
    let mut symbol = 0;
    while symbol < used {
        let mut share = distribution.shares[symbol];
        while share > 0 {
            symbols[state] = symbol as u8;
            state = (state + step) & (states - 1);
            // The step is odd: every state comes up once in a round, and `end` of them are free.
            while state >= end && end > 0 {
                state = (state + step) & (states - 1);
            }
            share -= 1;
        }
        symbol += 1;
    }
    symbols
}

/// A table to encode with. Symbols are encoded from the last to the first; a state counts from 2^log to
/// 2^(log+1).
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct EncodeTable {
    /// The states of each symbol, ascending, those of the first symbol first.
    states: [u16; MAX_STATES],
    /// Where the states of each symbol begin.
    first: [u16; SYMBOLS],
    /// How many states each symbol has.
    shares: [u16; SYMBOLS],
    log: u32,
}

impl EncodeTable {
    pub(super) fn build(&mut self, distribution: &Distribution) {
        let mut first = 0;
        for (symbol, &share) in distribution.shares.iter().enumerate() {
            self.first[symbol] = first;
            self.shares[symbol] = share.unsigned_abs();
            first += share.unsigned_abs();
        }
        let symbols = symbols_of_states(distribution);
        let mut next = self.first;
        for (state, &symbol) in symbols[..1 << distribution.log].iter().enumerate() {
            let next = &mut next[usize::from(symbol)];
            self.states[usize::from(*next)] = state as u16;
            *next += 1;
        }
        self.log = distribution.log;
    }

    /// Makes the table of a code whose one symbol takes no bits.
    pub(super) fn build_single(&mut self, symbol: u8) {
        self.states[0] = 0;
        self.first[usize::from(symbol)] = 0;
        self.shares[usize::from(symbol)] = 1;
        self.log = 0;
    }

    /// The state that decodes to the last symbol. Of its states it is the one whose successor takes most
    /// bits, at least one: the end of a stream of weights is recognised by that bit missing.
    pub(super) fn start(&self, symbol: u8) -> u32 {
        (1 << self.log) + u32::from(self.states[usize::from(self.first[usize::from(symbol)])])
    }

    /// Writes the bits that lead from a state of `symbol` to `state`, and returns that state of `symbol`.
    pub(super) fn before(&self, state: u32, symbol: u8, out: &mut BitWriter<'_>) -> Option<u32> {
        let symbol = usize::from(symbol);
        let share = u32::from(self.shares[symbol]);
        let mut bits = self.log - share.checked_ilog2()?;
        if state >> bits < share {
            bits -= 1;
        }
        out.put(state & ((1 << bits) - 1), bits)?;
        let nth = (state >> bits) - share;
        Some((1 << self.log) + u32::from(self.states[usize::from(self.first[symbol]) + nth as usize]))
    }

    /// Writes the state that decoding begins with.
    pub(super) fn finish(&self, state: u32, out: &mut BitWriter<'_>) -> Option<()> {
        out.put(state - (1 << self.log), self.log)
    }
}
