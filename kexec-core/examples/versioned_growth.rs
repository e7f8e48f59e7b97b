//! What changes to a map cost as it grows. Prints a section of `docs/performance.md`.

use kexec_core::map::{Range, RangeKind, Span};
use kexec_core::versioned::{Node, Slot, VersionedMap};
use std::time::Instant;

const LMB: u64 = 256 << 20;

/// Every second memory block, so that no two touch.
fn block(at: u64) -> Option<Span> {
    Span::with_len(at.checked_mul(LMB)?.checked_mul(2)?, LMB)
}

const HEADING: &str = "\
## Changes to a versioned map

Removing k of n ranges from a map that a reader holds, all over it, and the commit: one batch, measured once. A change is O(log n), and a batch
O(k log n + k).

| ranges | k | batch µs | a change ns |
|---:|---:|---:|---:|
";

fn main() -> Result<(), Box<dyn core::error::Error>> {
    print!("{HEADING}");
    for ranges in [1_000_u64, 10_000, 100_000, 1_000_000] {
        for changes in [1, 5, 1_000, ranges / 2] {
            let room = VersionedMap::nodes_needed(usize::try_from(ranges)?, 1, 2);
            let (mut nodes, mut slots) = (vec![Node::EMPTY; room], [Slot::EMPTY; 2]);
            let mut map = VersionedMap::new(&mut nodes, &mut slots)?;
            map.begin()?;
            for at in 0..ranges {
                let span = block(at).ok_or("an address")?;
                map.set(Range::new(span, RangeKind::SystemRam))?;
            }
            map.commit(&mut |_, _| {})?;
            let held = map.hold();
            let start = Instant::now();
            map.begin()?;
            for at in 0..changes {
                // All over the map.
                let at = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).checked_rem(ranges).ok_or("a range")?;
                map.remove(block(at).ok_or("an address")?)?;
            }
            map.commit(&mut |_, _| {})?;
            let nanos = start.elapsed().as_nanos();
            let each = nanos.checked_div(u128::from(changes)).ok_or("a change")?;
            let micros = nanos.div_ceil(1_000);
            println!("| {ranges} | {changes} | {micros} | {each} |");
            map.release(held);
        }
    }
    Ok(())
}
