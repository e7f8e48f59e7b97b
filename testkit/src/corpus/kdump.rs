//! kdump-compressed files: headers, bitmaps, descriptors, split sets.

use super::{Expect, HostileDump, Meet, Pages, get, machine, ones, pages_of, put};
use crate::{Arch, Codec, Kdump, Machine, kdump_of};

/// A kdump-compressed file of page frames 1..0x10 and 0x200..0x280, at level 0.
struct File<'m> {
    name: &'static str,
    kdump: Kdump,
    bytes: Vec<u8>,
    pages: Pages,
    wide: bool,
    big: bool,
    /// Where `status` stands; the counts follow it.
    status: usize,
    sub: Vec<usize>,
    descs: usize,
    meet: Meet<'m>,
}

const BLOCK: usize = 0x1000;
/// Page frames.
const MAPNR: u64 = 0x280;

impl<'m> File<'m> {
    fn new(name: &'static str, arch: Arch, meet: Meet<'m>) -> Self {
        let machine = machine(arch);
        let mut kdump = kdump_of(&machine, 0);
        kdump.codec = Codec::Mixed;
        let sub = kdump.sub_header_offsets().iter().map(|at| BLOCK + at).collect();
        Self {
            name,
            bytes: kdump.to_vec(),
            descs: kdump.descs_at(),
            pages: pages_of(&machine),
            wide: arch.wide(),
            big: arch.big(),
            status: if arch.wide() { 424 } else { 412 },
            sub,
            kdump,
            meet,
        }
    }

    fn case(&mut self, what: &str, bytes: Vec<u8>, expect: Expect) {
        (self.meet)(HostileDump::new(format!("kdump {}: {what}", self.name), bytes, expect));
    }

    /// Changes fields: name, offset, width, value.
    fn fields(&mut self, what: &str, fields: &[(usize, usize, u64)], expect: Expect) {
        let mut bytes = self.bytes.clone();
        for (at, width, value) in fields {
            put(&mut bytes, *at, *width, self.big, *value);
        }
        self.case(what, bytes, expect);
    }

    fn field(&mut self, what: &str, at: usize, width: usize, value: u64, expect: Expect) {
        self.fields(&format!("{what} {value:#x}"), &[(at, width, value)], expect);
    }

    fn same(&self) -> Expect {
        Expect::Pages(self.pages.clone())
    }

    fn without(&self, gone: impl Fn(u64) -> bool) -> Expect {
        Expect::Pages(
            self.pages.iter().filter(|(pfn, _)| !gone(**pfn)).map(|(k, v)| (*k, v.clone())).collect(),
        )
    }

    /// Of the pages, those are in a missing part.
    fn gaps(&self, gone: impl Fn(u64) -> bool) -> Expect {
        match self.without(gone) {
            Expect::Pages(pages) => Expect::Gaps(pages),
            other => other,
        }
    }

    fn main_header(&mut self) {
        let refused = Expect::Refused;
        let header: &[&str] = &["disk_dump_header", "block_size"];
        self.field("signature", 0, 4, 0, refused(&["signature", "e_ident"]));
        for value in [0, 7, 0x100, 0x7fff_ffff, 0xffff_ffff] {
            self.field("header_version", 8, 4, value, refused(&["header_version"]));
        }
        // Fewer fields are read, all of which are there.
        for value in [1, 2, 3, 4, 5] {
            self.field("header_version", 8, 4, value, Expect::Ends);
        }
        for value in [0, 1, 512, 2048, 4095, 4097, 12288, 1 << 17, 1 << 31, 0xffff_ffff] {
            self.field("block_size", self.status + 4, 4, value, Expect::Refused(header));
        }
        for value in [8192, 16384, 65536] {
            self.field("block_size", self.status + 4, 4, value, Expect::Ends);
        }
        self.field("sub_hdr_size", self.status + 8, 4, 0, Expect::Refused(header));
        for value in [0x10_0000, 0x7fff_ffff, 0xffff_ffff] {
            self.field("sub_hdr_size", self.status + 8, 4, value, refused(&["bitmap", "kdump_sub_header"]));
        }
        for value in [0, 1, 3, 0xffff_ffff] {
            let expect = Expect::Refused(&["disk_dump_header", "bitmap_blocks"]);
            self.field("bitmap_blocks", self.status + 12, 4, value, expect);
        }
        for value in [0x10_0000, 0xffff_fffe] {
            self.field("bitmap_blocks", self.status + 12, 4, value, refused(&["bitmap"]));
        }
        self.field("bitmap_blocks", self.status + 12, 4, 4, Expect::Ends);
        let mapnr = self.sub[13];
        self.field("max_mapnr", self.status + 16, 4, 0, Expect::Refused(header));
        for value in [1, MAPNR - 1, MAPNR + 1, 0xffff_ffff] {
            // Of the two numbers one is right: which, nothing says.
            self.field("max_mapnr", self.status + 16, 4, value, Expect::Ends);
            self.field("max_mapnr_64", mapnr, 8, value, Expect::Ends);
        }
        for value in [8 * 0x1000 + 1, 1 << 30, 0xffff_ffff, 1 << 40, u64::MAX >> 1, u64::MAX] {
            let low = value.min(0xffff_ffff);
            let both = [(self.status + 16, 4, low), (mapnr, 8, value)];
            self.fields(
                &format!("both max_mapnr {value:#x}"),
                &both,
                refused(&["max_mapnr", "kdump_sub_header"]),
            );
        }
        for value in [1, 0x200, 0x27f] {
            let both = [(self.status + 16, 4, value), (mapnr, 8, value)];
            let expect = self.without(|pfn| pfn >= value);
            self.fields(&format!("both max_mapnr {value:#x}"), &both, expect);
        }
        for (what, at) in
            [("total_ram_blocks", 20), ("device_blocks", 24), ("written_blocks", 28), ("nr_cpus", 36)]
        {
            for value in [1, 0xffff_ffff] {
                self.field(what, self.status + at, 4, value, self.same());
            }
        }
        for value in [0, 3, 8, 0x18, 0x40, 0xffff_ffff] {
            self.field("status", self.status, 4, value, self.same());
        }
        let mut bytes = self.bytes.clone();
        bytes[12..402].fill(0xff);
        self.case("utsname without ends", bytes, self.same());
    }

    fn sub_header(&mut self) {
        let long = if self.wide { 8 } else { 4 };
        let (max, len) = (ones(long), self.bytes.len() as u64);
        for value in [1, max] {
            self.field("phys_base", self.sub[0], long, value, self.same());
            self.field("dump_level", self.sub[1], 4, value & 0xffff_ffff, self.same());
        }
        let offsets = [("vmcoreinfo", 5), ("note", 7), ("eraseinfo", 9)];
        for (what, i) in offsets {
            for value in [0, 1, len, len - 1, u64::MAX >> 1, u64::MAX] {
                self.field(&format!("offset_{what}"), self.sub[i], 8, value, Expect::Ends);
            }
            for value in [0, 1, len, max >> 1, max] {
                self.field(&format!("size_{what}"), self.sub[i + 1], long, value, Expect::Ends);
            }
        }
        let (flag, first, last) = (self.sub[2], self.sub[11], self.sub[12]);
        let split = |start: u64, end: u64| [(flag, 4, 1), (first, 8, start), (last, 8, end)];
        for (start, end, expect) in [
            (0, MAPNR, self.same()),
            (5, 4, Expect::Refused(&["end_pfn"])),
            (0, MAPNR + 1, Expect::Refused(&["end_pfn"])),
            (u64::MAX, u64::MAX - 1, Expect::Refused(&["end_pfn"])),
            (0, u64::MAX, Expect::Refused(&["end_pfn"])),
            // Descriptors count from the part's first page frame.
            (1, MAPNR, self.gaps(|_| false)),
            (0, MAPNR - 1, self.gaps(|pfn| pfn >= MAPNR - 1)),
            (7, 7, self.gaps(|_| true)),
        ] {
            self.fields(&format!("split {start:#x} {end:#x}"), &split(start, end), expect);
        }
    }

    fn bitmaps(&mut self) {
        let blocks = get(&self.bytes, self.status + 8, 4, self.big) as usize;
        let (first, second) = ((1 + blocks) * BLOCK, (2 + blocks) * BLOCK);
        let mut bytes = self.bytes.clone();
        bytes[second..second + BLOCK].fill(0);
        self.case("nothing is held", bytes, Expect::Pages(Pages::new()));
        let mut bytes = self.bytes.clone();
        bytes[first..first + BLOCK].fill(0);
        self.case("nothing is known", bytes, Expect::Ends);
        for at in [first, second] {
            for fill in [0xff, 0x55] {
                let mut bytes = self.bytes.clone();
                bytes[at..at + BLOCK].fill(fill);
                self.case(&format!("bitmap at {at:#x} of {fill:#x}"), bytes, Expect::Ends);
            }
            // Bits past the last page frame say nothing.
            let mut bytes = self.bytes.clone();
            bytes[at + MAPNR as usize / 8..at + BLOCK].fill(0xff);
            self.case(&format!("bitmap at {at:#x} beyond memory"), bytes, self.same());
        }
    }

    fn descriptors(&mut self) {
        let len = self.bytes.len() as u64;
        for (number, pfn) in [(0, 1), (14, 0xf), (15, 0x200), (142, 0x27f)] {
            let at = self.descs + 24 * number;
            let lost = self.without(|other| other == pfn);
            for value in
                [0, 1, 24, self.descs as u64 - 1, len, len - 1, u64::MAX >> 1, u64::MAX, u64::MAX - 100]
            {
                // What stands before the descriptors is no page.
                self.field(&format!("page {pfn:#x} offset"), at, 8, value, lost.clone());
            }
            for value in [0, 0x1001, 0x8000_0000, 0xffff_ffff] {
                self.field(&format!("page {pfn:#x} size"), at + 8, 4, value, lost.clone());
            }
            for value in [0, 1, ones(8)] {
                self.field(&format!("page {pfn:#x} page_flags"), at + 16, 8, value, self.same());
            }
        }
        let mut bytes = self.bytes.clone();
        bytes[self.descs..self.descs + 24 * self.pages.len()].fill(0);
        self.case("all pages are lost", bytes, Expect::Pages(Pages::new()));
        // Every descriptor is the first one's: a file may share what pages have in common.
        let mut bytes = self.bytes.clone();
        let first = bytes[self.descs..self.descs + 24].to_vec();
        let mut pages = self.pages.clone();
        let page = pages[&1].clone();
        for (number, shared) in pages.values_mut().enumerate() {
            bytes[self.descs + 24 * number..][..24].copy_from_slice(&first);
            shared.clone_from(&page);
        }
        self.case("all pages are one", bytes, Expect::Pages(pages));
    }

    fn cuts(&mut self) {
        let refused = Expect::Refused;
        for at in [0, 4, 7, 8, 11, 12, 402, 463] {
            let fields: &[&str] = &["disk_dump_header", "signature", "e_ident"];
            self.case(&format!("cut to {at} bytes"), self.bytes[..at].to_vec(), refused(fields));
        }
        for at in [464, BLOCK, BLOCK + 50] {
            let expect = refused(&["kdump_sub_header"]);
            self.case(&format!("cut to {at} bytes"), self.bytes[..at].to_vec(), expect);
        }
        let bitmaps = self.descs - 2 * BLOCK;
        for at in [bitmaps - 1, bitmaps, bitmaps + BLOCK, bitmaps + BLOCK + 70] {
            self.case(&format!("cut to {at:#x} bytes"), self.bytes[..at].to_vec(), Expect::Ends);
        }
        for number in [0, 1, 15, 100] {
            for into in [0, 1, 23] {
                let at = self.descs + 24 * number + into;
                // All pages stand behind the last descriptor.
                self.case(
                    &format!("cut to {at:#x} bytes"),
                    self.bytes[..at].to_vec(),
                    Expect::Pages(Pages::new()),
                );
            }
        }
        let data = self.descs + 24 * self.pages.len();
        for number in [0, 1, 20, 142] {
            let desc = self.descs + 24 * number;
            let end = get(&self.bytes, desc, 8, self.big) + get(&self.bytes, desc + 8, 4, self.big);
            let pfn = *self.pages.keys().nth(number).expect("a page");
            let cut = self.bytes[..end as usize - 1].to_vec();
            self.case(&format!("cut in page {pfn:#x}"), cut, self.without(|other| other >= pfn));
            let cut = self.bytes[..end as usize].to_vec();
            self.case(&format!("cut after page {pfn:#x}"), cut, self.without(|other| other > pfn));
        }
        self.case("cut before the pages", self.bytes[..data].to_vec(), Expect::Pages(Pages::new()));
    }
}

/// kdump-compressed files of four ABIs.
pub fn hostile_kdump_files(meet: Meet<'_>) {
    for (name, arch) in
        [("LP64 LE", Arch::X86_64), ("LP64 BE", Arch::S390x), ("i386", Arch::I386), ("ILP32 BE", Arch::Ppc)]
    {
        let mut file = File::new(name, arch, meet);
        assert_eq!(file.kdump.max_mapnr, MAPNR);
        file.main_header();
        file.sub_header();
        file.bitmaps();
        file.descriptors();
        file.cuts();
    }
}

/// Split sets that do not fit together.
pub fn hostile_sets(meet: Meet<'_>) {
    let machine: Machine = machine(Arch::X86_64);
    let kdump = kdump_of(&machine, 0);
    let pages = pages_of(&machine);
    let whole = kdump.split(&[0..0x40, 0x40..0x240, 0x240..MAPNR]);
    let sub = |field: usize| BLOCK + kdump.sub_header_offsets()[field];
    let mut set = |name: &str, parts: Vec<Vec<u8>>, expect: Expect| {
        meet(HostileDump { name: format!("set: {name}"), parts, expect });
    };
    let refused = |field| Expect::Refused(field);
    let without = |gone: std::ops::Range<u64>| {
        let rest = pages.iter().filter(|(pfn, _)| !gone.contains(pfn));
        Expect::Gaps(rest.map(|(pfn, page)| (*pfn, page.clone())).collect())
    };
    let all_pages = Expect::Pages(pages.clone());
    set("in another order", vec![whole[2].clone(), whole[0].clone(), whole[1].clone()], all_pages);
    set("without its first part", whole[1..].to_vec(), without(0..0x40));
    set("without its last part", whole[..2].to_vec(), without(0x240..MAPNR));
    set("without a part between", vec![whole[0].clone(), whole[2].clone()], without(0x40..0x240));
    set("a part twice", vec![whole[0].clone(), whole[1].clone(), whole[1].clone()], refused(&["start_pfn"]));
    set("of a whole file and a part", vec![kdump.to_vec(), whole[1].clone()], refused(&["split"]));
    set("of two whole files", vec![kdump.to_vec(), kdump.to_vec()], refused(&["split"]));
    let mut changed = |name: &str, at: usize, width: usize, value: u64, expect: Expect| {
        let mut parts = whole.clone();
        put(&mut parts[1], at, width, false, value);
        set(name, parts, expect);
    };
    changed("with an overlap", sub(11), 8, 0x3f, refused(&["start_pfn"]));
    changed("with a gap", sub(11), 8, 0x41, without(0x40..0x41));
    changed("with a part that ends before it starts", sub(12), 8, 0x3f, refused(&["end_pfn"]));
    changed("with a part past the end", sub(12), 8, MAPNR + 1, refused(&["end_pfn"]));
    changed("with a part that is none", sub(2), 4, 0, refused(&["split"]));
    changed("of two machines", 12, 4, 0x41414141, refused(&["utsname"]));
    changed("of two crashes", 408, 8, 1, refused(&["timestamp"]));
    changed(
        "of two versions",
        8,
        4,
        5,
        refused(&["header_version", "max_mapnr", "bitmap_blocks", "disk_dump_header"]),
    );
    changed("of two bitmaps", 436, 4, 4, refused(&["bitmap_blocks"]));
}
