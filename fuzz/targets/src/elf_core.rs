//! ELF cores: headers, notes of every kind, VMCOREINFO, and the memory that their `PT_LOAD`s say they hold.

use page_filter::dump::Source;
use page_filter::{ElfMemory, LoadSlot, PhysMemory};
use testkit::{Arch, ElfOptions, Loads, Machine};
use vmcore_format::elf::{ElfCore, Header, ProgramHeader};
use vmcore_format::note::{
    DeviceDump, NoteKind, Prstatus, PrstatusLayout, QemuCpuState, X86_64Registers, XenCrashInfo, XenCrashRegs,
};
use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{PageSize, Pfn, PhysAddr, ReadAt};

/// Longer notes and more headers than a small file can hold.
const DESC: usize = 0x1000;
const HEADERS: usize = 64;
const NOTES: usize = 4096;

/// The input is the file.
pub fn run(data: &[u8]) {
    let file = &data;
    header(file);
    let mut table = [ProgramHeader::default(); HEADERS];
    let Ok(core) = ElfCore::open(file, &mut table) else { return };
    for load in core.loads() {
        assert!(core.held_filesz(load) <= load.p_filesz);
    }
    assert!(core.loads().iter().all(|load| load.memory().end <= core.memory_end()));
    let _missing = core.missing_bytes();
    notes(&core);
    memory(&core, file);
}

fn header(file: &dyn ReadAt) {
    let Ok(header) = Header::read(file) else { return };
    let mut bytes = [0; 64];
    let len = header.encode(&mut bytes).expect("64 bytes hold any header");
    assert_eq!(len, header.encoded_len());
    if header.has_section_header() {
        let mut section = [0; 64];
        let len = header.encode_section_header(&mut section).expect("64 bytes hold any section header");
        assert_eq!(len, header.section_header_len());
    }
}

fn notes(core: &ElfCore<'_>) {
    let (layout, e_machine) = (core.header().layout, core.header().e_machine);
    let mut buf = [0; DESC];
    for note in core.notes().take(NOTES).flatten() {
        assert!(note.name().len() <= 64);
        if let Ok(dump) = DeviceDump::read(&note, core.input()) {
            assert!(dump.data_len <= note.desc_len && dump.name().len() <= 44);
        }
        let Ok(desc) = note.read_desc(core.input(), &mut buf) else { continue };
        assert_eq!(desc.len(), note.desc_len as usize);
        let desc = &*desc;
        // Whatever its kind says: a wrong name must not make a reader trust the bytes.
        let _states = (
            XenCrashInfo::parse(desc, layout),
            XenCrashRegs::parse(desc, layout),
            QemuCpuState::parse(desc, layout),
        );
        if let Ok(status) = Prstatus::parse(desc, e_machine, layout.endian) {
            let layout_of = PrstatusLayout::of_desc(e_machine, desc.len()).expect("it was parsed");
            let mut again = [0; DESC];
            let len = status.encode(layout_of, layout.endian, &mut again).expect("a page holds it");
            let back = Prstatus::parse(&again[..len], e_machine, layout.endian);
            assert_eq!(back, Ok(status));
            if let Ok(registers) = X86_64Registers::parse(status.pr_reg) {
                let mut again = [0; X86_64Registers::LEN];
                registers.encode(&mut again).expect("it has that length");
                assert_eq!(again, status.pr_reg[..X86_64Registers::LEN]);
            }
        }
        if note.kind() == NoteKind::VmcoreInfo {
            vmcoreinfo(desc);
        }
    }
}

fn vmcoreinfo(text: &[u8]) {
    let info = VmcoreInfo::new(text);
    for (key, value) in info.iter() {
        assert!(key.len() + value.len() < text.len());
        assert!(info.get(key).is_some());
    }
    let _numbers =
        (info.number("phys_base"), info.symbol("mem_section"), info.size("page"), info.page_size());
    let _more = (info.offset("page.flags"), info.length("zone.free_area"), info.os_release());
    let _texts = (info.build_id(), info.crash_time(), info.kernel_offset());
}

fn memory(core: &ElfCore<'_>, file: &dyn ReadAt) {
    let mut text = [0; DESC];
    let page_size = Source::of_elf(core, &mut text).map_or(PageSize::KIB_4, |source| source.page_size);
    let mut slots = vec![LoadSlot::default(); core.loads().len()];
    let Ok(mut memory) = ElfMemory::new(file, core.loads(), &mut slots, page_size) else { return };
    let mut page = vec![0; page_size.len()];
    let mut from = Pfn(0);
    for _ in 0..HEADERS * 2 {
        let Ok(Some(run)) = memory.next_held(from) else { break };
        assert!(run.start >= from && run.end > run.start);
        assert!(memory.next_known(run.start).is_ok_and(|known| known.is_some_and(|k| k.start == run.start)));
        for pfn in [run.start.0, run.end.0 - 1] {
            let _read = page_size.start_of(Pfn(pfn)).map(|at| memory.read(at, &mut page));
        }
        from = run.end;
    }
    for load in core.loads() {
        for at in [load.p_paddr, load.memory().end, load.p_paddr.wrapping_sub(1)] {
            let mut some = [0; 9];
            let read = memory.read(PhysAddr(at), &mut some);
            if let Some(view) = memory.view(PhysAddr(at), 9) {
                assert!(read.is_ok() && view == some);
            }
        }
    }
}

/// The headers and notes of small machines; the memory behind them is cut off, but for a page or so.
pub fn seeds() -> Vec<Vec<u8>> {
    let plain = ElfOptions::default;
    let extra =
        |name: &str, n_type, len: usize| (name.to_owned(), n_type, (0..len).map(|i| i as u8).collect());
    let options = [
        plain(),
        ElfOptions { loads: Loads::Unsorted, split_notes: true, ..plain() },
        ElfOptions { xnum: true, loads: Loads::Split(0x8_3456), vmcoreinfo: false, ..plain() },
        ElfOptions { qemu: true, missing: 0x2800, ..plain() },
        ElfOptions {
            cpus: 1,
            vmcoreinfo: false,
            extra_notes: vec![
                extra("Xen", 0x100_0001, 80),
                extra("Xen", 0x100_0002, 32),
                extra("QEMU", 0, 440),
                extra("LINUX", 0x700, 100),
            ],
            ..plain()
        },
    ];
    let archs = [Arch::X86_64, Arch::I386, Arch::Arm64, Arch::Ppc64, Arch::S390x, Arch::Ppc];
    let mut seeds = Vec::new();
    for arch in archs {
        let machine = Machine::tiny(arch).build();
        for options in &options {
            let elf = machine.elf_with(options);
            let mut file = vec![0; 0x2400];
            assert!(elf.read_at(0, &mut file));
            seeds.push(file);
        }
    }
    seeds
}
