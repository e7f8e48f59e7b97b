//! Plans over random machines, against the kernel's rules written down once more.

use std::vec;
use std::vec::Vec;

use super::inputs::*;
use crate::map::{Range, RangeKind, Span};
use crate::plan::{Plan, Request, Upkeep};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A machine of a few ranges, with none, one or two crash regions; edges off page boundaries but for the regions'.
fn machine(random: &mut Random) -> Vec<Range> {
    let kinds = [
        RangeKind::SystemRam,
        RangeKind::SystemRam,
        RangeKind::SystemRam,
        RangeKind::Reserved,
        RangeKind::AcpiTables,
        RangeKind::ReservedRam,
    ];
    let mut ranges = vec![Range::new(Span::new(0x1000, 0x9_fc00), RangeKind::SystemRam)];
    let mut at = MIB;
    for _ in 0..2 + random.below(10) {
        let edge = if random.one_in(3) { random.below(0x1000) } else { 0 };
        let crash = random.one_in(3);
        let (kind, len) = if crash {
            (RangeKind::CrashKernel, (16 + random.below(20) * 8) * MIB)
        } else {
            (kinds[random.below(6) as usize], (1 + random.below(600)) * MIB + edge)
        };
        if crash {
            at = at.next_multiple_of(MIB);
        }
        ranges.push(Range::new(Span::new(at, at + len), kind));
        // Regions that touch would be one.
        at += len + if crash { MIB } else { 0 } + if random.one_in(4) { random.below(4 << 30) } else { 0 };
    }
    ranges
}

#[test]
fn segments_are_disjoint_aligned_and_where_the_kernel_wants_them() {
    let mut random = Random(3);
    let (mut crash_plans, mut ordinary_plans, mut refused) = (0, 0, 0);
    for _ in 0..4000 {
        let mut inputs = Inputs::new(&[]);
        inputs.table = machine(&mut random);
        inputs.crash = match random.below(3) {
            0 => None,
            1 => Some(Upkeep::Reload),
            _ => Some(Upkeep::Kernel { room: random.below(0x10_0000) }),
        };
        inputs.kernel = bzimage(&Header {
            alignment: 0x1000 << random.below(14),
            init_size: 0x400 + random.below(100 * MIB) as u32,
            relocatable: !random.one_in(10),
            pref_address: random.below(64) * MIB,
            xloadflags: if random.one_in(5) { 0x7d } else { 0x7f },
            ..DEBIAN
        });
        inputs.initrd.resize(random.below(0x10_0000) as usize, 0x1f);
        inputs.limits = match random.below(4) {
            0 => Span::new(random.below(1 << 31), random.below(1 << 34)),
            _ => Request::ANYWHERE,
        };
        let gib_pages = random.one_in(2);
        inputs.change = if gib_pages { |running| running.gib_pages = true } else { |_| {} };
        inputs.with(|request| {
            let mut line = [0; 2048];
            match Plan::new(request, &mut line) {
                Err(_) => refused += 1,
                Ok(plan) => {
                    judge(&inputs, &plan);
                    let plans = if inputs.crash.is_some() { &mut crash_plans } else { &mut ordinary_plans };
                    *plans += 1;
                }
            }
        });
    }
    assert!(
        crash_plans > 300 && ordinary_plans > 300 && refused > 300,
        "{crash_plans} {ordinary_plans} {refused}"
    );
}

/// The kernel's rules (`sanity_check_segment_list`, `kimage_alloc_init`, Linux 6.12) in the words of its reference, with
/// inclusive ends, and what the boot protocol asks for.
fn judge(inputs: &Inputs, plan: &Plan<'_>) {
    let segments: Vec<(&str, u64, u64)> = plan
        .segments()
        .iter()
        .map(|s| (s.kind.name(), s.extent.mem.0, s.extent.mem.0 + s.extent.memsz - 1))
        .collect();
    assert!(segments.len() <= 16);
    let region =
        inputs.table.iter().filter(|range| range.kind == RangeKind::CrashKernel).max_by_key(|r| r.start);
    let mut total = 0;
    for (index, (name, first, last)) in segments.iter().enumerate() {
        assert_eq!((first & 0xfff, last & 0xfff), (0, 0xfff), "{name}");
        assert!(first < last && *last < (1 << 46) - 1);
        assert!(inputs.limits.start.0 <= *first && *last < inputs.limits.end.0);
        for (other, other_first, other_last) in &segments[..index] {
            assert!(first > other_last || last < other_first, "{name} {other}");
        }
        match (inputs.crash, region) {
            (Some(_), Some(region)) => assert!(region.start.0 <= *first && *last < region.end.0, "{name}"),
            (Some(_), None) => panic!("no crash region"),
            // Every page of it is RAM that may be written.
            (None, _) => {
                let ram = |page| {
                    inputs.table.iter().any(|range| {
                        matches!(range.kind, RangeKind::SystemRam | RangeKind::CrashKernel)
                            && range.start.0 <= page
                            && page < range.end.0
                    })
                };
                assert!(
                    (*first..=*last).step_by(0x1000).all(|page| ram(page) && ram(page + 0xfff)),
                    "{name}"
                );
            }
        }
        total += (last - first + 1) >> 12;
    }
    let ram: u64 =
        inputs.table.iter().filter(|r| r.kind == RangeKind::SystemRam).map(|r| r.end.0 - r.start.0).sum();
    assert!(total <= (ram >> 12) / 2);
    let purgatory = segments.iter().find(|(name, ..)| *name == "purgatory").unwrap();
    assert!((purgatory.1..=purgatory.2).contains(&plan.entry().0));

    if let (Some(_), Some(region)) = (inputs.crash, region) {
        let taken: u64 = segments.iter().map(|(_, first, last)| last - first + 1).sum();
        assert!((region.end.0 - region.start.0 - taken) >> 12 >= 64);
    }
    let kernel = plan.kernel();
    let (_, first, _) = segments.iter().find(|(name, ..)| *name == "kernel").unwrap();
    assert!(*first >= kernel.pref_address().0);
    if kernel.is_relocatable() {
        assert_eq!(first % kernel.kernel_alignment(), 0);
    } else {
        assert_eq!(*first, kernel.pref_address().0);
    }
    let told: Vec<_> = plan.told().collect();
    assert!(told.windows(2).all(|pair| pair[0].end <= pair[1].start));
}
