//! A crash after each store, read as each consumer reads a header.

use super::*;
use crate::elfcorehdr::{KernelText, NoteBuffer};
use crate::map::{MemoryMap, Range};
use crate::versioned::{Node, Slot, VersionedMap};
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;
use testkit::Random;
use vmcore_format::elf::{EM_PPC64, EM_X86_64, ElfCore};
use vmcore_format::{PhysAddr, VirtAddr};

use RangeKind::{CrashKernel, ReservedRam, SystemRam};

const PAGE: u64 = 0x1000;

/// A header in memory, and what it was after each store.
struct Recorder {
    words: Vec<u64>,
    moments: Vec<Vec<u64>>,
    /// The words that were stored to.
    places: Vec<usize>,
}

impl Recorder {
    fn of(bytes: &[u8]) -> Self {
        let words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect();
        Self { words, moments: Vec::new(), places: Vec::new() }
    }

    /// `e_phnum`, at offset 56.
    fn set_phnum(&mut self, phnum: u16, layout: Layout) {
        let mut word = self.words[7].to_ne_bytes();
        let big = layout.endian == vmcore_format::Endian::Big;
        word[..2].copy_from_slice(&if big { phnum.to_be_bytes() } else { phnum.to_le_bytes() });
        self.words[7] = u64::from_ne_bytes(word);
    }
}

impl Words for Recorder {
    fn count(&self) -> usize {
        self.words.len()
    }

    fn load(&self, at: usize) -> u64 {
        self.words[at]
    }

    fn store(&mut self, at: usize, word: u64) {
        self.words[at] = word;
        self.places.push(at);
        self.moments.push(self.words.clone());
    }
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

type Pages = BTreeSet<u64>;

fn pages(start: u64, len: u64) -> impl Iterator<Item = u64> {
    assert!(start.is_multiple_of(PAGE) && len.is_multiple_of(PAGE), "{start:#x} {len:#x}");
    start / PAGE..(start + len) / PAGE
}

/// Pages as one list says them; none may be there twice.
fn listed(loads: impl Iterator<Item = (u64, u64)>) -> Pages {
    let mut all = Pages::new();
    for (start, len) in loads {
        pages(start, len).for_each(|page| assert!(all.insert(page), "{page:#x} twice"));
    }
    all
}

/// All program headers, straight from their bytes: the gABI's `Elf64_Phdr`.
struct Phdr {
    p_type: u32,
    p_offset: u64,
    p_paddr: u64,
    p_filesz: u64,
    p_memsz: u64,
    p_align: u64,
}

fn phdrs(bytes: &[u8], layout: Layout) -> Vec<Phdr> {
    let big = layout.endian == vmcore_format::Endian::Big;
    let u64_at = |phdr: &[u8], at: usize| {
        let bytes = phdr[at..at + 8].try_into().unwrap();
        if big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    };
    let count = if big { [bytes[57], bytes[56]] } else { [bytes[56], bytes[57]] };
    let table = bytes[64..].chunks_exact(56).take(u16::from_le_bytes(count).into());
    let phdr = |phdr: &[u8]| Phdr {
        p_type: if big { u64_at(phdr, 0) >> 32 } else { u64_at(phdr, 0) & 0xffff_ffff } as u32,
        p_offset: u64_at(phdr, 8),
        p_paddr: u64_at(phdr, 24),
        p_filesz: u64_at(phdr, 32),
        p_memsz: u64_at(phdr, 40),
        p_align: u64_at(phdr, 48),
    };
    table.map(phdr).collect()
}

/// What a crash at this moment would show: the pages that are in the dump.
fn at_a_moment(words: &[u64], builder: &Builder<'_>, old_and_new: &Pages) -> Pages {
    let bytes = bytes_of(words);
    let (notes, first) = builder.before_ram();
    // Our reader.
    let mut table = [ProgramHeader::default(); 256];
    let file = bytes.as_slice();
    let core = ElfCore::open(&file, &mut table).unwrap();
    let ours = listed(core.loads()[first - notes..].iter().map(|load| (load.p_paddr, load.p_memsz)));
    assert_eq!(core.note_regions().count(), notes);
    // The capture kernel: what is not PT_LOAD is passed over; p_offset and p_memsz count.
    let all = phdrs(&bytes, builder.layout);
    let loads = || all[first..].iter().filter(|phdr| phdr.p_type == 1);
    let kernel = listed(loads().map(|phdr| (phdr.p_offset, phdr.p_memsz)));
    assert!(kernel == ours);
    // libkdumpfile: the same, and bytes of the file for the first p_filesz.
    assert!(listed(loads().map(|phdr| (phdr.p_paddr, phdr.p_filesz))).is_subset(&kernel));
    // crash: the first is PT_NOTE, all others (of those that the kernel left) are segments, whatever they say they are.
    assert!(all[..notes].iter().all(|phdr| phdr.p_type == 4));
    assert_eq!((all[notes].p_type, all[notes].p_align), (1, 0));
    let segments = || all[first..].iter().map(|phdr| (phdr.p_paddr, phdr.p_filesz.max(phdr.p_memsz)));
    let crash = listed(segments().filter(|(_, len)| *len != 0));
    assert!(crash.is_subset(old_and_new));
    assert!(kernel.is_subset(&crash));
    // What is unused and at rest says nothing at all.
    assert!(all[first..].iter().all(|phdr| phdr.p_filesz <= phdr.p_memsz));
    kernel
}

fn dumped(map: &VersionedMap<'_>) -> Pages {
    let ranges = map.current().ranges().filter(|range| range.kind.is_dumped());
    ranges.flat_map(|range| pages(range.start.0, range.len())).collect()
}

struct Case {
    layout: Layout,
    e_machine: u16,
    text: bool,
    spare: usize,
}

/// Changes at random, each patched with a crash after each store. How many stores there were.
fn crash_at_every_store(seed: u64, case: &Case, batches: usize) -> usize {
    let mut random = Random::new(seed);
    let (mut nodes, mut slots) = (vec![Node::EMPTY; 4_000], [Slot::EMPTY; 2]);
    let mut map = VersionedMap::new(&mut nodes, &mut slots).unwrap();
    let size = 60;
    let span = |start: u64, end: u64| Span::new(start * PAGE, end * PAGE);
    map.begin().unwrap();
    map.set(Range::new(span(0, size), SystemRam)).unwrap();
    map.commit(&mut |_, _| {}).unwrap();
    let cpu_notes = [NoteBuffer { paddr: PhysAddr(0x100), len: 0x170 }; 2];
    let text = KernelText { vaddr: VirtAddr(0xffff_ffff_8100_0000), paddr: PhysAddr(2 * PAGE), len: PAGE };
    let exclude = [span(5, 7)];
    let excluded: Pages = (5..7).collect();
    let mut table = [Range::EMPTY; 100];
    let mut stores = 0;
    let mut ram = MemoryMap::new(&mut table);
    map.current().copy_to(&mut ram).unwrap();
    let mut header = None::<Recorder>;
    for _ in 0..batches {
        let builder = Builder {
            layout: case.layout,
            e_machine: case.e_machine,
            cpu_notes: &cpu_notes,
            vmcoreinfo: Some(cpu_notes[0]),
            text: case.text.then_some(text),
            direct_map: Some(crate::elfcorehdr::DirectMap::ppc64(PhysAddr(30 * PAGE))),
            ram: &ram,
            exclude: &exclude,
            backup: None,
        };
        let mut recorder = header.take().unwrap_or_else(|| {
            let mut bytes = vec![0xaa; 64 + (builder.phnum().unwrap() as usize + case.spare) * 56];
            assert_eq!(builder.encode_with_spare(&mut bytes), Ok(bytes.len()));
            Recorder::of(&bytes)
        });
        let old = &dumped(&map) - &excluded;
        let before = map.hold();
        map.begin().unwrap();
        for _ in 0..=random.below(4) {
            let start = random.below(size);
            let place = span(start, (start + 1 + random.below(9)).min(size));
            match random.below(5) {
                0 => map.set(Range::new(place, SystemRam)).unwrap(),
                1 => map.set(Range::new(place, ReservedRam)).unwrap(),
                2 => map.set(Range::new(place, CrashKernel)).unwrap(),
                3 => map.add(Range::new(place, SystemRam)).unwrap(),
                _ => map.remove(place).unwrap(),
            }
        }
        map.commit(&mut |_, _| {}).unwrap();
        let after = map.hold();
        let changes: Vec<Change> = map.changes(&before, &after, PhysAddr(0)).collect();
        map.release(before);
        map.release(after);
        let new = &dumped(&map) - &excluded;
        let old_and_new = &old | &new;
        let first = recorder.words.clone();
        assert!(at_a_moment(&first, &builder, &old) == old);
        let loads_before: Vec<Pages> =
            phdrs(&bytes_of(&first), case.layout)
                .iter()
                .map(|phdr| {
                    if phdr.p_type == 1 { pages(phdr.p_paddr, phdr.p_memsz).collect() } else { Pages::new() }
                })
                .collect();
        let patched = builder.patch(&mut recorder, &changes);
        if let Err(error) = patched {
            assert!(recorder.moments.is_empty());
            match error {
                Error::BufferTooSmall { needed } => {
                    let phnum = (first.len() - 8) / 7;
                    assert!(needed > phnum as u64);
                    for (slots, patched) in [(needed - 1, patched), (needed, Ok(()))] {
                        let mut wider = Recorder::of(&bytes_of(&first));
                        wider.words.resize(8 + 7 * slots as usize, 0);
                        wider.set_phnum(slots as u16, case.layout);
                        assert_eq!(builder.patch(&mut wider, &changes), patched);
                        let shown = if patched.is_ok() { &new } else { &old };
                        assert!(at_a_moment(&wider.words, &builder, shown) == *shown);
                    }
                }
                Error::Unsupported { field: Field::PType, value: 0 } => assert!(!case.text),
                other => panic!("{other}"),
            }
            // Compaction: the header is built anew of the new map.
            map.current().copy_to(&mut ram).unwrap();
            continue;
        }
        for moment in &recorder.moments {
            let now = at_a_moment(moment, &builder, &old_and_new);
            let missing = &(&old & &new) - &now;
            assert!(
                loads_before.iter().any(|load| missing.is_subset(load)),
                "more than one range is missing"
            );
        }
        // Ten stores at most for a program header, and none for one that no change touches.
        let mut of_each = vec![0; recorder.words.len() / 7 + 1];
        recorder.places.drain(..).for_each(|at| of_each[(at - 8) / 7] += 1);
        let (is, was) = (&recorder.words, &first);
        let touched = |at: usize| is[8 + at * 7..15 + at * 7] != was[8 + at * 7..15 + at * 7];
        assert!(of_each.iter().enumerate().all(|(at, &stores)| stores == 0 || stores <= 10 && touched(at)));
        stores += recorder.moments.len();
        recorder.moments.clear();
        assert!(at_a_moment(&recorder.words, &builder, &new) == new);
        // What is unused says nothing to crash either.
        let unused = phdrs(&bytes_of(&recorder.words), case.layout);
        assert!(unused.iter().all(|phdr| phdr.p_type != 0 || (phdr.p_filesz, phdr.p_memsz) == (0, 0)));
        header = Some(recorder);
    }
    stores
}

#[test]
fn a_crash_at_every_store_finds_a_whole_header() {
    let cases = [
        Case { layout: Layout::LE64, e_machine: EM_X86_64, text: true, spare: 12 },
        Case { layout: Layout::BE64, e_machine: EM_PPC64, text: false, spare: 30 },
        Case { layout: Layout::LE64, e_machine: EM_PPC64, text: false, spare: 3 },
    ];
    for (seed, case) in cases.iter().enumerate() {
        assert!(crash_at_every_store(seed as u64, case, 300) > 1_000);
    }
}
