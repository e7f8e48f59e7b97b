//! What says where memory is: E820, EFI's map, device trees, `/sys/firmware/memmap`, `/proc/iomem`; and the command line.

use kexec_core::command_line::CommandLine;
use kexec_core::map::{MemoryMap, Range, RangeKind, Span};
use kexec_core::sources::{e820, efi, fdt, firmware_memmap, iomem};

use crate::input::Input;

/// The first byte says which source, the second one how large the table is.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.u8() % 7;
    let room = usize::from(input.u8()) % 65;
    let mut table = [Range::EMPTY; 64];
    let mut map = MemoryMap::new(&mut table[..room]);
    let result = match kind {
        0 => e820::parse(input.rest(), &mut map),
        1 => {
            let (len, version) = (u32::from(input.u8()), input.u8() & 1);
            efi::parse(input.rest(), len, version.into(), &mut map)
        }
        2 => fdt::parse(input.rest(), &mut map),
        3 => {
            let text = input.rest();
            let entries = text.split(|byte| *byte == 0).map(|entry| {
                let mut words = entry.splitn(3, |byte| *byte == b';');
                let mut word = || words.next().unwrap_or_default();
                firmware_memmap::Entry { start: word(), end: word(), kind: word() }
            });
            firmware_memmap::parse(entries, &mut map)
        }
        4 => iomem::parse(input.rest(), &mut map).map(drop),
        5 => return paint(&mut input, &mut map),
        _ => return command_line(&mut input),
    };
    sound(&map);
    assert!(result.is_ok() || map.is_empty());
}

/// Ranges are in order, apart, not empty, and joined where they could be.
fn sound(map: &MemoryMap<'_>) {
    assert!(map.ranges().iter().all(|range| range.start < range.end));
    assert!(
        map.ranges().windows(2).all(|pair| pair[0].end <= pair[1].start
            && (pair[0].end != pair[1].start || pair[0].kind != pair[1].kind))
    );
    assert!(map.ranges().len() <= map.capacity());
}

/// Edits of a map of 256 pages, beside an array with a kind for each page.
fn paint(input: &mut Input<'_>, map: &mut MemoryMap<'_>) {
    let mut pages: [Option<RangeKind>; 256] = [None; 256];
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        let (how, start, end) = (input.u8(), input.u8(), input.u8());
        let kind = RangeKind::ALL[usize::from(how >> 2) % 10];
        let span = Span::new(u64::from(start) << 12, u64::from(end) << 12);
        let range = usize::from(start)..usize::from(end.max(start));
        let before = pages;
        let result = match how & 3 {
            0 => {
                pages[range].fill(Some(kind));
                map.set(Range::new(span, kind))
            }
            1 => {
                pages[range].fill(None);
                map.remove(span)
            }
            2 => {
                let other = RangeKind::ALL[usize::from(start) % 10];
                pages.iter_mut().filter(|page| **page == Some(kind)).for_each(|page| *page = Some(other));
                map.replace_kind(kind, other);
                Ok(())
            }
            _ => {
                pages[range].iter_mut().filter(|page| page.is_none()).for_each(|page| *page = Some(kind));
                map.add(Range::new(span, kind))
            }
        };
        sound(map);
        if result.is_err() {
            pages = before;
        }
        for (page, kind) in (0..).zip(pages) {
            let at = vmcore_format::PhysAddr(page << 12);
            assert_eq!(map.kind_at(at), kind, "{at:?} after {result:?}");
        }
    }
}

fn command_line(input: &mut Input<'_>) {
    let mut buf = [0; 256];
    let room = usize::from(input.u8());
    let len = usize::from(input.u8());
    let text = input.bytes(len);
    let Ok(mut line) = CommandLine::new(&mut buf[..room], text) else { return };
    for _ in 0..4 {
        let before = line.as_bytes().to_vec();
        let len = usize::from(input.u8()) % 40;
        let value = String::from_utf8_lossy(input.bytes(len)).into_owned();
        match line.add("elfcorehdr", &value) {
            Ok(()) => {
                assert!(line.as_bytes().len() > before.len() + value.len());
                let added = format!("elfcorehdr={value}");
                assert!(line.as_bytes().windows(added.len()).any(|part| part == added.as_bytes()));
            }
            Err(_) => assert_eq!(line.as_bytes(), before),
        }
    }
    let _asked = (line.has("elfcorehdr"), line.has("quiet"), line.check(100));
    assert!(!line.into_bytes().contains(&0));
}

/// One of each source.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut e820 = vec![0, 64];
    let mut efi = vec![1, 64, 48, 1];
    for (start, len, kind) in
        [(0x1000_u64, 0x9_e000_u64, 1_u32), (0x10_0000, 0x3fee_0000, 1), (0x3ffe_0000, 0x2_0000, 3)]
    {
        e820.extend([start.to_le_bytes(), len.to_le_bytes()].concat());
        e820.extend(kind.to_le_bytes());
        efi.extend([7_u64, 2, 9][kind as usize % 3].to_le_bytes());
        for word in [start, 0, len >> 12, 0xf, 0] {
            efi.extend(word.to_le_bytes());
        }
    }
    let memmap =
        b"\x03\x400x0;0x9fbff;System RAM\n\x000x9fc00;0x9ffff;Reserved\x000x100000;0x3fffffff;System RAM";
    let iomem = b"\x04\x4000000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n\
        00100000-0ffd2fff : System RAM\n  0e000000-0effffff : Crash kernel\n  01000000-01d01ef1 : Kernel code\n\
        b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]\n  b0000000-bfffffff : Reserved\n\
        100000000-117ffffff : System RAM (kmem)\n140000000-15fffffff : Persistent Memory\n  140000000-15fffffff : dax0.0\n\
        \x20   140000000-15fffffff : System RAM (kmem)\n";
    let tree = |bytes: &[u8]| [&[2, 64], bytes].concat();
    vec![
        e820,
        efi,
        memmap.to_vec(),
        iomem.to_vec(),
        tree(include_bytes!("../../../kexec-core/testdata/memory.dtb")),
        tree(include_bytes!("../../../kexec-core/testdata/capture.dtb")),
        (0..120).map(|i| if i < 2 { [5, 64][i] } else { (i * 89) as u8 }).collect(),
        b"\x06\xff\x2aroot=/dev/sda1 crashkernel=1G -- single 3 \x040x20\x06quiet1".to_vec(),
    ]
}
