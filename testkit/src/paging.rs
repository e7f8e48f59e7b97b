//! x86_64 page tables (Intel SDM volume 3, chapter 4; `Documentation/arch/x86/x86_64/mm.rst`).

use crate::builder::Arch;
use crate::mem_map::MemModel;
use crate::{Machine, Use};

const PRESENT_WRITE_ACCESSED_DIRTY: u64 = 0x63;
const PAGE_SIZE_BIT: u64 = 0x80;
const NO_EXECUTE: u64 = 1 << 63;

/// The tables of a machine that has them: pages set aside before memory is populated, filled afterwards.
#[derive(Debug)]
pub(crate) struct Tables {
    root: u64,
    pool: Vec<u64>,
}

impl Tables {
    pub(crate) fn reserve(m: &mut Machine) -> Option<Self> {
        if m.spec.arch != Arch::X86_64 {
            return None;
        }
        assert_eq!(m.spec.page_size, 0x1000, "x86_64 has 4 KiB pages");
        let root = m.symbol_at("init_top_pgt", 0x1000);
        let (ranges, sections) = (m.spec.ranges.len() as u64, m.mem_map.sections());
        let count = if m.spec.compact { 8 + 2 * sections } else { 24 + 4 * sections + 6 * ranges };
        let mut pool: Vec<u64> = (0..count).map(|_| m.alloc(1, 1, Use::Table)).collect();
        // A walk that assumes neighbouring tables must fail.
        pool.reverse();
        Some(Self { root, pool })
    }

    pub(crate) fn write(mut self, m: &mut Machine) {
        // The kernel's image, in one 2 MiB page.
        self.map(m, m.text_virt(), m.spec.text_phys, 21);
        self.linear_map(m);
        if let MemModel::Vmemmap { huge, .. } = m.spec.model {
            let mapped: Vec<(u64, u64)> = m.mem_map.vmemmap_pages();
            let step = if huge { 21 } else { 12 };
            for (virt, phys) in mapped {
                if virt % (1 << step) == 0 {
                    self.map(m, virt, phys, step);
                }
            }
        }
    }

    /// 1 GiB pages above 4 GiB, 2 MiB pages where memory fills them, 4 KiB pages elsewhere.
    fn linear_map(&mut self, m: &mut Machine) {
        for (start, end) in m.spec.ranges.clone() {
            let mut at = start & !0xfff;
            while at < end {
                let fits = |shift: u32| at % (1 << shift) == 0 && at + (1 << shift) <= end;
                let shift = if at >= 4 << 30 && at % (1 << 30) == 0 {
                    30
                } else if fits(21) {
                    21
                } else {
                    12
                };
                self.map(m, m.linear(at), at, shift);
                at += 1 << shift;
            }
        }
    }

    fn map(&mut self, m: &mut Machine, virt: u64, phys: u64, page_shift: u32) {
        let mut table = self.root;
        let mut shift = if m.spec.five_levels { 48 } else { 39 };
        while shift > page_shift {
            let entry = table + ((virt >> shift) & 511) * 8;
            let old = u64::from_le_bytes(m.read(entry, 8).try_into().expect("eight bytes"));
            table = if old & 1 == 0 {
                let next = self.pool.pop().expect("enough tables were set aside");
                self.set(m, entry, next);
                next
            } else {
                old & 0x000f_ffff_ffff_f000 & !m.spec.sme_mask
            };
            shift -= 9;
        }
        let entry = table + ((virt >> shift) & 511) * 8;
        let large = if shift > 12 { PAGE_SIZE_BIT } else { 0 };
        self.set(m, entry, phys | large | NO_EXECUTE);
    }

    fn set(&self, m: &mut Machine, entry: u64, value: u64) {
        let value = value | PRESENT_WRITE_ACCESSED_DIRTY | m.spec.sme_mask;
        m.poke(entry, &value.to_le_bytes());
    }
}
