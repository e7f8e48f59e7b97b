//! Pages whose physical addresses lie in given ranges.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use memmap2::{MmapMut, MmapOptions};

use crate::Outcome;
use crate::canary::{self, Kind, PAGE};

/// Pages written in each range.
const WANTED: usize = 8;

/// Takes `mib` MiB of memory and writes canaries to a few of its pages in each range; says which, and where. The memory is
/// in use as long as the answer lives.
pub(crate) fn canaries(mib: usize, ranges: &[Range<u64>]) -> Outcome<MmapMut> {
    let mut memory = MmapOptions::new().len(mib << 20).map_anon()?;
    for page in memory.chunks_exact_mut(PAGE) {
        // The page is there from now on, and stays one of zeros.
        page[0] = 0;
    }
    let first = memory.as_ptr() as usize / PAGE;
    let pagemap = File::open("/proc/self/pagemap")?;
    for range in ranges {
        let mut left = WANTED;
        for (page, index) in memory.chunks_exact_mut(PAGE).zip(0..) {
            let paddr = physical(&pagemap, first + index as usize)?;
            if left > 0 && paddr.is_some_and(|paddr| range.contains(&paddr)) {
                canary::write_page(Kind::Anon, index, page);
                left -= 1;
                println!("kcapture: canary {index} {:#x}", paddr.unwrap_or_default());
            }
        }
        if left > 0 {
            return Err(format!("of {mib} MiB {left} pages too few lie in {range:x?}").into());
        }
    }
    Ok(memory)
}

/// The physical address of a page of this process, by the page's number (`Documentation/admin-guide/mm/pagemap.rst`).
fn physical(pagemap: &File, page: usize) -> Outcome<Option<u64>> {
    let mut entry = [0; 8];
    pagemap.read_exact_at(&mut entry, page as u64 * 8)?;
    let entry = u64::from_le_bytes(entry);
    let frame = entry & ((1 << 55) - 1);
    Ok((entry >> 63 == 1).then_some(frame * PAGE as u64))
}

/// `start-last`, hexadecimal, as `/proc/iomem` has it.
pub(crate) fn range(text: &str) -> Outcome<Range<u64>> {
    let (start, last) = text.split_once('-').ok_or("a range is START-LAST")?;
    Ok(u64::from_str_radix(start, 16)?..u64::from_str_radix(last, 16)? + 1)
}
