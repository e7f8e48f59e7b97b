use std::vec;
use std::vec::Vec;

use super::*;

const PAGE: PageSize = PageSize::KIB_4;

fn load(p_paddr: u64, p_offset: u64, p_filesz: u64, p_memsz: u64) -> ProgramHeader {
    ProgramHeader { p_type: 1, p_paddr, p_offset, p_filesz, p_memsz, ..ProgramHeader::default() }
}

/// A file whose every byte says which one it is, roughly.
fn file(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn with<T>(bytes: &[u8], loads: &[ProgramHeader], test: impl FnOnce(&mut ElfMemory<'_>) -> T) -> T {
    let mut index = vec![LoadSlot::default(); loads.len()];
    test(&mut ElfMemory::new(&bytes, loads, &mut index, PAGE).unwrap())
}

/// What reading byte by byte gives, straight from the definition.
fn expected(bytes: &[u8], loads: &[ProgramHeader], addr: u64) -> Option<u8> {
    let holds = |load: &&ProgramHeader| (load.p_paddr..load.p_paddr + load.p_filesz).contains(&addr);
    let load = loads.iter().find(holds)?;
    bytes.get((load.p_offset + addr - load.p_paddr) as usize).copied()
}

/// All frames that the runs of `next` name, checking that none comes twice.
fn frames(mut next: impl FnMut(Pfn) -> Option<Range<Pfn>>) -> Vec<u64> {
    let (mut from, mut all) = (Pfn(0), Vec::new());
    while let Some(run) = next(from) {
        assert!(run.start >= from && run.end > run.start, "{run:?} from {from:?}");
        all.extend(run.start.0..run.end.0);
        from = run.end;
    }
    all
}

/// Loads that overlap, stand in any order, and end in the middle of pages.
fn tangle() -> Vec<ProgramHeader> {
    vec![
        load(0x4000, 0x100, 0x2800, 0x2800),
        load(0x1000, 0x4000, 0x1c00, 0x1c00),
        load(0x3000, 0x8000, 0x5000, 0x6000),
        load(0x2e00, 0x6000, 0x200, 0x200),
        load(0x5000, 0xd000, 0, 0x9000),
        load(0x5800, 0x9100, 0x100, 0x100),
        load(0x12000, 0xe000, 0x10, 0x10),
        load(0x11000, 0xf000, 0, 0),
    ]
}

#[test]
fn reads_agree_with_the_definition_byte_by_byte() {
    let (bytes, loads) = (file(0x1_0000), tangle());
    with(&bytes, &loads, |memory| {
        for len in [1_usize, 7, 0x800, 0x1000, 0x2345] {
            for addr in (0..0x1_4000).step_by(0x1ff) {
                let mut buf = vec![0xee; len];
                let touched = addr / 0x1000..(addr + len as u64 - 1) / 0x1000 + 1;
                let held = |pfn: u64| {
                    (pfn * 0x1000..(pfn + 1) * 0x1000).any(|addr| expected(&bytes, &loads, addr).is_some())
                };
                let result = memory.read(PhysAddr(addr), &mut buf);
                match touched.clone().find(|&pfn| !held(pfn)) {
                    None => {
                        let want = (addr..).take(len).map(|addr| expected(&bytes, &loads, addr).unwrap_or(0));
                        assert!(result.is_ok() && buf.into_iter().eq(want), "{addr:#x} {len:#x}");
                    }
                    Some(pfn) => {
                        let known = loads.iter().any(|load| {
                            load.p_memsz > 0
                                && load.p_paddr < (pfn + 1) * 0x1000
                                && load.memory().end > pfn * 0x1000
                        });
                        let fault = if known { Fault::Excluded } else { Fault::Hole };
                        assert_eq!(result, Err(fault), "{addr:#x} {len:#x}");
                    }
                }
            }
        }
    });
}

#[test]
fn runs_name_each_frame_once_in_order() {
    let (bytes, loads) = (file(0x1_0000), tangle());
    with(&bytes, &loads, |memory| {
        let known = frames(|from| memory.next_known(from).unwrap());
        assert!(known.iter().copied().eq((1..0xe).chain([0x12])), "{known:x?}");
        let held = frames(|from| memory.next_held(from).unwrap());
        assert!(held.iter().copied().eq((1..8).chain([0x12])), "{held:x?}");
        for from in 0..0x14 {
            let next = memory.next_known(Pfn(from)).unwrap().map(|run| run.start.0);
            assert_eq!(next, known.iter().copied().find(|&pfn| pfn >= from));
        }
        assert_eq!(memory.index().end(), Pfn(0x13));
    });
}

#[test]
fn many_unsorted_loads_are_found() {
    const LOADS: u64 = 20_000;
    let bytes = file(0x1000);
    // 7919 is prime to the number of loads: each page comes once, in no order.
    let loads: Vec<_> =
        (0..LOADS).map(|i| load((i * 7919 % LOADS) * 0x2000, i % 0x800, 0x800, 0x800)).collect();
    with(&bytes, &loads, |memory| {
        assert_eq!(frames(|from| memory.next_held(from).unwrap()).len() as u64, LOADS);
        for (i, load) in loads.iter().enumerate().step_by(37) {
            let mut buf = [0; 4];
            memory.read(PhysAddr(load.p_paddr), &mut buf).unwrap();
            assert_eq!(buf[..], bytes[i % 0x800..][..4]);
            assert_eq!(memory.read(PhysAddr(load.p_paddr + 0x1000), &mut buf), Err(Fault::Hole));
        }
    });
}

#[test]
fn what_a_truncated_file_lacks_is_lost_by_whole_pages() {
    let loads = [load(0x1000, 0, 0x3000, 0x4000), load(0x8000, 0x3000, 0x1000, 0x1000)];
    for len in 0..=0x4000 {
        let bytes = file(len);
        with(&bytes, &loads, |memory| {
            let held = frames(|from| memory.next_held(from).unwrap());
            let whole = [1, 2, 3, 8].into_iter().take(len / 0x1000);
            assert!(held.iter().copied().eq(whole.clone()), "{len:#x}: {held:?}");
            assert!(frames(|from| memory.next_known(from).unwrap()).into_iter().eq([1, 2, 3, 4, 8]));
            assert_eq!(memory.index().truncated(), len < 0x4000);
            let mut page = vec![0; 0x1000];
            for pfn in [1, 2, 3, 4, 8, 9] {
                let result = memory.read(PhysAddr(pfn << 12), &mut page);
                let expected = match pfn {
                    4 => Err(Fault::Excluded),
                    9 => Err(Fault::Hole),
                    _ if whole.clone().any(|held| held == pfn) => Ok(()),
                    _ => Err(Fault::Lost),
                };
                assert_eq!(result, expected, "{len:#x} {pfn}");
            }
        });
    }
}

#[test]
fn addresses_at_the_end_of_the_address_space_do_not_wrap() {
    let bytes = file(0x1000);
    let loads = [
        load(u64::MAX - 0xfff, 0, 0x1000, u64::MAX),
        load(0x1000, u64::MAX - 4, 0x1000, 0x1000),
        load(0x3000, u64::MAX, u64::MAX, u64::MAX),
    ];
    with(&bytes, &loads, |memory| {
        let mut page = vec![0; 0x2000];
        for addr in [0, 0xfff, 0x1000, 0x3000, u64::MAX - 0x1000, u64::MAX - 0xfff, u64::MAX] {
            for len in [1, 0x1000, 0x2000] {
                let _ = memory.read(PhysAddr(addr), &mut page[..len]);
            }
            let _ = memory.next_held(PAGE.frame_of(PhysAddr(addr)));
        }
        assert_eq!(memory.read(PhysAddr(u64::MAX - 0xfff), &mut page[..0xfff]), Ok(()));
        assert!(
            frames(|from| memory.next_held(from).unwrap().map(|run| run.start..run.end.min(Pfn(u64::MAX))))
                .len()
                < 9
        );
    });
}

#[test]
fn the_index_needs_a_slot_for_each_load() {
    let bytes: &[u8] = &[];
    let (loads, mut index) = ([load(0, 0, 0, 0); 3], [LoadSlot::default(); 2]);
    let result = ElfMemory::new(&bytes, &loads, &mut index, PAGE);
    assert_eq!(result.unwrap_err(), Error::BufferTooSmall { needed: 3 });
}

#[test]
fn an_embedders_code_comes_back() {
    struct Broken;
    impl ReadAt for Broken {
        fn read_at(&self, _offset: u64, _buf: &mut [u8]) -> Result<(), i32> {
            Err(-5)
        }
    }
    let loads = [load(0, 0, 0x1000, 0x1000)];
    let mut index = [LoadSlot::default()];
    let mut memory = ElfMemory::new(&Broken, &loads, &mut index, PAGE).unwrap();
    assert_eq!(memory.read(PhysAddr(0), &mut [0]), Err(Fault::Code(-5)));
}

#[test]
fn tangles_of_any_kind_agree_with_the_definition() {
    let bytes = file(0x8000);
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) % bound
    };
    for _ in 0..300 {
        let loads: Vec<_> = (0..=below(24))
            .map(|_| {
                let len = [0, 1, below(0x40), below(0x400)][below(4) as usize];
                load(below(8) * 0x100 + below(3), below(0x7000), len, len)
            })
            .collect();
        with(&bytes, &loads, |memory| {
            for addr in 0..0xe00 {
                let mut byte = [0xee];
                // A page frame of which a byte is held is read, the rest of it as zeros.
                if memory.read(PhysAddr(addr), &mut byte).is_ok() {
                    assert_eq!(byte[0], expected(&bytes, &loads, addr).unwrap_or(0), "{addr:#x} {loads:x?}");
                } else {
                    assert_eq!(expected(&bytes, &loads, addr), None, "{addr:#x} {loads:x?}");
                }
            }
        });
    }
}

#[test]
fn many_loads_inside_a_large_one_are_found() {
    const LOADS: u64 = 200_000;
    let bytes = file(0x1000);
    let page = |i: u64| load(i << 13, i % 0x800, 0x800, 0x800);
    let all = load(0, 0, 0x800, LOADS << 13);
    // Last in the file, the large one is behind every other; what it claims to hold the file does not have.
    let loads: Vec<_> = (0..LOADS).map(page).chain([all]).collect();
    with(&bytes, &loads, |memory| {
        for i in 0..LOADS {
            let mut buf = [0; 4];
            memory.read(PhysAddr(i << 13), &mut buf).unwrap();
            assert_eq!(buf[..], bytes[(i % 0x800) as usize..][..4]);
            assert_eq!(memory.read(PhysAddr((i << 13) + 0x1000), &mut buf), Err(Fault::Excluded));
        }
    });
    let all = load(0, 0, LOADS << 13, LOADS << 13);
    let loads: Vec<_> = (0..LOADS).map(page).chain([all]).collect();
    with(&bytes, &loads, |memory| {
        for i in (0..LOADS).rev() {
            let mut buf = [0; 4];
            let result = memory.read(PhysAddr((i << 13) + 0x1000), &mut buf);
            assert_eq!(result, Err(Fault::Lost));
        }
    });
}

/// Of the bytes that are in any of them, by Python's hashlib.
#[test]
fn the_digest_is_of_all_memory_that_any_load_names() {
    let loads = tangle();
    let digest = with(&[], &loads, |memory| memory.index().memory_sha256());
    let hex: std::string::String = digest.iter().map(|byte| std::format!("{byte:02x}")).collect();
    assert_eq!(hex, "56c967980e216b52a282c85afc8686467ca1d09419603918f272d87d2c5da800");
}
