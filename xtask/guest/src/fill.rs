//! Fills pages of every kind and holds on to them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use memmap2::{Advice, MmapMut, MmapOptions};

use crate::Outcome;
use crate::canary::{self, Kind, PAGE};

const HUGE: usize = 2 << 20;
/// What a pipe holds unless told otherwise: 16 pages.
const PAGES_OF_A_PIPE: u32 = 16;

/// More than the CPUs hold back from the buddy lists.
const FREED: usize = 6144;

/// Everything that keeps the filled pages in use.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    mappings: Vec<MmapMut>,
    pipes: Vec<(PipeReader, PipeWriter)>,
    files: Vec<File>,
    filled: Vec<(Kind, u32)>,
}

impl Pages {
    /// One line per kind: its number, its name, how many pages were filled.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for (kind, count) in &self.filled {
            let _ = writeln!(text, "{} {} {count}", kind.number(), kind.name());
        }
        text
    }

    fn anonymous(&mut self, kind: Kind, length: usize, prepare: impl Fn(&MmapMut)) -> Outcome<()> {
        let mut map = MmapOptions::new().len(length).map_anon()?;
        prepare(&map);
        canary::write_pages(kind, &mut map);
        self.mappings.push(map);
        self.filled.push((kind, (length / PAGE) as u32));
        Ok(())
    }

    /// Huge pages of a size the kernel forms by itself: the mapping is twice as long as wanted, so that a whole
    /// aligned 2 MiB page fits wherever it begins.
    fn transparent_huge(&mut self, kind: Kind) -> Outcome<()> {
        self.anonymous(kind, 4 * HUGE, |map| {
            let _ = map.advise(Advice::HugePage);
        })
    }

    fn small_folios(&mut self) -> Outcome<()> {
        fs::write("/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled", "always")?;
        // Shorter than 2 MiB, so that only the smaller size fits.
        self.anonymous(Kind::Mthp, HUGE / 2, |_| {})
    }

    fn hugetlb(&mut self) -> Outcome<()> {
        fs::write("/proc/sys/vm/nr_hugepages", "4")?;
        let mut map = MmapOptions::new().len(3 * HUGE).huge(Some(21)).map_anon()?;
        // The third page stays untouched: reserved and not mapped.
        canary::write_pages(Kind::Hugetlb, &mut map[..2 * HUGE]);
        self.mappings.push(map);
        self.filled.push((Kind::Hugetlb, (2 * HUGE / PAGE) as u32));
        Ok(())
    }

    /// Equal pages, merged by ksmd into one.
    fn merged(&mut self) -> Outcome<()> {
        let mut map = MmapOptions::new().len(64 * PAGE).map_anon()?;
        map.advise(Advice::NoHugePage)?;
        for page in map.chunks_exact_mut(PAGE) {
            canary::write_page(Kind::Ksm, 0, page);
        }
        map.advise(Advice::Mergeable)?;
        fs::write("/sys/kernel/mm/ksm/sleep_millisecs", "1")?;
        fs::write("/sys/kernel/mm/ksm/run", "1")?;
        for _ in 0..200 {
            let sharing: u32 = fs::read_to_string("/sys/kernel/mm/ksm/pages_sharing")?.trim().parse()?;
            if sharing >= 63 {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        fs::write("/sys/kernel/mm/ksm/run", "0")?;
        self.mappings.push(map);
        self.filled.push((Kind::Ksm, 1));
        Ok(())
    }

    fn written(&mut self, kind: Kind, path: &str, count: u32) -> Outcome<()> {
        canary::write_file(kind, count, Path::new(path))?;
        self.files.push(File::open(path)?);
        self.filled.push((kind, count));
        Ok(())
    }

    /// Pages that exist on a disk, brought into the page cache by reading. The reader's buffer does not lie on a
    /// page boundary: it would look like a canary itself.
    fn read(&mut self, kind: Kind, path: &str, count: u32) -> Outcome<()> {
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 2 * PAGE];
        let start = (PAGE - buffer.as_ptr() as usize % PAGE + 64) % PAGE;
        for _ in 0..count {
            file.read_exact(&mut buffer[start..start + PAGE])?;
        }
        buffer.fill(0);
        self.files.push(file);
        self.filled.push((kind, count));
        Ok(())
    }

    fn pipes(&mut self, count: u32) -> Outcome<()> {
        let mut writers = Vec::new();
        for _ in 0..count.div_ceil(PAGES_OF_A_PIPE) {
            writers.push(pipe()?);
        }
        let mut written = 0;
        canary::for_each_page(Kind::Pipe, count, |page| {
            let at = (written / PAGES_OF_A_PIPE) as usize;
            written += 1;
            writers[at].1.write_all(page)
        })?;
        self.pipes = writers;
        self.filled.push((Kind::Pipe, count));
        Ok(())
    }

    fn freed(&mut self) -> Outcome<()> {
        let length = FREED * PAGE;
        let mut map = MmapOptions::new().len(length).map_anon()?;
        map.advise(Advice::NoHugePage)?;
        canary::write_pages(Kind::Freed, &mut map);
        drop(map);
        self.filled.push((Kind::Freed, FREED as u32));
        Ok(())
    }

    fn poisoned(&mut self) -> Outcome<()> {
        let length = 4 * PAGE;
        let mut map = MmapOptions::new().len(length).map_anon()?;
        map.advise(Advice::NoHugePage)?;
        canary::write_pages(Kind::HwPoison, &mut map);
        map.advise(Advice::HwPoison)?;
        self.mappings.push(map);
        self.filled.push((Kind::HwPoison, 4));
        Ok(())
    }

    fn attempt(&mut self, kind: Kind, fill: impl FnOnce(&mut Self) -> Outcome<()>) {
        if let Err(error) = fill(self) {
            println!("kcapture: no pages of kind {}: {error}", kind.name());
        }
    }
}

/// Fills every kind; one that this kernel does not offer is named and left out.
pub(crate) fn every_kind() -> Pages {
    let mut pages = Pages::default();
    // What needs large free blocks comes first.
    pages.attempt(Kind::Hugetlb, Pages::hugetlb);
    pages.attempt(Kind::Thp, |pages| pages.transparent_huge(Kind::Thp));
    pages.attempt(Kind::TmpfsHuge, |pages| pages.written(Kind::TmpfsHuge, "/huge/canary", 1024));
    pages.attempt(Kind::Mthp, Pages::small_folios);
    pages.attempt(Kind::Anon, |pages| {
        pages.anonymous(Kind::Anon, 512 * PAGE, |map| {
            let _ = map.advise(Advice::NoHugePage);
        })
    });
    pages.attempt(Kind::Locked, |pages| {
        pages.anonymous(Kind::Locked, 16 * PAGE, |map| {
            let _ = map.lock();
        })
    });
    pages.attempt(Kind::Ksm, Pages::merged);
    pages.attempt(Kind::Tmpfs, |pages| pages.written(Kind::Tmpfs, "/tmp/canary", 256));
    pages.attempt(Kind::Rootfs, |pages| pages.written(Kind::Rootfs, "/canary", 256));
    pages.attempt(Kind::Ext4SmallBlocks, |pages| pages.read(Kind::Ext4SmallBlocks, "/ext4-1k/clean", 512));
    pages.attempt(Kind::Ext4, |pages| pages.read(Kind::Ext4, "/ext4-4k/clean", 512));
    pages.attempt(Kind::BlockDevice, |pages| pages.read(Kind::BlockDevice, "/dev/vda", 256));
    pages.attempt(Kind::Ext4SmallBlocksDirty, |pages| {
        pages.written(Kind::Ext4SmallBlocksDirty, "/ext4-1k/dirty", 256)
    });
    pages.attempt(Kind::Ext4Dirty, |pages| pages.written(Kind::Ext4Dirty, "/ext4-4k/dirty", 256));
    pages.attempt(Kind::Pipe, |pages| pages.pipes(128));
    pages.attempt(Kind::HwPoison, Pages::poisoned);
    pages.attempt(Kind::Freed, Pages::freed);
    pages
}
