extern crate std;

use core::slice::from_ref;
use std::string::String;
use std::vec;
use std::vec::Vec;

use vmcore_format::{Endian, Layout, Pfn};

use super::*;
use crate::Fault;
use crate::test_machine::{IMAGE, LINEAR, TestMachine, TestMemory};

const NO_PAGES: (u64, &[u8]) = (0, &[]);
const KIB_4: PageSize = PageSize::KIB_4;

fn lines(redaction: &Redaction<'_>) -> String {
    let mut text = Vec::new();
    for line in redaction.lines(KIB_4) {
        let mut bytes = [0; EraseLine::MAX_LEN];
        let len = line.encode(&mut bytes).unwrap();
        text.extend_from_slice(&bytes[..len]);
    }
    String::from_utf8(text).unwrap()
}

/// Memory of which every byte is its address, modulo 251.
fn plain(pages: u64, mapped: bool) -> TestMemory {
    let mut memory = TestMemory::new(pages);
    memory.bytes.iter_mut().zip(0_u64..).for_each(|(byte, at)| *byte = (at % 251) as u8);
    memory.mapped = mapped;
    memory
}

/// Bytes that are hidden are `X`, all others are as they were, however they are read.
fn check(ranges: &[Range<u64>], (first, bits): (u64, &[u8])) {
    let pages = SecretPages::new(Pfn(first), bits, "").unwrap();
    let mut slots = vec![Secret::EMPTY; ranges.len()];
    let mut secrets = Secrets::new(&mut slots);
    for range in ranges {
        secrets.push(PhysAddr(range.start)..PhysAddr(range.end), "").unwrap();
    }
    let redaction = secrets.into_redaction(Some(pages));
    let secret = |at: u64| {
        let bit = (at >> 12).wrapping_sub(first);
        let byte = bits.get((bit >> 3) as usize).copied().unwrap_or(0);
        byte >> (bit & 7) & 1 == 1 || ranges.iter().any(|range| range.contains(&at))
    };
    for mapped in [false, true] {
        let mut memory = plain(16, mapped);
        let bytes = memory.bytes.clone();
        let expected: Vec<u8> =
            bytes.iter().zip(0..).map(|(&byte, at)| if secret(at) { b'X' } else { byte }).collect();
        let mut redacted = Redacted::new(&mut memory, redaction);
        for (start, len) in [(0, 0x1_0000), (0x1000, 0x1000), (0xfff, 2), (0x2345, 0x3456), (0xf000, 0x1000)]
        {
            let part = &expected[start..start + len];
            let addr = PhysAddr(start as u64);
            let mut buf = vec![0; len];
            redacted.read(addr, &mut buf).unwrap();
            assert!(buf == part, "{ranges:x?} {start:#x} {len:#x}");
            let clean = part == &bytes[start..start + len];
            assert_eq!(redacted.view(addr, len), (mapped && clean).then_some(part), "{ranges:x?} {start:#x}");
        }
        for page in 0..16 {
            let hidden = (page << 12..(page + 1) << 12).filter(|&at| secret(at)).count() as u64;
            assert_eq!(redaction.bytes_of_page(PhysAddr(page << 12), KIB_4), hidden, "{ranges:x?} {page}");
        }
    }
}

#[test]
fn what_is_named_is_hidden_and_nothing_else() {
    check(&[], NO_PAGES);
    check(from_ref(&(0x1000..0x2000)), NO_PAGES);
    check(&[0x1ff0..0x2010, 0x5fff..0x6000, 0x7000..0x7001], NO_PAGES);
    // In any order, one inside the other, the same twice, past the end of memory and of all addresses.
    check(&[0x8000..0x8100, 0x1000..0x9000, 0x1000..0x1800, 0x2000..0x2001, 0x2000..0x2001, 0..8], NO_PAGES);
    check(&[0xfff0..u64::MAX, u64::MAX - 1..u64::MAX, 1 << 60..1 << 61], NO_PAGES);
    check(from_ref(&(0..u64::MAX)), NO_PAGES);
}

#[test]
fn pages_of_a_bitmap_are_hidden() {
    for bits in [&[0_u8][..], &[0xff, 0xff], &[0b0100_0001, 0b1000_0000], &[0x18, 0x0c, 0, 0xff], &[]] {
        for first in [0, 1, 3, 8, 15, 16, 1000] {
            check(&[], (first, bits));
        }
    }
}

#[test]
fn a_range_and_a_bitmap_may_be_of_the_same_page() {
    let pages = SecretPages::new(Pfn(2), &[0b101], "").unwrap();
    let mut slots = [Secret::EMPTY; 1];
    let mut secrets = Secrets::new(&mut slots);
    secrets.push(PhysAddr(0x2100)..PhysAddr(0x3100), "key").unwrap();
    let redaction = secrets.into_redaction(Some(pages));
    let hidden = [0, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000];
    let hidden = hidden.map(|addr| redaction.bytes_of_page(PhysAddr(addr), KIB_4));
    assert_eq!(hidden, [0, 0, 0x1000, 0x100, 0x1000, 0]);
    assert!(
        !redaction.touches(PhysAddr(0x3100), 0xf00, KIB_4) && redaction.touches(PhysAddr(0x30ff), 1, KIB_4)
    );
}

#[test]
fn the_log_has_a_line_for_each_range_and_each_run_of_pages() {
    let bits = [0b1000_0110, 0b0000_0001];
    let pages = SecretPages::new(Pfn(0x100), &bits, "secret").unwrap();
    let mut slots = [Secret::EMPTY; 4];
    let mut secrets = Secrets::new(&mut slots);
    assert!(secrets.is_empty());
    secrets.push(PhysAddr(0x2000)..PhysAddr(0x2020), "b").unwrap();
    secrets.push(PhysAddr(0x1fff)..PhysAddr(0x2001), "").unwrap();
    secrets.push(PhysAddr(0x2000)..PhysAddr(0x2020), "a").unwrap();
    assert_eq!(secrets.len(), 3);
    let redaction = secrets.into_redaction(Some(pages));
    let expected = "erase 0x1fff size 2\nerase a@0x2000 size 32\nerase b@0x2000 size 32\n\
        erase secret@0x101000 size 8192\nerase secret@0x107000 size 8192\n";
    assert_eq!(lines(&redaction), expected);
    assert_eq!(lines(&Redaction::NONE), "");
    assert!(Redaction::NONE.is_none() && !redaction.is_none());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut slots = [Secret::EMPTY; 2];
    let mut secrets = Secrets::new(&mut slots);
    let range = |start, end| PhysAddr(start)..PhysAddr(end);
    for (start, end) in [(0, 0), (5, 5), (6, 5), (u64::MAX, 0), (u64::MAX, u64::MAX)] {
        assert_eq!(secrets.push(range(start, end), ""), Err(RedactError::Range { start, end }));
    }
    for name in ["a b", "a\nerase 0x0 size 1", "@", "\u{1f512}"] {
        assert_eq!(secrets.push(range(1, 2), name), Err(RedactError::Name));
        assert_eq!(SecretPages::new(Pfn(0), &[0], name), Err(RedactError::Name));
    }
    secrets.push(range(1, 2), "one").unwrap();
    secrets.push(range(3, 4), "two").unwrap();
    assert_eq!(secrets.push(range(5, 6), ""), Err(RedactError::BufferTooSmall { needed: 3 }));
    assert_eq!(lines(&secrets.into_redaction(None)), "erase one@0x1 size 1\nerase two@0x3 size 1\n");

    for first in [u64::MAX, 1 << 40, (1 << 40) - 7] {
        assert_eq!(SecretPages::new(Pfn(first), &[0], ""), Err(RedactError::Bitmap { first }));
    }
    assert!(SecretPages::new(Pfn((1 << 40) - 8), &[0], "").is_ok());
}

#[test]
fn words_of_a_kernel_are_put_in_order() {
    let of = |mut bits: Vec<u8>, layout: Layout| {
        let pages = SecretPages::of_longs(Pfn(0), &mut bits, layout, "")?;
        Ok(pages.lines(KIB_4).map(|line| line.addr.0 >> 12).collect::<Vec<_>>())
    };
    // Bits 0 and 65: the first `long` is 1, the second 2.
    let big_64 = Layout { endian: Endian::Big, ..Layout::LE64 };
    let big_32 = Layout { endian: Endian::Big, ..Layout::LE32 };
    let little = [&[1][..], &[0; 7], &[2], &[0; 7]].concat();
    assert_eq!(of(little, Layout::LE64), Ok(vec![0, 65]));
    assert_eq!(of([&[0; 7][..], &[1], &[0; 7], &[2]].concat(), big_64), Ok(vec![0, 65]));
    assert_eq!(of(vec![0, 0, 0, 1, 0, 0, 0, 2], big_32), Ok(vec![0, 33]));
    assert_eq!(of(vec![0; 9], Layout::LE64), Err(RedactError::Bitmap { first: 0 }));
}

#[test]
fn symbols_are_found_by_the_page_tables() {
    let mut machine = TestMachine::new();
    // Two pages that are neighbours in virtual memory alone; no third.
    machine.memory.put(0x3008, 0x6063);
    machine.memory.put(0x6000, 0x9063);
    machine.memory.put(0x6008, 0x8063);
    let mut kernel = machine.open().unwrap();
    let mut slots = [Secret::EMPTY; 4];
    let mut secrets = Secrets::new(&mut slots);
    let apart = VirtAddr(IMAGE + 0x20_0ff0);
    secrets.push_virt(&mut kernel, &mut machine.memory, apart, 0x20, "apart").unwrap();
    let error = secrets.push_virt(&mut kernel, &mut machine.memory, apart, 0x1011, "apart");
    let unmapped = VirtAddr(IMAGE + 0x20_2000);
    assert_eq!(error, Err(RedactError::Virt(VirtFault::NotMapped(unmapped))));
    // The linear map and the kernel's image, over the ends of their pages.
    secrets.push_virt(&mut kernel, &mut machine.memory, VirtAddr(LINEAR + 0x3ff0), 0x20, "linear").unwrap();
    secrets.push_virt(&mut kernel, &mut machine.memory, VirtAddr(IMAGE + 0x1_1ff8), 0x10, "image").unwrap();
    let unmapped = VirtAddr(0x1000);
    let error = secrets.push_virt(&mut kernel, &mut machine.memory, unmapped, 8, "user");
    assert!(matches!(error, Err(RedactError::Virt(VirtFault::NotMapped(at))) if at == unmapped), "{error:?}");
    for (addr, len) in [(LINEAR, 0), (u64::MAX - 3, 5), (LINEAR, (1 << 32) + 1), (0, u64::MAX)] {
        let end = addr.wrapping_add(len);
        let error = secrets.push_virt(&mut kernel, &mut machine.memory, VirtAddr(addr), len, "");
        assert_eq!(error, Err(RedactError::Range { start: addr, end }));
    }
    let error = secrets.push_virt(&mut kernel, &mut machine.memory, VirtAddr(LINEAR), 8, "a b");
    assert_eq!(error, Err(RedactError::Name));
    assert_eq!(secrets.len(), 4);
    let found = lines(&secrets.into_redaction(None));
    assert_eq!(
        found,
        "erase linear@0x3ff0 size 32\nerase apart@0x8000 size 16\n\
        erase apart@0x9ff0 size 16\nerase image@0x11ff8 size 16\n"
    );
}

#[test]
fn part_of_a_secret_is_not_hidden() {
    let mut machine = TestMachine::new();
    let mut kernel = machine.open().unwrap();
    // From the last mapped byte of the linear map on.
    let mut at = LINEAR;
    while let Ok(mapping) = kernel.translate(&mut machine.memory, VirtAddr(at)) {
        at += mapping.len;
    }
    let mut slots = [Secret::EMPTY; 3];
    let mut secrets = Secrets::new(&mut slots);
    secrets.push(PhysAddr(1)..PhysAddr(2), "").unwrap();
    let error = secrets.push_virt(&mut kernel, &mut machine.memory, VirtAddr(at - 1), 2, "");
    assert_eq!(error, Err(RedactError::Virt(VirtFault::NotMapped(VirtAddr(at)))));
    assert_eq!(lines(&secrets.into_redaction(None)), "erase 0x1 size 1\n");

    let mut secrets = Secrets::new(&mut []);
    let error = secrets.push_virt(&mut kernel, &mut machine.memory, VirtAddr(LINEAR), 8, "");
    assert_eq!((error, secrets.len()), (Err(RedactError::BufferTooSmall { needed: 1 }), 0));
}

#[test]
fn what_cannot_be_read_is_still_not_there() {
    let mut memory = plain(4, true);
    memory.faults.insert(2);
    let mut slots = [Secret::EMPTY; 1];
    let mut secrets = Secrets::new(&mut slots);
    secrets.push(PhysAddr(0x2000)..PhysAddr(0x2010), "").unwrap();
    let mut redacted = Redacted::new(&mut memory, secrets.into_redaction(None));
    assert_eq!(redacted.read(PhysAddr(0x2000), &mut [0; 16]), Err(Fault::Code(5)));
    assert_eq!(redacted.next_known(Pfn(1)), Ok(Some(Pfn(1)..Pfn(4))));
    assert_eq!(redacted.next_held(Pfn(1)), Ok(Some(Pfn(1)..Pfn(4))));
    assert_eq!(redacted.page_size(), KIB_4);
}
