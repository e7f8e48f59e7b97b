//! Pages whose packed bytes are damaged: bombs, streams without end, offsets to nowhere.

use super::{Expect, HostileDump, Meet, machine, pages_of};
use crate::{Arch, Codec, kdump_of, lzo, snappy, zlib, zstd};

const ZLIB: u32 = 1;
const LZO: u32 = 2;
const SNAPPY: u32 = 4;
const ZSTD: u32 = 0x20;

/// Packed pages, each broken in its own way: name, `page_desc.flags`, bytes.
fn broken_pages() -> Vec<(String, u32, Vec<u8>)> {
    let page: Vec<u8> = (0..4096_u32).map(|i| (i * i / 77) as u8).collect();
    let large = vec![0; 1 << 20];
    let longer = [&page[..], b"!"].concat();
    let mut all: Vec<(String, u32, Vec<u8>)> = Vec::new();
    type Pack = fn(&[u8]) -> Vec<u8>;
    let packers: [(&str, u32, Pack); 4] =
        [("zlib", ZLIB, zlib), ("lzo", LZO, lzo), ("snappy", SNAPPY, snappy), ("zstd", ZSTD, zstd)];
    for (name, flags, pack) in packers {
        let bomb = pack(&large);
        // A descriptor of more than a page is refused by itself: this is what a reader sees of such a stream.
        all.push((format!("{name} of 1 MiB"), flags, bomb[..bomb.len().min(4096)].to_vec()));
        all.push((format!("{name} of 64 KiB"), flags, pack(&large[..1 << 16])));
        all.push((format!("{name} of a page and a byte"), flags, cut(pack(&longer))));
        all.push((format!("{name} of two pages"), flags, pack(&large[..8192])));
        all.push((format!("{name} of a page but a byte"), flags, pack(&large[..4095])));
        all.push((format!("{name} of half a page"), flags, pack(&large[..2048])));
        all.push((format!("{name} of nothing"), flags, pack(&[])));
        let whole = pack(&vec![7; 4096]);
        for len in [1, 2, whole.len() / 2, whole.len() - 1] {
            all.push((format!("{name} cut to {len} bytes"), flags, whole[..len].to_vec()));
        }
        for fill in [0_u8, 0xff, 0x80, 0x55] {
            for len in [1, 7, 300, 4095] {
                all.push((format!("{name}: {len} bytes of {fill:#x}"), flags, vec![fill; len]));
            }
        }
    }
    all.extend(broken_zlib());
    all.extend(broken_lzo());
    all.extend(broken_snappy());
    all.extend(broken_zstd());
    for flags in [3, 5, 6, 7, 8, 0x10, 0x21, 0x40, 0x8000_0000, u32::MAX] {
        all.push((format!("flags {flags:#x}"), flags, zlib(&large[..4096])));
    }
    all.push(("raw of 4095 bytes".to_owned(), 0, page[..4095].to_vec()));
    all.push(("raw of a byte".to_owned(), 0, vec![1]));
    all
}

fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(4096);
    bytes
}

fn broken_zlib() -> Vec<(String, u32, Vec<u8>)> {
    let good = zlib(&[7; 4096]);
    let mut all = Vec::new();
    let mut damaged = |name: &str, at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        all.push((format!("zlib with {name}"), ZLIB, bytes));
    };
    damaged("another checksum", good.len() - 1, good[good.len() - 1] ^ 1);
    damaged("method 7", 0, 0x77);
    damaged("a window of 64 KiB", 0, 0x88);
    damaged("a dictionary", 1, 0x20 | good[1]);
    damaged("block type 3", 2, good[2] | 6);
    // RFC 1951: stored blocks say their length twice; a match reaches back before the first byte; codes that no tree has.
    for (name, deflate) in [
        ("a stored block of 65535 bytes", &[1, 0xff, 0xff, 0, 0, 1, 2, 3][..]),
        ("a stored block whose lengths differ", &[1, 4, 0, 4, 0, 1, 2, 3, 4]),
        ("empty stored blocks without end", &[0, 0, 0, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0xff, 0xff]),
        ("a match before the first byte", &[0x4b, 0x04, 0x42, 0x00]),
        ("a tree of no codes", &[0x05, 0xc0, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00]),
        ("a tree of too many codes", &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ] {
        all.push((format!("zlib with {name}"), ZLIB, [&[0x78, 0x01], deflate, &[0; 4]].concat()));
    }
    all
}

fn broken_lzo() -> Vec<(String, u32, Vec<u8>)> {
    // A run of literals of which the length never ends, or is longer than what is there; matches that reach back too far.
    let cases: [(&str, Vec<u8>); 8] = [
        ("a length of 4000 zeros", vec![0; 4000]),
        ("more literals than bytes", vec![0, 200, 1, 2, 3]),
        ("a match before the first byte", vec![21, 1, 2, 3, 4, 0x40, 0xff, 0x11, 0, 0]),
        ("a far match before the first byte", vec![21, 1, 2, 3, 4, 0x18, 0xfc, 0xff, 0x11, 0, 0]),
        ("a match of 60000 bytes", [&[21, 1, 2, 3, 4, 0x20][..], &[0; 234], &[9, 0, 0, 0x11, 0, 0]].concat()),
        ("a match whose length never ends", [&[21, 1, 2, 3, 4, 0x20][..], &[0; 3000]].concat()),
        ("an end at once", vec![0x11, 0, 0]),
        ("bytes after its end", [lzo(&[7; 4096]), vec![1, 2, 3]].concat()),
    ];
    cases.into_iter().map(|(name, bytes)| (format!("lzo with {name}"), LZO, bytes)).collect()
}

fn broken_snappy() -> Vec<(String, u32, Vec<u8>)> {
    let cases: [(&str, Vec<u8>); 9] = [
        ("a length of 4 GiB", vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1]),
        ("a length of 2^70", vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ("a length without end", vec![0x80; 20]),
        ("a length of a page and no more", vec![0x80, 0x20]),
        ("a copy before the first byte", vec![0x80, 0x20, 0, 1, 0xfe, 0xff, 0xff]),
        ("a copy from itself", vec![0x80, 0x20, 0, 1, 0xfe, 0, 0]),
        ("a copy from 4 GiB before", vec![0x80, 0x20, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a literal of 4 GiB", vec![0x80, 0x20, 0xfc, 0xff, 0xff, 0xff, 0xff, 1, 2]),
        ("more than it says", [vec![0x01], snappy(&[7; 4096])[2..].to_vec()].concat()),
    ];
    cases.into_iter().map(|(name, bytes)| (format!("snappy with {name}"), SNAPPY, bytes)).collect()
}

fn broken_zstd() -> Vec<(String, u32, Vec<u8>)> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    // RFC 8878: the frame header's descriptor, window and sizes, then blocks of 3-byte headers (last, type, size).
    let block = |last: u32, kind: u32, size: u32| (last | kind << 1 | size << 3).to_le_bytes()[..3].to_vec();
    let with = |head: &[u8], blocks: Vec<u8>| [&MAGIC, head, &blocks].concat();
    let single = [0xa0, 0, 0x10, 0, 0];
    let mut runs = Vec::new();
    for _ in 0..500 {
        runs.extend([block(0, 1, 1 << 17), vec![0]].concat());
    }
    let cases: [(&str, Vec<u8>); 13] = [
        (
            "a content of 2^64 - 1 bytes",
            with(&[0xe0, 255, 255, 255, 255, 255, 255, 255, 255], block(1, 0, 0)),
        ),
        ("a window of 3.75 TiB", with(&[0x00, 0xff], [block(1, 1, 4096), vec![0]].concat())),
        ("500 runs of 128 KiB", with(&[0x00, 0x38], runs)),
        ("a run of 2 MiB", with(&single, [block(1, 1, (1 << 21) - 1), vec![0]].concat())),
        ("a raw block of more than there is", with(&single, [block(1, 0, 4096), vec![0; 100]].concat())),
        ("a packed block of more than there is", with(&single, [block(1, 2, 4000), vec![0; 100]].concat())),
        ("a packed block of a byte", with(&single, [block(1, 2, 1), vec![0xff]].concat())),
        ("the reserved block type", with(&single, [block(1, 3, 10), vec![0; 10]].concat())),
        ("no last block", with(&single, [block(0, 1, 4096), vec![0]].concat())),
        ("a dictionary", with(&[0xa3, 1, 2, 3, 4, 0, 0x10, 0, 0], [block(1, 1, 4096), vec![0]].concat())),
        ("another checksum", with(&[0xa4, 0, 0x10, 0, 0], [block(1, 1, 4096), vec![0, 1, 2, 3, 4]].concat())),
        ("a skippable frame", [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &[0; 8]].concat()),
        ("the reserved bit", with(&[0xa8, 0, 0x10, 0, 0], [block(1, 1, 4096), vec![0]].concat())),
    ];
    cases.into_iter().map(|(name, bytes)| (format!("zstd with {name}"), ZSTD, bytes)).collect()
}

/// kdump-compressed files of which one page is broken: it alone is lost.
pub fn hostile_pages(meet: Meet<'_>) {
    const BROKEN: u64 = 0x203;
    let machine = machine(Arch::X86_64);
    let mut kdump = kdump_of(&machine, 0);
    kdump.codec = Codec::Mixed;
    let file = kdump.to_vec();
    let mut rest = pages_of(&machine);
    rest.remove(&BROKEN);
    let number = kdump.pages.keys().position(|pfn| *pfn == BROKEN).expect("the page is there");
    let desc = kdump.descs_at() + 24 * number;
    for (name, flags, bytes) in broken_pages() {
        let mut damaged = file.clone();
        let at = damaged.len() as u64;
        damaged[desc..desc + 8].copy_from_slice(&at.to_le_bytes());
        damaged[desc + 8..desc + 12].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        damaged[desc + 12..desc + 16].copy_from_slice(&flags.to_le_bytes());
        damaged.extend_from_slice(&bytes);
        meet(HostileDump::new(format!("page: {name}"), damaged, Expect::Pages(rest.clone())));
    }
}
