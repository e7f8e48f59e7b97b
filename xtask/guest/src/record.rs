//! Records what the kernel says of its pages, as late before the crash as possible and without touching the page
//! cache: one tar archive, put together in memory and written past the cache.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use memmap2::{Advice, MmapMut, MmapOptions};

use crate::Outcome;

const BLOCK: usize = 512;
/// `O_DIRECT` of x86-64 Linux.
const O_DIRECT: i32 = 0o40000;
/// Room for the records of a machine whose page frames end below 8 GiB.
const ROOM: usize = 24 << 20;
/// In this order: what says most about pages comes last.
const FILES: [&str; 8] = [
    "/proc/version",
    "/proc/meminfo",
    "/proc/iomem",
    "/proc/buddyinfo",
    "/proc/zoneinfo",
    "/dmesg",
    "/proc/kpagecount",
    "/proc/kpageflags",
];

/// The memory for the records, there before the pages are filled: nothing may be allocated afterwards.
#[derive(Debug)]
pub(crate) struct Archive {
    room: MmapMut,
}

impl Archive {
    pub(crate) fn new() -> Outcome<Self> {
        let mut room = MmapOptions::new().len(ROOM).map_anon()?;
        room.advise(Advice::NoHugePage)?;
        room.fill(0);
        Ok(Self { room })
    }

    /// Writes the records to a block device.
    pub(crate) fn record(&mut self, device: &str, canaries: &str) -> Outcome<()> {
        let files: Vec<File> = FILES.iter().map(File::open).collect::<Result<_, _>>()?;
        let mut disk = OpenOptions::new().write(true).custom_flags(O_DIRECT).open(device)?;
        let mut end = append(&mut self.room, 0, "canaries", &mut canaries.as_bytes())?;
        for (path, mut file) in FILES.iter().zip(files) {
            end = append(&mut self.room, end, path.rsplit('/').next().unwrap_or(path), &mut file)?;
        }
        let whole = (end + 2 * BLOCK).next_multiple_of(4096);
        disk.write_all(&self.room[..whole])?;
        disk.sync_all()?;
        Ok(())
    }
}

/// Appends one member; returns the archive's new end.
fn append(archive: &mut [u8], at: usize, name: &str, content: &mut dyn Read) -> Outcome<usize> {
    let (header, room) = archive[at..].split_at_mut(BLOCK);
    let mut length = 0;
    loop {
        match content.read(&mut room[length..])? {
            0 => break,
            read => length += read,
        }
    }
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{length:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(at + BLOCK + length.next_multiple_of(BLOCK))
}
