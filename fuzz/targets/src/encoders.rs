//! Every encoder over arbitrary pages: what it makes, we and the C library decode to the page.

use std::cell::RefCell;

use page_filter::codec::{DecodeScratch, FastZlib, Lzo1x, PageCodec, Raw, Snappy, Zlib, Zstd};

use crate::c_libraries::{CLibraries, c_libraries};
use crate::input::Input;

type ByC = fn(&CLibraries, &[u8], &mut [u8]) -> Option<usize>;

const CODECS: [(&dyn PageCodec, Option<ByC>); 6] = [
    (&Zlib, Some(CLibraries::zlib_decode)),
    (&FastZlib, Some(CLibraries::zlib_decode)),
    (&Lzo1x, Some(CLibraries::lzo_decode)),
    (&Snappy, Some(CLibraries::snappy_decode)),
    (&Zstd, Some(CLibraries::zstd_decode)),
    (&Raw, None),
];

struct Room {
    scratch: Vec<u32>,
    packed: Vec<u8>,
    page: Vec<u8>,
    decode: DecodeScratch,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::new(Room {
        scratch: Vec::new(),
        packed: Vec::new(),
        page: vec![0; 0x1_0001],
        decode: DecodeScratch::new(),
    });
}

/// Two bytes of how, then what the page is made of.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (how, room) = (input.u8(), input.u8());
    let page = page(&mut input, how);
    let (codec, by_c) = CODECS[usize::from(how & 7) % CODECS.len()];
    // The room of a dump, more than enough, or a little.
    let out = match room & 3 {
        0 | 1 => page.len().saturating_sub(1),
        2 => 2 * page.len() + 64,
        _ => usize::from(room >> 2) * 16,
    };
    ROOM.with_borrow_mut(|kept| check(codec, by_c, &page, out, kept));
}

fn check(codec: &dyn PageCodec, by_c: Option<ByC>, page: &[u8], out: usize, kept: &mut Room) {
    kept.packed.clear();
    kept.packed.resize(out + 8, 0xa5);
    let words = codec.encode_scratch_words(page.len());
    // What other pages left in the scratch must make no difference.
    let garbage = kept.scratch.last().copied().unwrap_or(0xdead_beef);
    kept.scratch.resize(kept.scratch.len().max(words), garbage);
    let packed = codec.encode(page, &mut kept.packed[..out], &mut kept.scratch[..words]);
    assert_eq!(kept.packed[out..], [0xa5; 8], "{codec:?} wrote behind its room");
    let Some(len) = packed else {
        assert!(out < 2 * page.len() + 64, "{codec:?} refuses more than enough room");
        return;
    };
    let packed = &kept.packed[..len];
    let ours = &mut kept.page[..page.len()];
    ours.fill(0x5a);
    let decoded = codec.decode(packed, ours, &mut kept.decode);
    assert!(decoded.is_ok() && ours == page, "{codec:?}: {decoded:?}");
    if let Some(by_c) = by_c {
        let theirs = &mut kept.page[..page.len() + 1];
        theirs.fill(0xa5);
        let found = by_c(c_libraries(), packed, theirs);
        assert!(found == Some(page.len()) && theirs[..page.len()] == *page, "{codec:?}: C finds {found:?}");
    }
}

/// A page of 4, 16 or 64 KiB or an odd length, from instructions: literals, copies, runs.
fn page(input: &mut Input<'_>, how: u8) -> Vec<u8> {
    let len = match how >> 3 & 7 {
        0..=3 => 4096,
        4 => 0x4000,
        5 => 0x1_0000,
        6 => usize::from(input.u16()),
        _ => usize::from(input.u8()),
    }
    .max(1);
    let mut page = Vec::with_capacity(len);
    while page.len() < len && !input.is_empty() {
        let op = input.u8();
        match op >> 6 {
            0 => page.extend_from_slice(input.bytes(usize::from(op) + 1)),
            1 => {
                // A long copy, from anywhere.
                let (count, distance) = (usize::from(input.u8()) + 3, usize::from(input.u16()) + 1);
                copy(&mut page, distance, count * (usize::from(op & 63) / 16 + 1));
            }
            2 => copy(&mut page, usize::from(op & 63) + 1, usize::from(input.u8()) + 1),
            _ => {
                // Bytes of few or many kinds, from a generator.
                let (symbols, count) = (u32::from(input.u8()) + 1, (usize::from(op & 63) + 1) * 16);
                let mut state = u32::from(input.u16()) | 1;
                page.extend((0..count).map(|_| {
                    state = state.wrapping_mul(0x41c6_4e6d).wrapping_add(0x3039);
                    ((state >> 16) % symbols) as u8
                }));
            }
        }
    }
    page.resize(len, 0);
    page
}

fn copy(page: &mut Vec<u8>, distance: usize, count: usize) {
    for _ in 0..count.min(0x1_0000) {
        let byte = page.len().checked_sub(distance).map_or(0, |at| page[at]);
        page.push(byte);
    }
}

/// Pages of 4 KiB as memory has them.
pub(crate) fn pages() -> Vec<Vec<u8>> {
    let machine = testkit::Machine::tiny(testkit::Arch::X86_64).build();
    let mut pages: Vec<Vec<u8>> =
        machine.pfns().into_iter().step_by(150).map(|pfn| machine.content(pfn)).collect();
    let text = b"the quick brown fox jumps over the lazy dog, and a page is filled with words ";
    pages.insert(0, (0..4096).map(|i| text[(i + i / 97) % text.len()]).collect());
    pages.push((0..4096_u32).map(|i| if i % 8 < 3 { (i / 64) as u8 } else { 0xff }).collect());
    pages.push(vec![0; 4096]);
    pages
}

/// Instructions of each kind, for each codec and page size.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for how in (0..64_u8).filter(|how| how & 7 < 6) {
        let mut seed = vec![how, how.wrapping_mul(37)];
        for i in 0..60_u8 {
            let op = i.wrapping_mul(83).wrapping_add(how);
            seed.push(op);
            seed.extend(
                (0..if op < 64 { usize::from(op) + 1 } else { 3 }).map(|at| (at as u8).wrapping_mul(i)),
            );
        }
        seeds.push(seed);
    }
    seeds
}
