//! A page taken apart, as tokens, and how often each symbol occurs in them.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "symbols are masked by COUNTS, a power of two; there are at most as many tokens as the page has bytes, \
              2^16, and one"
)]

use super::symbols::{END_OF_BLOCK, MAX_LENGTH, SYMBOLS, Token, of_distance, of_length};
use crate::codec::sequence_finder::{MIN_MATCH, Sink};

/// Places for the symbols of both alphabets, a power of two, so that no bound is checked.
pub(super) const COUNTS: usize = SYMBOLS.next_power_of_two();

/// How often each symbol occurs.
pub(super) type Counts = [u32; COUNTS];

/// How many tokens a page of `page_len` bytes may have: one for each byte, or two for a match of at least three; and
/// the end of the block.
pub(super) const fn max_tokens(page_len: usize) -> usize {
    page_len.saturating_add(1)
}

/// Tokens being collected.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    tokens: &'a mut [Token],
    len: usize,
    /// The distance of the last match.
    distance: Token,
    counts: &'a mut Counts,
}

impl<'a> Tokens<'a> {
    /// None yet. `tokens` has room for [`max_tokens`].
    pub(super) fn new(tokens: &'a mut [Token], counts: &'a mut Counts) -> Self {
        counts.fill(0);
        Self { tokens, len: 0, distance: 0, counts }
    }

    /// Adds the end of the block and returns the tokens and their symbols' counts.
    pub(super) fn finish(mut self) -> (&'a [Token], &'a Counts) {
        self.push(END_OF_BLOCK as Token);
        (self.tokens.get(..self.len).unwrap_or_default(), self.counts)
    }

    #[inline(always)]
    fn push(&mut self, token: Token) {
        if let Some(slot) = self.tokens.get_mut(self.len) {
            *slot = token;
            self.len += 1;
        }
        self.counts[token as usize & (COUNTS - 1)] += 1;
    }
}

impl Tokens<'_> {
    /// Adds a match at the last distance.
    #[inline(always)]
    fn push_match(&mut self, length: Token) {
        if let Some(slots) = self.tokens.get_mut(self.len..).and_then(<[Token]>::first_chunk_mut) {
            *slots = [length, self.distance];
            self.len += 2;
        }
        self.counts[length as usize & (COUNTS - 1)] += 1;
        self.counts[self.distance as usize & (COUNTS - 1)] += 1;
    }
}

impl Sink for Tokens<'_> {
    #[inline(always)]
    fn literal(&mut self, byte: u8) {
        self.push(Token::from(byte));
    }

    #[inline(always)]
    fn matched(&mut self, length: u32, distance: u32) {
        self.distance = of_distance(distance);
        self.matched_again(length, distance);
    }

    #[inline(always)]
    fn matched_again(&mut self, mut length: u32, _: u32) {
        while length > MAX_LENGTH {
            let part = MAX_LENGTH.min(length - MIN_MATCH);
            self.push_match(of_length(part));
            length -= part;
        }
        self.push_match(of_length(length));
    }
}
