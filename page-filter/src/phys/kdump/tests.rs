use std::vec;
use std::vec::Vec;

use vmcore_format::kdump::Part;

use super::*;

/// A kdump-compressed file of six frames, laid out by hand in the 64-bit little-endian layout of version 6:
/// 0 a hole, 1 raw, 2 snappy, 3 known and left out, 4 lost, 5 with a descriptor for zlib and data that are none.
fn file() -> Vec<u8> {
    let mut bytes = vec![0; 6 * 4096];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"KDUMP   \x06");
    for (at, value) in [(428, 4096_u32), (432, 1), (436, 2), (440, 6), (460, 1)] {
        put(at, &value.to_le_bytes());
    }
    put(4096 + 96, &6_u64.to_le_bytes());
    put(2 * 4096, &[0b11_1110]);
    put(3 * 4096, &[0b11_0110]);
    let data = 4 * 4096 + 4 * 24;
    let descs = [(data, 4096_u32, 0_u32), (data + 4096, PACKED.len() as u32, 4), (0, 0, 0), (data, 100, 1)];
    for (rank, (offset, size, flags)) in descs.into_iter().enumerate() {
        let at = 4 * 4096 + 24 * rank;
        put(at, &(offset as u64).to_le_bytes());
        put(at + 8, &size.to_le_bytes());
        put(at + 12, &flags.to_le_bytes());
    }
    put(data, &[0xaa; 4096]);
    put(data + 4096, &PACKED);
    bytes.truncate(data + 4096 + PACKED.len());
    bytes
}

/// A page of `x` in snappy's raw format: length 4096 (varint), a literal of one byte, then copies with offset 1: 63 of
/// 64 bytes and one of 63.
const PACKED: [u8; 2 + 2 + 3 * 64] = {
    let mut packed = [0; 196];
    (packed[0], packed[1], packed[2], packed[3]) = (0x80, 0x20, 0, b'x');
    let mut copy = 0;
    while copy < 64 {
        let len = if copy < 63 { 64 } else { 63 };
        packed[4 + 3 * copy] = (len - 1) << 2 | 2;
        packed[5 + 3 * copy] = 1;
        copy += 1;
    }
    packed
};

fn with<T>(bytes: &[u8], test: impl FnOnce(&mut KdumpMemory<'_>) -> T) -> Option<T> {
    let mut parts = [Part::new(&bytes)];
    let mut index = [0; 4];
    let mut decode = DecodeScratch::new();
    let mut buffer = vec![0; 3 * 4096];
    let file = KdumpFile::open(&mut parts, &mut index).ok()?;
    Some(test(&mut KdumpMemory::new(file, &mut decode, &mut buffer).unwrap()))
}

#[test]
fn whole_pages_and_parts_of_them_are_decoded() {
    let bytes = file();
    with(&bytes, |memory| {
        let mut page = vec![0; 4096];
        memory.read(PhysAddr(0x1000), &mut page).unwrap();
        assert!(page.iter().all(|&byte| byte == 0xaa));
        memory.read(PhysAddr(0x2000), &mut page).unwrap();
        assert!(page.iter().all(|&byte| byte == b'x'));
        for _ in 0..3 {
            let mut across = [0; 16];
            memory.read(PhysAddr(0x1ff8), &mut across).unwrap();
            assert_eq!(across[..8], [0xaa; 8]);
            assert_eq!(across[8..], *b"xxxxxxxx");
        }
        let mut both = vec![0; 0x2000 - 2];
        memory.read(PhysAddr(0x1001), &mut both).unwrap();
        assert!(
            both[..0xfff].iter().all(|&byte| byte == 0xaa) && both[0xfff..].iter().all(|&byte| byte == b'x')
        );
    })
    .unwrap();
}

#[test]
fn each_missing_page_says_why() {
    let bytes = file();
    with(&bytes, |memory| {
        let faults =
            [(0, Fault::Hole), (3, Fault::Excluded), (4, Fault::Lost), (5, Fault::Lost), (6, Fault::Hole)];
        for (pfn, fault) in faults {
            for len in [1, 4096] {
                let mut buf = vec![0; len];
                assert_eq!(memory.read(PhysAddr(pfn << 12), &mut buf), Err(fault), "{pfn} {len}");
            }
        }
        assert_eq!(memory.read(PhysAddr(u64::MAX), &mut [0, 0]), Err(Fault::Hole));
        // A page that failed is not among those kept.
        assert_eq!(memory.read(PhysAddr(0x5000), &mut [0]), Err(Fault::Lost));
        assert_eq!(memory.next_known(Pfn(0)), Ok(Some(Pfn(1)..Pfn(6))));
        assert_eq!(memory.next_held(Pfn(2)), Ok(Some(Pfn(2)..Pfn(3))));
        assert_eq!(memory.next_held(Pfn(6)), Ok(None));
    })
    .unwrap();
}

#[test]
fn a_truncated_file_loses_pages_and_nothing_worse() {
    let bytes = file();
    for len in (0..bytes.len()).step_by(13) {
        with(&bytes[..len], |memory| {
            let mut page = vec![0; 4096];
            for pfn in 0..7 {
                if memory.read(PhysAddr(pfn << 12), &mut page).is_ok() {
                    assert!(page.iter().all(|byte| [0xaa, b'x'].contains(byte)), "{len:#x} {pfn}");
                }
            }
        });
    }
}

#[test]
fn two_pages_are_the_least_memory() {
    let bytes: &[u8] = &file();
    let mut index = [0; 1];
    for len in [0, 4095, 8191] {
        let (mut parts, mut decode, mut buffer) = ([Part::new(&bytes)], DecodeScratch::new(), vec![0; len]);
        let file = KdumpFile::open(&mut parts, &mut index).unwrap();
        let error = KdumpMemory::new(file, &mut decode, &mut buffer).unwrap_err();
        assert_eq!(error, Error::BufferTooSmall { needed: 8192 });
    }
}
