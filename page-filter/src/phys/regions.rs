//! The memory of a machine that lies in the embedder's own: a virtual machine monitor's guest, a firmware's system.

use core::ops::Range;

use vmcore_format::{PageSize, Pfn, PhysAddr};

use super::{Fault, PhysMemory};

/// [`PhysMemory`] over slices, each the memory at a physical address.
///
/// The regions stand in ascending order and do not overlap. A page frame that a region covers in part reads as zero
/// outside it.
#[derive(Debug, Clone, Copy)]
pub struct Regions<'a> {
    regions: &'a [(PhysAddr, &'a [u8])],
    page_size: PageSize,
}

/// The address after `bytes` at `start`.
fn end_of((start, bytes): &(PhysAddr, &[u8])) -> u64 {
    start.0.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

impl<'a> Regions<'a> {
    /// The memory of `regions`, or `None` unless they are in ascending order and apart.
    #[must_use]
    pub fn new(regions: &'a [(PhysAddr, &'a [u8])], page_size: PageSize) -> Option<Self> {
        let apart = regions.windows(2).all(|pair| match pair {
            [low, high] => end_of(low) <= high.0.0,
            _ => true,
        });
        apart.then_some(Self { regions, page_size })
    }

    /// The end of memory: the frame after the highest one.
    #[must_use]
    pub fn end(&self) -> Pfn {
        self.page_size.frame_above(PhysAddr(self.regions.last().map_or(0, end_of)))
    }

    /// The bytes from `addr` to the end of its region, or the address of the next region.
    fn at(&self, addr: u64) -> Result<&'a [u8], u64> {
        let next = self.regions.partition_point(|region| end_of(region) <= addr);
        let (start, bytes) = *self.regions.get(next).ok_or(u64::MAX)?;
        let skip = addr.checked_sub(start.0).ok_or(start.0)?;
        usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)).ok_or(u64::MAX)
    }

    /// Whether any byte of the frame at `pfn` is there.
    fn holds(&self, pfn: Pfn) -> bool {
        self.run(pfn).is_some_and(|run| run.start == pfn)
    }

    fn run(&self, from: Pfn) -> Option<Range<Pfn>> {
        let frames = |region: &(PhysAddr, &[u8])| {
            self.page_size.frame_of(region.0)..self.page_size.frame_above(PhysAddr(end_of(region)))
        };
        let at = self.regions.partition_point(|region| frames(region).end <= from);
        let run = self.regions.get(at..)?.iter().map(frames).find(|run| run.start < run.end)?;
        Some(from.max(run.start)..run.end)
    }
}

impl PhysMemory for Regions<'_> {
    fn page_size(&self) -> PageSize {
        self.page_size
    }

    fn read(&mut self, addr: PhysAddr, mut buf: &mut [u8]) -> Result<(), Fault> {
        let mut addr = addr.0;
        while !buf.is_empty() {
            let pfn = self.page_size.frame_of(PhysAddr(addr));
            if !self.holds(pfn) {
                return Err(Fault::Hole);
            }
            let in_page = self.page_size.offset_in_page(PhysAddr(addr));
            let len = match self.at(addr) {
                Ok(bytes) => bytes.len(),
                // Zeros up to the region, and no further than this page: the next one may be a hole.
                Err(next) => usize::try_from(
                    next.saturating_sub(addr).min(self.page_size.bytes().saturating_sub(in_page)),
                )
                .unwrap_or(usize::MAX),
            };
            let (part, rest) = buf.split_at_mut(len.min(buf.len()));
            match self.at(addr).ok().and_then(|bytes| bytes.get(..part.len())) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
            let len = u64::try_from(part.len()).map_err(|_| Fault::Hole)?;
            addr = addr.checked_add(len).filter(|&end| end > addr).ok_or(Fault::Hole)?;
            buf = rest;
        }
        Ok(())
    }

    fn view(&self, addr: PhysAddr, len: usize) -> Option<&[u8]> {
        self.at(addr.0).ok()?.get(..len)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(self.run(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: PageSize = PageSize::KIB_4;

    #[test]
    fn frames_covered_in_part_read_as_zero_outside() {
        let (low, high) = ([1_u8; 0x1800], [2_u8; 0x1000]);
        let regions: [(PhysAddr, &[u8]); 2] = [(PhysAddr(0x1000), &low), (PhysAddr(0x2c00), &high)];
        let mut memory = Regions::new(&regions, PAGE).unwrap();
        let mut page = [9; 0x1000];
        memory.read(PhysAddr(0x2000), &mut page).unwrap();
        assert!(page[..0x800].iter().all(|&b| b == 1));
        assert!(page[0x800..0xc00].iter().all(|&b| b == 0));
        assert!(page[0xc00..].iter().all(|&b| b == 2));
        memory.read(PhysAddr(0x3000), &mut page).unwrap();
        assert!(page[..0xc00].iter().all(|&b| b == 2) && page[0xc00..].iter().all(|&b| b == 0));
        assert_eq!(memory.read(PhysAddr(0x3fff), &mut page[..2]), Err(Fault::Hole));
        assert_eq!(memory.read(PhysAddr(0xfff), &mut page[..2]), Err(Fault::Hole));
        assert_eq!(memory.read(PhysAddr(u64::MAX), &mut page), Err(Fault::Hole));
        assert_eq!(memory.view(PhysAddr(0x1000), 0x1800), Some(&low[..]));
        assert_eq!(memory.view(PhysAddr(0x1000), 0x1801), None);
        assert_eq!(memory.end(), Pfn(4));
    }

    #[test]
    fn runs_come_once_and_in_order() {
        let bytes = [0_u8; 0x3000];
        let regions: [(PhysAddr, &[u8]); 4] = [
            (PhysAddr(0x1800), &bytes[..0x400]),
            (PhysAddr(0x1c00), &bytes[..0x1000]),
            (PhysAddr(0x2c00), &bytes[..0]),
            (PhysAddr(0x8000), &bytes),
        ];
        let mut memory = Regions::new(&regions, PAGE).unwrap();
        let mut from = Pfn(0);
        let mut frames = [false; 16];
        while let Some(run) = memory.next_known(from).unwrap() {
            assert!(run.start >= from && run.end > run.start);
            frames[run.start.0 as usize..run.end.0 as usize].fill(true);
            from = run.end;
        }
        let held: [usize; 5] = [1, 2, 8, 9, 10];
        assert!(frames.iter().enumerate().all(|(pfn, &is)| is == held.contains(&pfn)));
        assert!(Regions::new(&[(PhysAddr(4), &bytes), (PhysAddr(8), &bytes)], PAGE).is_none());
    }
}
