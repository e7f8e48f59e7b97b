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

/// The symbol of each state.
pub(super) struct StateSymbols {
    /// The symbol of state `s` stands at `s` times `step`, modulo the number of states.
    symbols: [u8; MAX_STATES + 8],
    step: usize,
    last_state: usize,
}

impl StateSymbols {
    /// Those of `distribution`.
    pub(super) fn of(distribution: &Distribution) -> Self {
        if distribution.shares.iter().any(|&share| share < 0) {
            return Self::spread(distribution);
        }
        // Neighbours in order are `step` states apart. Its inverse modulo a power of two leads back: each round has twice as many
        // bits right, the first one three.
        let step = step(distribution.log);
        let mut inverse = step;
        for _ in 0..2 {
            inverse = inverse.wrapping_mul(2usize.wrapping_sub(step.wrapping_mul(inverse)));
        }
        let last_state = (1 << distribution.log) - 1;
        Self { symbols: symbols_in_order(distribution), step: inverse, last_state }
    }

    /// The same, slower, for any distribution and when this is compiled.
    pub(super) const fn spread(distribution: &Distribution) -> Self {
        Self { symbols: symbols_of_states(distribution), step: 1, last_state: (1 << distribution.log) - 1 }
    }

    #[inline(always)]
    pub(super) const fn of_state(&self, state: usize) -> u8 {
        self.symbols[state.wrapping_mul(self.step) & self.last_state & (MAX_STATES - 1)]
    }
}

/// How far apart in the table are neighbours in order.
const fn step(log: u32) -> usize {
    (1 << log >> 1) + (1 << log >> 3) + 3
}

/// The symbol of each state of `distribution`.
const fn symbols_of_states(distribution: &Distribution) -> [u8; MAX_STATES + 8] {
    let mut symbols = [0; MAX_STATES + 8];
    let states = 1usize << distribution.log;
    // Symbols with less than one state take the last ones.
    let mut end = states;
    let used = distribution.symbols();
    let mut symbol = 0;
    while symbol < used {
        if distribution.shares[symbol & (SYMBOLS - 1)] == -1 && end > 0 {
            end -= 1;
            symbols[end & (MAX_STATES - 1)] = symbol as u8;
        }
        symbol += 1;
    }
    let step = step(distribution.log);
    let mut state = 0;
    let mut symbol = 0;
    while symbol < used {
        let mut share = distribution.shares[symbol & (SYMBOLS - 1)];
        while share > 0 {
            symbols[state & (MAX_STATES - 1)] = symbol as u8;
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

/// The symbols of all states side by side, of a distribution without symbols that have less than one state.
fn symbols_in_order(distribution: &Distribution) -> [u8; MAX_STATES + 8] {
    // Eight at a time: how many they are is hard to predict.
    let mut in_order = [0; MAX_STATES + 8];
    let mut end = 0;
    for (&share, symbol) in distribution.shares.iter().zip(0..) {
        if end >= 1 << distribution.log {
            break;
        }
        let share = share as usize;
        let mut at = end;
        loop {
            if let Some(eight) = in_order[at & (MAX_STATES - 1)..].first_chunk_mut::<8>() {
                *eight = [symbol; 8];
            }
            at += 8;
            if at >= end + share {
                break;
            }
        }
        end += share;
    }
    in_order
}

/// A table to encode with. Symbols are encoded from the last to the first; a state counts from 2^log to
/// 2^(log+1).
#[repr(C)]
#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub(super) struct EncodeTable {
    /// The states of each symbol, ascending, those of the first symbol first.
    states: [u16; MAX_STATES],
    steps: [Step; SYMBOLS],
    log: u32,
}

/// How a symbol comes before a state.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
struct Step {
    /// Added to the state, this is the number of bits to write in its high half: they are `bits - 1` for states below
    /// a threshold, `bits` from there on, and 2^16 `bits` less the threshold says both at once.
    bits: u32,
    /// Added to the state without those bits, this is the place in `states` (modulo 2^16).
    place: u16,
    /// The place of the symbol's first state.
    first: u16,
}

impl EncodeTable {
    pub(super) fn build(&mut self, distribution: &Distribution) {
        let log = distribution.log;
        let mut next = [0u16; SYMBOLS];
        let mut first = 0;
        for ((&share, next), step) in distribution.shares.iter().zip(&mut next).zip(&mut self.steps) {
            if usize::from(first) >> log > 0 {
                break;
            }
            *next = first;
            let share = share.unsigned_abs();
            // States divided by 2^bits are to be at least the share, below twice the share.
            let bits = log - (u32::from(share).saturating_sub(1) | 1).ilog2();
            *step = Step {
                bits: (bits << 16) - (u32::from(share) << bits),
                place: first.wrapping_sub(share),
                first,
            };
            first += share;
        }
        let symbols = StateSymbols::of(distribution);
        for (at, state) in (0..1 << log).zip(1 << log..) {
            let next = &mut next[usize::from(symbols.of_state(at)) & (SYMBOLS - 1)];
            self.states[usize::from(*next) & (MAX_STATES - 1)] = state;
            *next += 1;
        }
        self.log = log;
    }

    /// Makes the table of a code whose one symbol takes no bits.
    pub(super) fn build_single(&mut self, symbol: u8) {
        self.states[0] = 1;
        self.steps[usize::from(symbol) & (SYMBOLS - 1)] =
            Step { bits: 0, place: 1u16.wrapping_neg(), first: 0 };
        self.log = 0;
    }

    /// The state that decodes to the last symbol. Of its states it is the one whose successor takes most
    /// bits, at least one: the end of a stream of weights is recognised by that bit missing.
    pub(super) fn start(&self, symbol: u8) -> u32 {
        let step = self.steps[usize::from(symbol) & (SYMBOLS - 1)];
        u32::from(self.states[usize::from(step.first) & (MAX_STATES - 1)])
    }

    /// Adds the bits that lead from a state of `symbol` to `state`, at most 9, and returns that state of `symbol`.
    #[inline(always)]
    pub(super) fn before(&self, state: u32, symbol: u8, out: &mut BitWriter<'_>) -> u32 {
        let step = self.steps[usize::from(symbol) & (SYMBOLS - 1)];
        let bits = (state.wrapping_add(step.bits) >> 16) & 15;
        out.add(u64::from(state & ((1 << bits) - 1)), bits);
        let place = ((state >> bits) as u16).wrapping_add(step.place);
        u32::from(self.states[usize::from(place) & (MAX_STATES - 1)])
    }

    /// Writes the state that decoding begins with.
    pub(super) fn finish(&self, state: u32, out: &mut BitWriter<'_>) -> Option<()> {
        out.put(state - (1 << self.log), self.log)
    }
}
