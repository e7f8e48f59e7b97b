//! Sorting in place. What `core` sorts with stops the program where an order contradicts itself, and is compiled with that in it.

use core::cmp::Ordering;

/// Sorts `items` by `key`, ascending, in O(n log n) steps and without memory of its own; equal items may change places.
/// Items that are in order already take one pass. Whatever `key` answers, it returns, with the same items in some order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    if items.is_sorted_by_key(&key) {
        return;
    }
    let order = |a: &T, b: &T| key(a).cmp(&key(b));
    // A heap whose top is the greatest, then the top goes behind the others again and again.
    for place in (0..items.len() >> 1).rev() {
        sink(items, place, &order);
    }
    let mut heap = items;
    while let [top, .., last] = heap {
        core::mem::swap(top, last);
        let Some((_, rest)) = heap.split_last_mut() else { return };
        sink(rest, 0, &order);
        heap = rest;
    }
}

/// Moves the item at `place` down the heap to where no child is greater.
fn sink<T>(heap: &mut [T], mut place: usize, order: &impl Fn(&T, &T) -> Ordering) {
    loop {
        let left = place.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let child = match (heap.get(left), heap.get(right)) {
            (Some(a), Some(b)) if order(a, b).is_lt() => right,
            _ => left,
        };
        // There is no child below the last ones.
        let Ok([above, below]) = heap.get_disjoint_mut([place, child]) else { return };
        if order(above, below).is_ge() {
            return;
        }
        core::mem::swap(above, below);
        place = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn every_order_of_few_items_is_sorted() {
        // Every sequence of up to six of three values: all permutations, with repetitions.
        for len in 0..=6_u32 {
            for number in 0..3_u32.pow(len) {
                let items: Vec<u32> = (0..len).map(|digit| number / 3_u32.pow(digit) % 3).collect();
                let mut sorted = items.clone();
                sort_by_key(&mut sorted, |&item| item);
                let mut expected = items.clone();
                expected.sort_unstable();
                assert_eq!(sorted, expected, "{items:?}");
            }
        }
    }

    #[test]
    fn many_items_are_sorted_by_what_they_are_asked_for() {
        let mut number = 1_u64;
        let mut items: Vec<(u64, u32)> = (0..5000)
            .map(|place| {
                number = number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                (number >> 55, place)
            })
            .collect();
        let mut expected = items.clone();
        expected.sort_by_key(|&(number, place)| (core::cmp::Reverse(number), place));
        sort_by_key(&mut items, |&(number, place)| (core::cmp::Reverse(number), place));
        assert_eq!(items, expected);
        // What is in order stays; what is in the opposite order turns round.
        sort_by_key(&mut items, |&(number, place)| (core::cmp::Reverse(number), place));
        assert_eq!(items, expected);
        expected.reverse();
        sort_by_key(&mut items, |&(number, place)| (number, core::cmp::Reverse(place)));
        assert_eq!(items, expected);
    }

    #[test]
    fn an_order_that_contradicts_itself_loses_no_item() {
        let answers = core::cell::Cell::new(7_u32);
        let mut items: Vec<u32> = (0..300).collect();
        sort_by_key(&mut items, |_| {
            answers.set(answers.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            answers.get() >> 24
        });
        items.sort_unstable();
        assert!(items.iter().copied().eq(0..300));
    }
}
