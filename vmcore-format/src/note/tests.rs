//! Notes laid out by hand, of real dumps, and hostile ones.

extern crate std;

use super::*;
use crate::elf::{
    EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
    ElfCore, ProgramHeader,
};
use crate::vmcoreinfo::VmcoreInfo;
use crate::{Class, Endian, Error, Field, Layout};
use std::vec::Vec;

const VMCORE: &[u8] = include_bytes!("../../testdata/vmcore-6.1-x86_64.core");
const QEMU: &[u8] = include_bytes!("../../testdata/qemu-7.2-x86_64.core");

fn word(endian: Endian, value: u32) -> [u8; 4] {
    match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    }
}

/// A note by hand: lengths as given, name and descriptor as they come.
fn raw(endian: Endian, lens: (u32, u32), n_type: u32, rest: &[u8]) -> Vec<u8> {
    let words = [lens.0, lens.1, n_type].map(|value| word(endian, value));
    [words.as_flattened(), rest].concat()
}

fn region(bytes: &[u8], align: u64) -> NoteRegion {
    NoteRegion { offset: 0, len: bytes.len() as u64, align }
}

fn walk(bytes: &[u8], align: u64) -> Vec<Result<Note, Error>> {
    Notes::new(&bytes, region(bytes, align), Endian::Little).collect()
}

fn corrupt(field: Field, offset: u64) -> Error {
    Error::Corrupt { field, offset }
}

/// The descriptors of the notes of one kind.
fn descs(file: &[u8], kind: NoteKind) -> Vec<Vec<u8>> {
    let mut table = [ProgramHeader::default(); 4];
    let core = ElfCore::open(&file, &mut table).unwrap();
    let mut buf = [0; 4096];
    let notes = core.notes().map(Result::unwrap).filter(|note| note.kind() == kind);
    notes.map(|note| note.read_desc(&file, &mut buf).unwrap().to_vec()).collect()
}

#[test]
fn registers_of_a_real_crash_are_those_gdb_prints() {
    let cpus = descs(VMCORE, NoteKind::Prstatus);
    let [first, second] = [0, 1].map(|cpu| Prstatus::parse(&cpus[cpu], EM_X86_64, Endian::Little).unwrap());
    assert_eq!((first.pr_pid, second.pr_pid, first.pr_cursig), (112, 110, 0));
    let expected = X86_64Registers {
        rbx: 0xff55_e391_c042_b8f0,
        rdx: 1,
        rdi: 0xff55_e391_c042_b998,
        rbp: 0xff55_e391_c042_ba20,
        rsp: 0xff55_e391_c042_b8f0,
        r9: 0xff55_e391_c042_b728,
        r10: 3,
        r11: 0xffff_ffff_ab8d_2328,
        r13: 0xff55_e391_c042_b9b0,
        r14: 0xffff_ffff_aaed_d2e0,
        rip: 0xffff_ffff_a9f6_475a,
        eflags: 0x46,
        cs: 0x10,
        ss: 0x18,
        ..Default::default()
    };
    let found = X86_64Registers::parse(first.pr_reg).unwrap();
    // gdb shows these three under other names; zero or not, they are checked by the round trip below.
    let (orig_rax, fs_base, gs_base) = (found.orig_rax, found.fs_base, found.gs_base);
    assert_eq!(found, X86_64Registers { orig_rax, fs_base, gs_base, ..expected });
    let mut buf = [0; X86_64Registers::LEN];
    assert_eq!(found.encode(&mut buf), Ok(216));
    assert_eq!(buf, first.pr_reg);
    let found = X86_64Registers::parse(second.pr_reg).unwrap();
    assert_eq!((found.rip, found.r15, found.rcx), (0xffff_ffff_aa7c_2a4a, 0xff55_e391_c042_3c38, 1532));
    assert_eq!(X86_64Registers::parse(&second.pr_reg[1..]), Err(corrupt(Field::PrReg, 208)));
    assert_eq!(found.encode(&mut buf[1..]), Err(Error::BufferTooSmall { needed: 216 }));
}

#[test]
fn qemu_notes_hold_a_state_for_each_cpu() {
    let cpus = descs(QEMU, NoteKind::QemuCpuState);
    assert_eq!(cpus.len(), 2);
    let state = QemuCpuState::parse(&cpus[0], Layout::LE64).unwrap();
    let prstatus = &descs(QEMU, NoteKind::Prstatus)[0];
    let prstatus = Prstatus::parse(prstatus, EM_X86_64, Endian::Little).unwrap();
    let registers = X86_64Registers::parse(prstatus.pr_reg).unwrap();
    assert_eq!(prstatus.pr_pid, 1);
    assert_eq!((registers.rip, registers.rsp), (0xffff_ffff_aa81_7a0b, 0xffff_ffff_ab80_3e98));
    assert_eq!((state.rip, state.rflags), (0xffff_ffff_aa81_7a0b, 0x246));
    assert_eq!(state.general[..4], [0x1ad40, 0, 0, 0x4000_0000_0000_0000]);
    assert_eq!(state.general[6..8], [0xffff_ffff_ab80_3e98, 0xffff_ffff_ab81_aa40]);
    assert_eq!(state.general[15], 0x14790);
    let selectors = state.segments.map(|segment| segment.selector);
    assert_eq!(selectors, [0x10, 0, 0, 0, 0, 0x18]);
    assert_eq!(state.segments[4].base, 0xff1f_098e_1e60_0000);
    assert_eq!((state.tr.selector, state.tr.limit), (0x40, 0x4087));
    assert_eq!((state.gdt.base, state.gdt.limit), (0xffff_fe00_0000_1000, 0x7f));
    assert_eq!(state.idt.limit, 0xfff);
    assert_eq!((state.cr[0], state.cr[1], state.cr[3]), (0x8005_0033, 0, 0x1ff8_8000));
    assert_eq!(state.kernel_gs_base, Some(0));

    let older = &cpus[0][..432];
    assert_eq!(QemuCpuState::parse(older, Layout::LE64).unwrap().kernel_gs_base, None);
    for len in 0..432 {
        assert!(
            matches!(QemuCpuState::parse(&older[..len], Layout::LE64), Err(Error::Corrupt { .. })),
            "{len}"
        );
    }
    let error = QemuCpuState::parse(&cpus[0], Layout::BE64).unwrap_err();
    assert_eq!(error, Error::Unsupported { field: Field::QemuCpuState, value: 0x100_0000 });
}

#[test]
fn vmcoreinfo_of_a_real_crash() {
    let text = &descs(VMCORE, NoteKind::VmcoreInfo)[0];
    assert_eq!(text.len(), 0xcd5);
    let info = VmcoreInfo::new(text);
    assert_eq!(info.os_release(), Some("6.1.0-56-cloud-amd64"));
    assert_eq!(info.build_id(), Some("3b43fad5034874490492495d552c0af6a5fab235"));
    assert_eq!(info.page_size().unwrap().bytes(), 4096);
    assert_eq!(info.crash_time(), Some(1_795_294_753));
    assert_eq!(info.kernel_offset(), Some(0x28e0_0000));
    assert_eq!(info.symbol("init_uts_ns"), Some(0xffff_ffff_ab9f_9b60));
    assert_eq!(info.number("phys_base"), Some(-318_767_104));
    assert_eq!(info.number("PAGE_BUDDY_MAPCOUNT_VALUE"), Some(-129));
    assert_eq!((info.size("page"), info.offset("page.compound_order")), (Some(64), Some(17)));
    assert_eq!(info.length("zone.free_area"), Some(11));
    let lines = text.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(info.iter().count(), lines);
    assert_eq!(VmcoreInfo::new(&descs(QEMU, NoteKind::VmcoreInfo)[0]).crash_time(), None);
}

/// `e_machine`, class, length of `elf_prstatus`, offset and length of `pr_reg`, offset of `pr_pid`. x86_64 and s390x
/// as the C compiler says of `<sys/procfs.h>`, the others as binutils expects them in a core.
const PRSTATUS: [(u16, Class, usize, usize, usize, usize); 14] = [
    (EM_386, Class::Bits32, 144, 72, 68, 24),
    (EM_X86_64, Class::Bits64, 336, 112, 216, 32),
    (EM_ARM, Class::Bits32, 148, 72, 72, 24),
    (EM_AARCH64, Class::Bits64, 392, 112, 272, 32),
    (EM_PPC, Class::Bits32, 268, 72, 192, 24),
    (EM_PPC64, Class::Bits64, 504, 112, 384, 32),
    (EM_S390, Class::Bits32, 224, 72, 144, 24),
    (EM_S390, Class::Bits64, 336, 112, 216, 32),
    (EM_RISCV, Class::Bits32, 204, 72, 128, 24),
    (EM_RISCV, Class::Bits64, 376, 112, 256, 32),
    (EM_MIPS, Class::Bits32, 256, 72, 180, 24),
    (EM_MIPS, Class::Bits64, 480, 112, 360, 32),
    (EM_LOONGARCH, Class::Bits32, 256, 72, 180, 24),
    (EM_LOONGARCH, Class::Bits64, 480, 112, 360, 32),
];

#[test]
fn prstatus_of_each_machine() {
    for (e_machine, class, len, reg_offset, reg_len, pid_offset) in PRSTATUS {
        for endian in [Endian::Little, Endian::Big] {
            let mut desc = std::vec![0; len];
            desc[12..14].copy_from_slice(if endian == Endian::Little { &[11, 0] } else { &[0, 11] });
            desc[pid_offset..][..4].copy_from_slice(&word(endian, 0xffff_fffe));
            for (byte, value) in desc[reg_offset..][..reg_len].iter_mut().zip((1..=255).cycle()) {
                *byte = value;
            }
            let prstatus = Prstatus::parse(&desc, e_machine, endian).unwrap();
            assert_eq!((prstatus.pr_cursig, prstatus.pr_pid), (11, -2), "{e_machine} {class:?}");
            assert_eq!(prstatus.pr_reg, &desc[reg_offset..][..reg_len]);

            let layout = PrstatusLayout::new(e_machine, class).unwrap();
            assert_eq!((layout.class, layout.len, layout.reg_offset()), (class, len, reg_offset));
            let mut buf = [0xaa; 512];
            assert_eq!(prstatus.encode(layout, endian, &mut buf), Ok(len));
            assert_eq!(buf[..len], desc);
            let short = prstatus.encode(layout, endian, &mut buf[..len - 1]);
            assert_eq!(short, Err(Error::BufferTooSmall { needed: len as u64 }));
        }
    }
}

#[test]
fn prstatus_cut_or_unknown() {
    for len in 0..336 {
        let parsed = Prstatus::parse(&[0; 336][..len], EM_X86_64, Endian::Little);
        assert_eq!(parsed.is_ok(), len >= 328, "{len}");
    }
    let unknown = Error::Unsupported { field: Field::EMachine, value: 2 };
    assert_eq!(Prstatus::parse(&[0; 336], 2, Endian::Little), Err(unknown));
    let layout = PrstatusLayout::new(EM_X86_64, Class::Bits64).unwrap();
    let wrong = Prstatus { pr_cursig: 0, pr_pid: 0, pr_reg: &[0; 215] };
    let error = Error::Unsupported { field: Field::PrReg, value: 215 };
    assert_eq!(wrong.encode(layout, Endian::Little, &mut [0; 336]), Err(error));
}

#[test]
fn xen_notes_by_age_and_word_size() {
    let words = |layout: Layout, count: u64| -> Vec<u8> {
        let word = |value: u64| match (layout.class, layout.endian) {
            (Class::Bits64, Endian::Little) => value.to_le_bytes().to_vec(),
            (Class::Bits64, Endian::Big) => value.to_be_bytes().to_vec(),
            (Class::Bits32, Endian::Little) => value.to_le_bytes()[..4].to_vec(),
            (Class::Bits32, Endian::Big) => value.to_be_bytes()[4..].to_vec(),
        };
        (1..=count).flat_map(word).collect()
    };
    for layout in [Layout::LE64, Layout::LE32, Layout::BE64, Layout::BE32] {
        let info = XenCrashInfo::parse(&words(layout, 10), layout).unwrap();
        assert_eq!((info.major_version, info.minor_version, info.tainted), (1, 2, 8));
        assert_eq!((info.extra_version, info.changeset, info.compiler), (3, 4, 5));
        assert_eq!((info.compile_date, info.compile_time), (6, 7));
        assert_eq!((info.xen_phys_start, info.dom0_pfn_to_mfn_frame_list_list), (Some(9), Some(10)));
        let info = XenCrashInfo::parse(&words(layout, 9), layout).unwrap();
        assert_eq!((info.xen_phys_start, info.dom0_pfn_to_mfn_frame_list_list), (None, Some(9)));
        let short = words(layout, 8);
        assert_eq!(XenCrashInfo::parse(&short, layout).unwrap().xen_phys_start, None);
        for len in 0..short.len() {
            assert!(XenCrashInfo::parse(&short[..len], layout).is_err(), "{len}");
        }
        let regs = words(layout, 4);
        let parsed = XenCrashRegs::parse(&regs, layout).unwrap();
        assert_eq!(parsed, XenCrashRegs { cr0: 1, cr2: 2, cr3: 3, cr4: 4 });
        assert!(XenCrashRegs::parse(&regs[1..], layout).is_err());
    }
}

#[test]
fn a_device_dump_stays_in_the_file() {
    for endian in [Endian::Little, Endian::Big] {
        let dump_name = [&b"cxgb4_0000:02:00.4"[..], &[0; 26]].concat();
        let rest = [&b"LINUX\0\0\0"[..], &dump_name, b"registers..."].concat();
        let bytes = raw(endian, (8, 44 + 12), NT_VMCOREDD, &rest);
        let input = bytes.as_slice();
        let notes: Vec<_> = Notes::new(&input, region(input, 0), endian).map(Result::unwrap).collect();
        assert_eq!(notes[0].kind(), NoteKind::DeviceDump);
        let dump = DeviceDump::read(&notes[0], &input).unwrap();
        assert_eq!((dump.name(), dump.data_offset, dump.data_len), (&b"cxgb4_0000:02:00.4"[..], 64, 12));
        assert_eq!(encode_dump_name(dump.name())[..], dump_name);
        for len in 0..64 {
            assert!(DeviceDump::read(&notes[0], &&input[..len]).is_err());
        }
    }
    assert_eq!(encode_dump_name(&[b'x'; 60]), *[&[b'x'; 43][..], &[0]].concat());
    let small = raw(Endian::Little, (6, 43), NT_VMCOREDD, &[&b"LINUX\0\0\0"[..], &[1; 44]].concat());
    let note = walk(&small, 0)[0].unwrap();
    let error = DeviceDump::read(&note, &small.as_slice()).unwrap_err();
    assert_eq!(error, corrupt(Field::VmcoreddHeader, 20));
    let other = walk(&raw(Endian::Little, (0, 0), 9, &[]), 0)[0].unwrap();
    let error = DeviceDump::read(&other, &small.as_slice()).unwrap_err();
    assert_eq!(error, Error::Unsupported { field: Field::NoteHeader, value: 9 });
}
