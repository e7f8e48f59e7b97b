//! Overlapping `PT_LOAD`s, laid out once as stretches of memory that each have one source.
//!
//! All starts are met in ascending order. Of the slots that reach past the address the first in file order gives the bytes: a heap,
//! from which a slot is taken when it is on top and has ended. A stretch ends where a slot starts or where one ends: there are
//! never more than twice as many as slots, and laying them out takes n log n steps.

use super::{LoadSlot, NOWHERE, Stretch};

/// Fills the stretches of `slots`, which are sorted; how many there are.
pub(super) fn lay_out(slots: &mut [LoadSlot]) -> usize {
    let (mut waiting, mut come, mut count) = (0_usize, 0_usize, 0_usize);
    let mut at = slots.first().map_or(0, |slot| slot.start);
    loop {
        while slots.get(come).is_some_and(|slot| slot.start <= at) {
            // One without bytes never gives any.
            if slots.get(come).is_some_and(|slot| slot.held_end > slot.start) {
                push(slots, &mut waiting, come);
            }
            come = come.saturating_add(1);
        }
        while top(slots, waiting).is_some_and(|slot| slot.held_end <= at) {
            pop(slots, &mut waiting);
        }
        let source = if waiting > 0 { slots.first().map_or(NOWHERE, |slot| slot.waits) } else { NOWHERE };
        let last = count.checked_sub(1).and_then(|last| get(slots, last));
        if last.is_none_or(|last| last.slot != source) {
            let slot = slots.get_mut(count >> 1);
            if let Some(stretch) = slot.and_then(|slot| slot.stretches.get_mut(count & 1)) {
                *stretch = Stretch { start: at, slot: source };
                count = count.saturating_add(1);
            }
        }
        let end = top(slots, waiting).map(|slot| slot.held_end);
        let start = slots.get(come).map(|slot| slot.start);
        at = match (end, start) {
            (Some(end), Some(start)) => end.min(start),
            (Some(next), None) | (None, Some(next)) => next,
            (None, None) => return count,
        };
    }
}

/// One of the stretches.
pub(super) fn get(slots: &[LoadSlot], number: usize) -> Option<Stretch> {
    slots.get(number >> 1)?.stretches.get(number & 1).copied()
}

/// The first of `count` stretches that starts above `addr`, or `count`.
pub(super) fn first_after(slots: &[LoadSlot], count: usize, addr: u64) -> usize {
    let (mut low, mut high) = (0_usize, count);
    while low < high {
        let middle = low.midpoint(high);
        if get(slots, middle).is_some_and(|stretch| stretch.start <= addr) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low
}

/// The slot on top of the heap of `waiting` slots.
fn top(slots: &[LoadSlot], waiting: usize) -> Option<&LoadSlot> {
    let number = slots.first().filter(|_| waiting > 0)?.waits;
    usize::try_from(number).ok().and_then(|number| slots.get(number))
}

/// What element `at` of the heap is sorted by: the place in the file of its slot.
fn rank(slots: &[LoadSlot], at: usize) -> u32 {
    let number = slots.get(at).map_or(NOWHERE, |slot| slot.waits);
    usize::try_from(number).ok().and_then(|number| slots.get(number)).map_or(NOWHERE, |slot| slot.load)
}

fn swap(slots: &mut [LoadSlot], one: usize, other: usize) {
    let (Some(a), Some(b)) = (slots.get(one), slots.get(other)) else { return };
    let (a, b) = (a.waits, b.waits);
    for (at, number) in [(one, b), (other, a)] {
        if let Some(slot) = slots.get_mut(at) {
            slot.waits = number;
        }
    }
}

fn push(slots: &mut [LoadSlot], waiting: &mut usize, number: usize) {
    let mut at = *waiting;
    let Some(slot) = slots.get_mut(at) else { return };
    slot.waits = u32::try_from(number).unwrap_or(NOWHERE);
    *waiting = at.saturating_add(1);
    while at > 0 {
        let parent = at.saturating_sub(1) >> 1;
        if rank(slots, parent) <= rank(slots, at) {
            return;
        }
        swap(slots, parent, at);
        at = parent;
    }
}

fn pop(slots: &mut [LoadSlot], waiting: &mut usize) {
    let Some(last) = waiting.checked_sub(1) else { return };
    swap(slots, 0, last);
    *waiting = last;
    let mut at = 0_usize;
    loop {
        let child = at.saturating_mul(2).saturating_add(1);
        let right = child.saturating_add(1);
        let child = if right < last && rank(slots, right) < rank(slots, child) { right } else { child };
        if child >= last || rank(slots, at) <= rank(slots, child) {
            return;
        }
        swap(slots, at, child);
        at = child;
    }
}
