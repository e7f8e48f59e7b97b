//! What the crashed kernel left behind: page tables, sections, logs and VMCOREINFO that lead nowhere or to themselves.
//!
//! The file around it is whole: every page of it can be read, whatever its contents say.

use super::{Expect, HostileDump, Meet, pages_of};
use crate::{Arch, ElfOptions, Era, Generation, LogRecord, Machine, MemModel, Population, Use};

fn builder(model: MemModel, generation: Generation) -> Machine {
    Machine::x86_64(Era::V6_1)
        .ranges(&[(0x1000, 0x1_0000), (0x20_0000, 0x29_0000)])
        .section_size_bits(22)
        .model(model)
        .population(Population::Only(Use::Cache))
        .log(generation, LogRecord::sample(60))
        .build()
}

fn ring() -> Machine {
    builder(MemModel::Flat, Generation::Ringbuffer)
}

/// The file of a machine whose pages all can be read.
fn case(name: String, machine: &Machine) -> HostileDump {
    let file = machine.elf_with(&ElfOptions { text: false, ..ElfOptions::default() }).to_vec();
    HostileDump::new(format!("machine: {name}"), file, Expect::Pages(pages_of(machine)))
}

/// The physical address of a symbol of the kernel's image.
fn symbol(machine: &Machine, name: &str) -> Option<u64> {
    let of_linear = |virt: u64| virt - machine.linear(0);
    let of_text = |virt: u64| virt.checked_sub(machine.text_virt()).map(|into| into + machine.text_phys());
    machine.symbol(name).map(|virt| of_text(virt).unwrap_or_else(|| of_linear(virt)))
}

fn word(machine: &Machine, at: u64) -> u64 {
    u64::from_le_bytes(machine.read(at, 8).try_into().expect("eight bytes"))
}

fn fill(machine: &mut Machine, at: u64, len: u64, value: u64) {
    let bytes: Vec<u8> = value.to_le_bytes().into_iter().cycle().take(len as usize).collect();
    machine.poke(at, &bytes);
}

/// Values that wrap, point nowhere, or at what should not be pointed at.
const EXTREMES: [u64; 9] = [
    0,
    1,
    u64::MAX,
    u64::MAX - 7,
    1 << 63,
    0xffff_8880_0000_0000,
    0xffff_ffff_8100_0000,
    0x7fff_ffff_ffff,
    1 << 51,
];

fn page_tables(meet: Meet<'_>) {
    let plain = ring();
    let root = symbol(&plain, "init_top_pgt").expect("the root table is named");
    let tables: Vec<u64> =
        plain.pfns().into_iter().filter(|pfn| plain.use_of(*pfn) == Some(Use::Table)).collect();
    for entry in [0x63, 0xe3, 0x62, u64::MAX, 0x000f_ffff_ffff_f063, 0x000f_ffff_ffff_f0e3, 1 << 51 | 0x63] {
        for (what, at) in
            [("root", root)].into_iter().chain(tables.iter().take(6).map(|pfn| ("table", pfn << 12)))
        {
            let mut machine = plain.clone();
            fill(&mut machine, at, 0x1000, entry);
            meet(case(format!("page {what} {at:#x} of {entry:#x}"), &machine));
        }
    }
    // Tables that are their own next table, at every level.
    for (i, at) in [root].into_iter().chain(tables.iter().map(|pfn| pfn << 12)).enumerate() {
        for flags in [0x63, 0xe3] {
            let mut machine = plain.clone();
            fill(&mut machine, at, 0x1000, at | flags);
            meet(case(format!("page table {i} leads to itself {flags:#x}"), &machine));
        }
        let mut machine = plain.clone();
        fill(&mut machine, at, 0x1000, root | 0x63);
        meet(case(format!("page table {i} leads to the root"), &machine));
    }
}

fn sections(meet: Meet<'_>) {
    for (what, model) in [
        ("flat", MemModel::Flat),
        ("static", MemModel::SparseStatic),
        ("extreme", MemModel::SparseExtreme { pointer: false }),
        ("pointer", MemModel::SparseExtreme { pointer: true }),
    ] {
        let plain = builder(model, Generation::Ringbuffer);
        let Some(at) = symbol(&plain, "mem_section").or_else(|| symbol(&plain, "mem_map")) else { continue };
        for value in EXTREMES {
            let mut machine = plain.clone();
            fill(&mut machine, at, 64, value);
            meet(case(format!("{what}: first words {value:#x}"), &machine));
        }
        let own = plain.symbol("mem_section").or(plain.symbol("mem_map")).unwrap_or(0);
        let mut machine = plain.clone();
        fill(&mut machine, at, 64, own);
        meet(case(format!("{what}: leads to itself"), &machine));
        // Every struct page, with the same word throughout.
        let virt = plain.struct_page_phys(0x201).expect("a struct page");
        for value in EXTREMES {
            let mut machine = plain.clone();
            fill(&mut machine, virt & !0xfff, 0x1000, value);
            let mut case = case(format!("{what}: struct pages of {value:#x}"), &machine);
            if value.count_ones() > 40 {
                // Among all those flags is the one of broken memory, which no dump reads.
                case.expect = Expect::Ends;
            }
            meet(case);
        }
    }
}

fn logs(meet: Meet<'_>) {
    for (what, generation, names) in [
        ("ring buffer", Generation::Ringbuffer, &["prb"][..]),
        ("records", Generation::Records, &["log_buf", "log_buf_len", "log_first_idx", "log_next_idx"]),
        ("flat", Generation::Flat, &["log_buf", "log_buf_len", "log_end"]),
    ] {
        let plain = builder(MemModel::Flat, generation);
        for name in names {
            let at = symbol(&plain, name).expect("the log is named");
            let width = if generation == Generation::Ringbuffer || *name == "log_buf" { 8 } else { 4 };
            for value in EXTREMES.into_iter().chain([0x7fff_ffff, 0x8000_0000, 0x4000_0000, 3]) {
                let mut machine = plain.clone();
                machine.poke(at, &value.to_le_bytes()[..width]);
                meet(case(format!("log, {what}: {name} {value:#x}"), &machine));
            }
            let mut machine = plain.clone();
            machine.poke(at, &plain.symbol(name).unwrap_or(0).to_le_bytes()[..width]);
            meet(case(format!("log, {what}: {name} leads to itself"), &machine));
        }
        if generation != Generation::Ringbuffer {
            continue;
        }
        // Each word of `struct printk_ringbuffer`: counts of bits, pointers, identities of head and tail.
        let at = symbol(&plain, "prb").expect("the log is named");
        let ring = word(&plain, at).wrapping_sub(plain.linear(0));
        let ring = if plain.pfns().contains(&(ring >> 12)) { ring } else { at };
        for i in 0..12 {
            for value in [0, 1, 26, 27, 31, 63, 64, u64::MAX, u64::MAX >> 2, 1 << 62, 0xffff_8880_0000_0000] {
                let mut machine = plain.clone();
                machine.poke(ring + 8 * i, &u64::to_le_bytes(value));
                meet(case(format!("log, {what}: word {i} {value:#x}"), &machine));
            }
        }
        // The largest ring that can be, of which every descriptor stands in a page that is not there.
        let mut machine = plain.clone();
        machine.poke(ring, &26_u64.to_le_bytes());
        machine.poke(ring + 24, &((1_u64 << 26) - 1).to_le_bytes());
        machine.poke(ring + 32, &0_u64.to_le_bytes());
        meet(case(format!("log, {what}: 2^26 records"), &machine));
        let mut machine = machine.clone();
        machine.poke(ring + 8, &u64::to_le_bytes(0xffff_c900_0000_0000));
        meet(case(format!("log, {what}: 2^26 records nowhere"), &machine));
    }
}

fn vmcoreinfo(meet: Meet<'_>) {
    let plain = ring();
    let info = plain.vmcoreinfo();
    let keys: Vec<String> =
        info.lines().filter_map(|line| line.split('=').next().map(str::to_owned)).collect();
    for key in keys {
        if key == "PAGESIZE" {
            continue;
        }
        for value in ["18446744073709551615", "0", "ffffffffffffffff", "-1", "4096"] {
            let changed: String = info
                .lines()
                .map(|line| {
                    if line.split('=').next() == Some(&key) {
                        format!("{key}={value}\n")
                    } else {
                        format!("{line}\n")
                    }
                })
                .collect();
            let note = ("VMCOREINFO".to_owned(), 0, changed.into_bytes());
            let options = ElfOptions {
                text: false,
                vmcoreinfo: false,
                extra_notes: vec![note],
                ..ElfOptions::default()
            };
            let file = plain.elf_with(&options).to_vec();
            let expect = Expect::Pages(pages_of(&plain));
            meet(HostileDump::new(format!("machine: {key}={value}"), file, expect));
        }
    }
    for (what, text) in [
        ("nothing", Vec::new()),
        ("one long line", vec![b'A'; 60_000]),
        ("lines without end", vec![b'\n'; 60_000]),
        ("equals signs", vec![b'='; 60_000]),
        ("zeros", vec![0; 4096]),
        ("no text", (0..60_000_u32).map(|i| (i * 7) as u8).collect()),
        ("the page size, again and again", b"PAGESIZE=4096\n".repeat(4000)),
        ("page size 0", b"PAGESIZE=0\n".to_vec()),
        ("page size 3", b"PAGESIZE=3\n".to_vec()),
        ("page size 2^63", b"PAGESIZE=9223372036854775808\n".to_vec()),
        ("page size -1", b"PAGESIZE=-1\n".to_vec()),
    ] {
        let note = ("VMCOREINFO".to_owned(), 0, text);
        let options =
            ElfOptions { text: false, vmcoreinfo: false, extra_notes: vec![note], ..ElfOptions::default() };
        let file = plain.elf_with(&options).to_vec();
        let expect = Expect::Pages(pages_of(&plain));
        meet(HostileDump::new(format!("machine: VMCOREINFO of {what}"), file, expect));
    }
}

/// Machines of x86_64 whose own tables are damaged.
pub fn hostile_machines(meet: Meet<'_>) {
    assert!(Arch::X86_64.wide());
    page_tables(meet);
    sections(meet);
    logs(meet);
    vmcoreinfo(meet);
}
