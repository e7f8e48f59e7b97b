//! A window of the dump's bitmap: one bit a page frame, least significant first, bit 0 of word 0 the window's first frame.

use core::ops::Range;

/// The first set bit in `bits`.
pub(crate) fn next_set(words: &[u64], bits: Range<u64>) -> Option<u64> {
    let mut at = bits.start & !63;
    for word in words.iter().skip(word_of(bits.start)) {
        if at >= bits.end {
            return None;
        }
        let set = word & mask(at, &bits);
        if set != 0 {
            return at.checked_add(u64::from(set.trailing_zeros()));
        }
        at = at.saturating_add(64);
    }
    None
}

/// Whether `bit` is set.
pub(crate) fn is_set(words: &[u64], bit: u64) -> bool {
    words.get(word_of(bit)).is_some_and(|word| (word >> (bit & 63)) & 1 == 1)
}

/// How many bits are set in `bits`.
pub(crate) fn count(words: &[u64], bits: Range<u64>) -> u64 {
    let mut at = bits.start & !63;
    let mut total = 0u64;
    for word in words.iter().skip(word_of(bits.start)) {
        if at >= bits.end {
            break;
        }
        total = total.saturating_add(u64::from((word & mask(at, &bits)).count_ones()));
        at = at.saturating_add(64);
    }
    total
}

/// Clears the bits in `bits`.
pub(crate) fn clear(words: &mut [u64], bits: Range<u64>) {
    let mut at = bits.start & !63;
    for word in words.iter_mut().skip(word_of(bits.start)) {
        if at >= bits.end {
            break;
        }
        *word &= !mask(at, &bits);
        at = at.saturating_add(64);
    }
}

/// Sets the bits in `bits`.
pub(crate) fn set(words: &mut [u64], bits: Range<u64>) {
    let mut at = bits.start & !63;
    for word in words.iter_mut().skip(word_of(bits.start)) {
        if at >= bits.end {
            break;
        }
        *word |= mask(at, &bits);
        at = at.saturating_add(64);
    }
}

/// The end of the run of bits at `bits.start` that are all `value`, at most `bits.end`.
pub(crate) fn run_end(words: &[u64], bits: Range<u64>, value: bool) -> u64 {
    let flip = if value { u64::MAX } else { 0 };
    let mut at = bits.start & !63;
    for word in words.iter().skip(word_of(bits.start)) {
        let other = (word ^ flip) & mask(at, &bits);
        if other != 0 || at >= bits.end {
            return at.saturating_add(u64::from(other.trailing_zeros())).min(bits.end);
        }
        at = at.saturating_add(64);
    }
    if value { at.clamp(bits.start, bits.end.max(bits.start)) } else { bits.end }
}

fn word_of(bit: u64) -> usize {
    usize::try_from(bit >> 6).unwrap_or(usize::MAX)
}

/// Those of the 64 bits from `at` on that lie in `bits`.
fn mask(at: u64, bits: &Range<u64>) -> u64 {
    below(bits.end.saturating_sub(at)) & !below(bits.start.saturating_sub(at))
}

/// The lowest `bits` bits.
fn below(bits: u64) -> u64 {
    if bits >= 64 { u64::MAX } else { (1u64 << bits).wrapping_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_over_word_borders_agree_with_single_bits() {
        let words = [0x8000_0000_0000_0001, 0, 0xffff_ffff_ffff_ffff, 0x5];
        let set: &[u64] = &[0, 63, 128, 150, 191, 192, 194];
        for bit in 0..256 {
            let expected = bit == 0 || bit == 63 || (128..192).contains(&bit) || bit == 192 || bit == 194;
            assert_eq!(is_set(&words, bit), expected, "{bit}");
        }
        assert!(set.iter().all(|&bit| is_set(&words, bit)));
        for start in 0..200 {
            for end in start..257 {
                let slow = (start..end).filter(|&bit| is_set(&words, bit));
                assert_eq!(count(&words, start..end), slow.clone().count() as u64);
                assert_eq!(next_set(&words, start..end), slow.clone().next());
                let mut cleared = words;
                clear(&mut cleared, start..end);
                assert_eq!(count(&cleared, 0..256), count(&words, 0..256) - slow.count() as u64);
            }
        }
    }

    #[test]
    fn what_is_set_is_a_run() {
        for start in [0, 1, 63, 64, 65, 100, 127, 128, 200] {
            for end in [0, 1, 64, 65, 128, 190, 192, 300] {
                let mut words = [0; 3];
                set(&mut words, start..end);
                for bit in 0..192 {
                    assert_eq!(is_set(&words, bit), (start..end).contains(&bit), "{start} {end} {bit}");
                    for value in [false, true] {
                        let run = (bit..192).find(|&at| is_set(&words, at) != value).unwrap_or(192);
                        assert_eq!(run_end(&words, bit..192, value), run, "{start} {end} {bit} {value}");
                        assert_eq!(run_end(&words, bit..192.min(bit + 9), value), run.min(bit + 9));
                    }
                }
            }
        }
    }

    #[test]
    fn bits_past_the_words_are_clear() {
        let mut words = [u64::MAX];
        assert!(!is_set(&words, 64));
        assert!(!is_set(&words, u64::MAX));
        assert_eq!(next_set(&words, 64..u64::MAX), None);
        assert_eq!(count(&words, 60..u64::MAX), 4);
        clear(&mut words, u64::MAX - 1..u64::MAX);
        set(&mut words, 64..u64::MAX);
        assert_eq!(run_end(&words, 3..300, true), 64);
        assert_eq!(run_end(&words, 70..300, false), 300);
        assert_eq!(words, [u64::MAX]);
    }
}
