//! Four words of a bitmap of page frames: what a chunk has.

use crate::bits;

/// The four words from the word that holds bit `from` on, without the bits below `from`.
pub(super) fn window(words: &[u64], from: u64) -> [u64; 4] {
    let first = usize::try_from(from >> 6).unwrap_or(usize::MAX);
    let mut window = [0; 4];
    for (to, word) in window.iter_mut().zip(words.get(first..).unwrap_or_default()) {
        *to = *word;
    }
    bits::clear(&mut window, 0..from & 63);
    window
}

/// Clears all but the lowest `limit` bits set, and those at `end` (counted from the window's first bit) and above.
pub(super) fn truncate(window: &mut [u64; 4], limit: u64, end: u64) {
    bits::clear(window, end..256);
    let past_limit = usize::try_from(limit).ok().and_then(|limit| ones(*window).nth(limit));
    if let Some(bit) = past_limit {
        bits::clear(window, bit..256);
    }
}

/// The indices of the bits set in `window`, ascending.
pub(super) fn ones(window: [u64; 4]) -> impl Iterator<Item = u64> {
    window.into_iter().zip([0, 64, 128, 192]).flat_map(|(word, base)| {
        let mut left = word;
        core::iter::from_fn(move || {
            let at = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (at < 64).then(|| u64::from(at).wrapping_add(base))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_cut_to_a_number_of_bits_and_an_end() {
        let words = [u64::MAX, u64::MAX, 0, u64::MAX, 1];
        assert_eq!(window(&words, 65), [u64::MAX - 1, 0, u64::MAX, 1]);
        for (limit, end) in
            [(0, 256), (1, 256), (64, 256), (100, 256), (500, 256), (500, 100), (3, 2), (500, 64)]
        {
            let mut cut = window(&words, 3);
            truncate(&mut cut, limit, end);
            let expected = (3..128).chain(192..256).filter(|&bit| bit < end).take(limit as usize);
            assert!(ones(cut).eq(expected), "{limit} {end}");
        }
    }
}
