//! A header that a crash may show at any moment.

#[cfg(target_has_atomic = "64")]
use core::sync::atomic::{AtomicU64, Ordering};

/// A header in the memory that the capture kernel will read it from, as words of 64 bits, each at an address that is a multiple of
/// 8. A word holds its bytes as they stand in memory ([`u64::from_ne_bytes`]).
///
/// `&[AtomicU64]` is one.
pub trait Words {
    /// The number of words.
    fn count(&self) -> usize;

    /// Word number `at`, from 0; 0 past the end.
    fn load(&self, at: usize) -> u64;

    /// Replaces a word as a whole: never is one half of it new and the other old. Whoever sees this store sees all those before.
    fn store(&mut self, at: usize, word: u64);
}

#[cfg(target_has_atomic = "64")]
impl Words for &[AtomicU64] {
    fn count(&self) -> usize {
        self.len()
    }

    fn load(&self, at: usize) -> u64 {
        self.get(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn store(&mut self, at: usize, word: u64) {
        if let Some(place) = self.get(at) {
            place.store(word, Ordering::Release);
        }
    }
}
