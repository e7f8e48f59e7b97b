//! Plans over random machines, against the kernel's rules written down once more.

use std::vec;
use std::vec::Vec;

use vmcore_format::PhysAddr;

use super::inputs::*;
use crate::map::{Range, RangeKind, Span};
use crate::plan::{Kernel, Plan, Request, Upkeep, low_memory_backup};

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

/// What firmware may say of the same machine: some of its RAM is none.
fn firmware(random: &mut Random, table: &[Range]) -> Vec<Range> {
    let mut ranges = table.to_vec();
    for range in &mut ranges {
        if random.one_in(4) {
            range.kind = RangeKind::AcpiNvs;
        } else if range.kind.is_ram() {
            range.kind = RangeKind::SystemRam;
            range.end.0 += random.below(3) << 20;
        }
    }
    ranges
}

#[test]
fn segments_are_disjoint_aligned_and_where_the_kernel_wants_them() {
    let mut random = Random(3);
    let (mut crash_plans, mut ordinary_plans, mut refused) = (0, 0, 0);
    let (mut vmlinux_plans, mut backup_plans) = (0, 0);
    for _ in 0..4000 {
        let mut inputs = Inputs::new(&[]);
        inputs.table = machine(&mut random);
        inputs.crash = match random.below(3) {
            0 => None,
            1 => Some(Upkeep::Reload),
            _ => Some(Upkeep::Kernel { room: random.below(0x10_0000) }),
        };
        let bzimage = bzimage(&Header {
            alignment: 0x1000 << random.below(14),
            init_size: 0x400 + random.below(100 * MIB) as u32,
            relocatable: !random.one_in(10),
            pref_address: random.below(64) * MIB,
            xloadflags: if random.one_in(5) { 0x7d } else { 0x7f },
            ..DEBIAN
        });
        inputs.kernel = match random.below(6) {
            0 => vmlinux(!random.one_in(3)),
            1 => uki(&bzimage, &[0x30; 0x1801][..1 + random.below(0x1800) as usize]),
            _ => bzimage,
        };
        if random.one_in(2) {
            inputs.firmware = firmware(&mut random, &inputs.table);
        }
        inputs.initrd.resize(random.below(0x10_0000) as usize, 0x1f);
        inputs.limits = match random.below(4) {
            0 => Span::new(random.below(1 << 31), random.below(1 << 34)),
            _ => Request::ANYWHERE,
        };
        let gib_pages = random.one_in(2);
        inputs.change = if gib_pages { |running| running.gib_pages = true } else { |_| {} };
        if inputs.crash.is_some() && random.one_in(2) {
            inputs.backup = inputs.with(|request| low_memory_backup(request.memory, request.limits));
        }
        inputs.with(|request| {
            let mut line = [0; 2048];
            match Plan::new(request, &mut line) {
                Err(_) => refused += 1,
                Ok(plan) => {
                    judge(&inputs, &plan);
                    let plans = if inputs.crash.is_some() { &mut crash_plans } else { &mut ordinary_plans };
                    *plans += 1;
                    vmlinux_plans += i32::from(matches!(plan.kernel(), Kernel::Vmlinux(_)));
                    backup_plans += i32::from(inputs.backup.is_some());
                }
            }
        });
    }
    assert!(
        crash_plans > 300 && ordinary_plans > 300 && refused > 300,
        "{crash_plans} {ordinary_plans} {refused}"
    );
    assert!(vmlinux_plans > 100 && backup_plans > 100, "{vmlinux_plans} {backup_plans}");
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
                    let is_in = |table: &[Range]| {
                        table.iter().rfind(|range| range.span().contains(PhysAddr(page))).is_some_and(
                            |range| matches!(range.kind, RangeKind::SystemRam | RangeKind::CrashKernel),
                        )
                    };
                    is_in(&inputs.table) && (inputs.firmware.is_empty() || is_in(&inputs.firmware))
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
    let (_, first, _) = segments.iter().find(|(name, ..)| *name == "kernel").unwrap();
    match plan.kernel() {
        Kernel::BzImage(kernel) => {
            assert!(*first >= kernel.pref_address().0);
            if kernel.is_relocatable() {
                assert_eq!(first % kernel.kernel_alignment(), 0);
            } else {
                assert_eq!(*first, kernel.pref_address().0);
            }
            assert_eq!(plan.kernel_entry().0, first + 0x200);
        }
        Kernel::Vmlinux(kernel) => {
            let moved = first.wrapping_sub(VMLINUX[0].0);
            assert_eq!(if kernel.pvh_reloc().is_some() { moved % 0x20_0000 } else { moved }, 0);
            assert_eq!(plan.kernel_entry().0, first + 0xb53);
            // All of it, without a gap.
            let parts: Vec<_> = segments.iter().filter(|(name, ..)| *name == "kernel").collect();
            assert_eq!(parts.len(), 4);
            assert!(parts.windows(2).all(|pair| pair[0].2 + 1 == pair[1].1));
        }
    }
    let microcode = segments.iter().find(|(name, ..)| *name == "microcode");
    let initrd = segments.iter().find(|(name, ..)| *name == "initrd");
    if let (Some((.., last)), Some((_, first, _))) = (microcode, initrd) {
        assert_eq!(last + 1, *first);
    }
    let told: Vec<_> = plan.told().collect();
    assert!(told.windows(2).all(|pair| pair[0].end <= pair[1].start));
    if inputs.crash.is_some() {
        let used = segments.iter().filter(|(name, ..)| matches!(*name, "elfcorehdr" | "backup"));
        assert_eq!(used.clone().count(), 1 + usize::from(inputs.backup.is_some()));
        for (name, first, last) in used {
            let ram = |range: &&Range| range.kind == RangeKind::SystemRam;
            let told = told.iter().filter(ram).any(|range| range.start.0 <= *last && *first < range.end.0);
            assert!(!told, "{name}");
        }
    }
}
