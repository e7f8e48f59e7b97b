//! ELF cores: headers, program headers, notes.

use super::{Expect, HostileDump, Meet, Pages, get, machine, ones, pages_of, put};
use crate::elf::note;
use crate::{Arch, ElfOptions};

/// An ELF core with two stretches of memory: page frames 1..0x10, and 0x200..0x280.
struct Core<'m> {
    name: &'static str,
    bytes: Vec<u8>,
    pages: Pages,
    wide: bool,
    big: bool,
    meet: Meet<'m>,
}

const PAGE: u64 = 0x1000;
const LOW: usize = 1;
const HIGH: usize = 2;

/// (name, offset and width in class 64, offset and width in class 32).
type Place = (&'static str, (usize, usize), (usize, usize));

const EHDR: [Place; 13] = [
    ("e_type", (16, 2), (16, 2)),
    ("e_machine", (18, 2), (18, 2)),
    ("e_version", (20, 4), (20, 4)),
    ("e_entry", (24, 8), (24, 4)),
    ("e_phoff", (32, 8), (28, 4)),
    ("e_shoff", (40, 8), (32, 4)),
    ("e_flags", (48, 4), (36, 4)),
    ("e_ehsize", (52, 2), (40, 2)),
    ("e_phentsize", (54, 2), (42, 2)),
    ("e_phnum", (56, 2), (44, 2)),
    ("e_shentsize", (58, 2), (46, 2)),
    ("e_shnum", (60, 2), (48, 2)),
    ("e_shstrndx", (62, 2), (50, 2)),
];

const PHDR: [Place; 8] = [
    ("p_type", (0, 4), (0, 4)),
    ("p_flags", (4, 4), (24, 4)),
    ("p_offset", (8, 8), (4, 4)),
    ("p_vaddr", (16, 8), (8, 4)),
    ("p_paddr", (24, 8), (12, 4)),
    ("p_filesz", (32, 8), (16, 4)),
    ("p_memsz", (40, 8), (20, 4)),
    ("p_align", (48, 8), (28, 4)),
];

impl<'m> Core<'m> {
    fn new(name: &'static str, arch: Arch, meet: Meet<'m>) -> Self {
        let machine = machine(arch);
        let options = ElfOptions { text: false, ..ElfOptions::default() };
        let bytes = machine.elf_with(&options).to_vec();
        let pages = pages_of(&machine);
        Self { name, bytes, pages, wide: arch.wide(), big: arch.big(), meet }
    }

    fn place(&self, table: &[Place], field: &str) -> (usize, usize) {
        let (_, wide, narrow) = table.iter().find(|(name, ..)| *name == field).expect("a field of the table");
        if self.wide { *wide } else { *narrow }
    }

    fn phdr(&self, number: usize, field: &str) -> (usize, usize) {
        let (table, size) = if self.wide { (64, 56) } else { (52, 32) };
        let (at, width) = self.place(&PHDR, field);
        (table + number * size + at, width)
    }

    fn case(&mut self, what: &str, bytes: Vec<u8>, expect: Expect) {
        (self.meet)(HostileDump::new(format!("ELF {}: {what}", self.name), bytes, expect));
    }

    fn byte(&mut self, what: &str, at: usize, value: u8, expect: Expect) {
        let mut bytes = self.bytes.clone();
        bytes[at] = value;
        self.case(&format!("{what} {value:#x}"), bytes, expect);
    }

    fn ehdr(&mut self, field: &str, value: u64, expect: Expect) {
        let (at, width) = self.place(&EHDR, field);
        let mut bytes = self.bytes.clone();
        put(&mut bytes, at, width, self.big, value);
        self.case(&format!("{field} {value:#x}"), bytes, expect);
    }

    /// Changes fields of program header `number`.
    fn load(&mut self, number: usize, fields: &[(&str, u64)], expect: Expect) {
        let mut bytes = self.bytes.clone();
        let mut what = format!("phdr {number}");
        for (field, value) in fields {
            let (at, width) = self.phdr(number, field);
            put(&mut bytes, at, width, self.big, *value);
            what += &format!(" {field} {value:#x}");
        }
        self.case(&what, bytes, expect);
    }

    fn value(&self, number: usize, field: &str) -> u64 {
        let (at, width) = self.phdr(number, field);
        get(&self.bytes, at, width, self.big)
    }

    fn same(&self) -> Expect {
        Expect::Pages(self.pages.clone())
    }

    fn without(&self, gone: impl Fn(u64) -> bool) -> Expect {
        Expect::Pages(
            self.pages.iter().filter(|(pfn, _)| !gone(**pfn)).map(|(k, v)| (*k, v.clone())).collect(),
        )
    }

    fn headers(&mut self) {
        let refused = Expect::Refused;
        for (at, value) in [(0, 0), (1, b'e'), (3, 0xff)] {
            self.byte("magic", at, value, refused(&["e_ident"]));
        }
        for value in [0, 3, 0xff] {
            self.byte("EI_CLASS", 4, value, refused(&["EI_CLASS"]));
            self.byte("EI_DATA", 5, value, refused(&["EI_DATA"]));
        }
        self.byte("the other byte order", 5, 3 - self.bytes[5], refused(&["e_type", "e_version"]));
        self.byte("the other class", 4, 3 - self.bytes[4], Expect::Ends);
        for value in [0, 2, 0xff] {
            self.byte("EI_VERSION", 6, value, refused(&["EI_VERSION"]));
        }
        for value in [0, 1, 2, 3, 5, 0xff00, 0xffff] {
            self.ehdr("e_type", value, refused(&["e_type"]));
        }
        for value in [0, 2, ones(4)] {
            self.ehdr("e_version", value, refused(&["e_version"]));
        }
        for field in ["e_entry", "e_ehsize", "e_shentsize", "e_shnum", "e_shstrndx", "e_flags"] {
            for value in [0, 1, 0xffff] {
                self.ehdr(field, value, self.same());
            }
        }
        for value in [0, 0x7fff, 0xffff] {
            self.ehdr("e_machine", value, self.same());
        }
        let (word, len) = (if self.wide { 8 } else { 4 }, self.bytes.len() as u64);
        for value in [len - 1, len, len + 1, ones(word), ones(word) - 60, ones(word) >> 1, 1 << 30] {
            self.ehdr("e_phoff", value, refused(&["e_phnum"]));
        }
        for value in [0, 8] {
            self.ehdr("e_phoff", value, Expect::Ends);
        }
        let size = if self.wide { 56 } else { 32 };
        for value in [0, 1, size - 1] {
            self.ehdr("e_phentsize", value, refused(&["e_phentsize"]));
        }
        for value in [size + 1, 0x7fff] {
            self.ehdr("e_phentsize", value, Expect::Ends);
        }
        self.ehdr("e_phnum", 0, Expect::Pages(Pages::new()));
        self.ehdr("e_phnum", 1, Expect::Pages(Pages::new()));
        self.ehdr("e_phnum", 2, self.without(|pfn| pfn >= 0x200));
        for value in [0xfffe, 0xffff] {
            self.ehdr("e_phnum", value, refused(&["e_phnum"]));
        }
        for at in [0, 1, 3, 4, 15] {
            self.case(&format!("cut to {at} bytes"), self.bytes[..at].to_vec(), refused(&["e_ident"]));
        }
        let (eh, table) = if self.wide { (64, 64 + 3 * 56) } else { (52, 52 + 3 * 32) };
        for at in [16, 20, eh - 1] {
            self.case(&format!("cut to {at} bytes"), self.bytes[..at].to_vec(), refused(&["Elf_Ehdr"]));
        }
        for at in [eh, eh + 1, table - 1] {
            self.case(&format!("cut to {at} bytes"), self.bytes[..at].to_vec(), refused(&["e_phnum"]));
        }
        for at in [table, table + 1, 0x600, 0x1000] {
            self.case(&format!("cut to {at} bytes"), self.bytes[..at].to_vec(), Expect::Pages(Pages::new()));
        }
        for (number, first) in [(LOW, 1), (HIGH, 0x200)] {
            let offset = self.value(number, "p_offset");
            for held in [1, 0xfff, 0x1000, 0x1001, 0x4800] {
                let at = (offset + held) as usize;
                let end = first + held / PAGE;
                let expect = self.without(|pfn| pfn >= end && (pfn >= 0x200 || first == 1));
                self.case(&format!("cut to {at:#x} bytes"), self.bytes[..at].to_vec(), expect);
            }
        }
    }

    fn extended_count(&mut self) {
        let (at, width) = self.place(&EHDR, "e_shoff");
        let (count, _) = self.place(&EHDR, "e_phnum");
        let info = if self.wide { 44 } else { 28 };
        let len = self.bytes.len() as u64;
        for (sh_info, expect) in [
            (3, self.same()),
            (0, Expect::Refused(&["e_phnum"])),
            (0x8000_0000, Expect::Refused(&["e_phnum"])),
            (0xffff_ffff, Expect::Refused(&["e_phnum"])),
        ] {
            let mut bytes = self.bytes.clone();
            put(&mut bytes, count, 2, self.big, 0xffff);
            put(&mut bytes, at, width, self.big, len);
            bytes.resize(bytes.len() + 64, 0);
            put(&mut bytes, len as usize + info, 4, self.big, sh_info);
            self.case(&format!("sh_info {sh_info:#x}"), bytes, expect);
        }
        for shoff in [len, len - 10, ones(width), ones(width) - 30] {
            let mut bytes = self.bytes.clone();
            put(&mut bytes, count, 2, self.big, 0xffff);
            put(&mut bytes, at, width, self.big, shoff);
            self.case(&format!("e_shoff {shoff:#x}"), bytes, Expect::Refused(&["Elf_Shdr"]));
        }
    }

    fn loads(&mut self) {
        let width = if self.wide { 8 } else { 4 };
        let (max, top, len) = (ones(width), 1 << (8 * width - 1), self.bytes.len() as u64);
        let no_high = self.without(|pfn| pfn >= 0x200);
        for value in [0, 2, 3, 6, 0x6000_0000, 0xffff_ffff] {
            self.load(HIGH, &[("p_type", value)], no_high.clone());
        }
        // A second PT_NOTE over pages: no memory, and notes that make no sense.
        self.load(HIGH, &[("p_type", 4)], no_high.clone());
        for field in ["p_flags", "p_align", "p_vaddr"] {
            for value in [0, 1, 3, 0xffff_ffff] {
                self.load(HIGH, &[(field, value)], self.same());
            }
        }
        for value in [len, len + 1, top - 0x10_0000] {
            self.load(HIGH, &[("p_offset", value)], no_high.clone());
        }
        for value in [max, max - 0x1000] {
            let wraps = if self.wide { Expect::Refused(&["p_filesz"]) } else { no_high.clone() };
            self.load(HIGH, &[("p_offset", value)], wraps);
        }
        // The pages of the other segment, once more.
        let low = self.value(LOW, "p_offset");
        let high = self.value(HIGH, "p_offset");
        let mut pages = self.pages.clone();
        for pfn in 0x200..0x280 {
            let at = (low + (pfn - 0x200) * PAGE) as usize;
            pages.insert(pfn, self.bytes[at..at + 0x1000].to_vec());
        }
        self.load(HIGH, &[("p_offset", low)], Expect::Pages(pages));
        let mut pages = self.pages.clone();
        for pfn in 0x200..0x280 {
            let at = ((pfn - 0x200) * PAGE) as usize;
            let mut page = self.bytes[at..at + 0x1000].to_vec();
            if at == 0 {
                let (field, width) = self.phdr(HIGH, "p_offset");
                put(&mut page, field, width, self.big, 0);
            }
            pages.insert(pfn, page);
        }
        self.load(HIGH, &[("p_offset", 0)], Expect::Pages(pages));

        for value in [max, max - 0x1000, top] {
            self.load(HIGH, &[("p_filesz", value)], Expect::Refused(&["p_filesz", "p_memsz"]));
            let wraps = if self.wide { Expect::Refused(&["p_memsz"]) } else { Expect::Ends };
            self.load(HIGH, &[("p_paddr", max - 0x1000), ("p_memsz", value)], wraps);
        }
        self.load(HIGH, &[("p_filesz", 0x8_0001)], Expect::Refused(&["p_memsz"]));
        self.load(HIGH, &[("p_filesz", 0)], no_high.clone());
        let mut pages = self.pages.clone();
        pages.retain(|pfn, _| *pfn <= 0x200);
        pages.insert(0x200, [&self.pages[&0x200][..1], &[0; 0xfff]].concat());
        self.load(HIGH, &[("p_filesz", 1)], Expect::Pages(pages));
        for value in [0, 1, 0x7_ffff] {
            self.load(HIGH, &[("p_memsz", value)], Expect::Refused(&["p_memsz"]));
        }
        self.load(HIGH, &[("p_memsz", 0), ("p_filesz", 0)], no_high);
        if self.wide {
            self.load(HIGH, &[("p_memsz", max)], Expect::Refused(&["p_memsz"]));
            for bits in [33, 40, 49, 51, 56, 62] {
                self.load(HIGH, &[("p_memsz", 1 << bits)], self.same());
                self.moved(1 << bits);
            }
            self.moved((1 << 52) - 0x8_0000);
            // The whole address space but its last page.
            self.load(HIGH, &[("p_paddr", 0), ("p_memsz", max - 0xfff)], Expect::Ends);
        }
        self.moved(0x40_0000);
        self.load(
            HIGH,
            &[("p_paddr", max)],
            if self.wide { Expect::Refused(&["p_memsz"]) } else { Expect::Ends },
        );
        // The same memory twice: the first in the file gives it.
        let mut pages = self.pages.clone();
        pages.retain(|pfn, _| *pfn < 0x200);
        for pfn in 0x10..0x81 {
            let at = (high + (pfn - 1) * PAGE) as usize;
            pages.insert(pfn, self.bytes[at..at + 0x1000].to_vec());
        }
        self.load(HIGH, &[("p_paddr", 0x1000)], Expect::Pages(pages));
        for value in [0x1001, 0x10_0fff] {
            self.load(HIGH, &[("p_paddr", value)], Expect::Ends);
        }
    }

    fn moved(&mut self, paddr: u64) {
        let shift = |pfn: &u64| if *pfn >= 0x200 { pfn - 0x200 + paddr / PAGE } else { *pfn };
        let pages = self.pages.iter().map(|(pfn, page)| (shift(pfn), page.clone())).collect();
        self.load(HIGH, &[("p_paddr", paddr)], Expect::Pages(pages));
    }

    fn notes(&mut self) {
        let at = self.value(0, "p_offset") as usize;
        let len = self.bytes.len() as u64;
        let width = if self.wide { 8 } else { 4 };
        for (field, words) in [("n_namesz", 0), ("n_descsz", 1), ("n_type", 2)] {
            for value in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff] {
                let mut bytes = self.bytes.clone();
                put(&mut bytes, at + 4 * words, 4, self.big, value);
                self.case(&format!("{field} {value:#x}"), bytes, self.same());
            }
        }
        for value in [0, 1, 11, 12, 0x1000, len, len + 1, 1 << 30] {
            self.load(0, &[("p_filesz", value)], self.same());
        }
        for value in [0, len, len - 4, 1 << 30] {
            self.load(0, &[("p_offset", value)], self.same());
        }
        let wraps = if self.wide { Expect::Refused(&["p_filesz"]) } else { self.same() };
        self.load(0, &[("p_filesz", ones(width))], wraps);
    }
}

/// ELF cores with thousands of notes' and of memory's program headers.
fn crowded(meet: Meet<'_>) {
    let machine = machine(Arch::X86_64);
    let pages = pages_of(&machine);
    let empty = note(machine.bytes(), "X", 7, &[]);
    let options = ElfOptions {
        extra_notes: vec![("X".to_owned(), 7, Vec::new()); 20_000],
        split_notes: true,
        xnum: true,
        ..ElfOptions::default()
    };
    assert_eq!(empty.len(), 16);
    let file = machine.elf_with(&options).to_vec();
    meet(HostileDump::new("ELF crowded: 20000 PT_NOTEs".to_owned(), file, Expect::Pages(pages.clone())));
    let mut file = machine.elf_with(&ElfOptions { text: false, ..ElfOptions::default() }).to_vec();
    let high = get(&file, 64 + 2 * 56 + 8, 8, false);
    let mut table = file[64..64 + 56].to_vec();
    let low = file[64 + 56..64 + 112].to_vec();
    table.extend_from_slice(&low);
    let mut count = 2;
    for at in (0..0x8_0000_u64).step_by(0x40) {
        let mut phdr = file[64 + 112..64 + 168].to_vec();
        for (field, value) in [(8, high + at), (16, 0), (24, 0x20_0000 + at), (32, 0x40), (40, 0x40)] {
            put(&mut phdr, field, 8, false, value);
        }
        table.extend_from_slice(&phdr);
        count += 1;
    }
    let at = file.len() as u64;
    put(&mut file, 32, 8, false, at);
    put(&mut file, 56, 2, false, count);
    file.extend_from_slice(&table);
    meet(HostileDump::new("ELF crowded: PT_LOADs of 64 bytes".to_owned(), file, Expect::Pages(pages)));
}

/// ELF cores in both classes and byte orders.
pub fn hostile_elf_cores(meet: Meet<'_>) {
    crowded(meet);
    for (name, arch) in
        [("64 LE", Arch::X86_64), ("64 BE", Arch::S390x), ("32 LE", Arch::I386), ("32 BE", Arch::Ppc)]
    {
        let mut core = Core::new(name, arch, meet);
        core.headers();
        core.extended_count();
        core.loads();
        core.notes();
    }
}
