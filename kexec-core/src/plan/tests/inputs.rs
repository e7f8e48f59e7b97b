//! Kernels, purgatories and machines, laid out byte by byte.

use std::vec;
use std::vec::Vec;

use crate::elfcorehdr::Backup;
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::plan::{Elfcorehdr, Load, MachineFacts, Profile, Purgatory, Request, Running, Upkeep};

pub(super) const MIB: u64 = 1 << 20;

/// The header fields of a bzImage that decide where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) xloadflags: u16,
    pub(super) cmdline_size: u32,
    pub(super) alignment: u32,
    pub(super) relocatable: bool,
    pub(super) pref_address: u64,
    pub(super) init_size: u32,
}

/// As Debian's 6.12 cloud kernel says.
pub(super) const DEBIAN: Header = Header {
    xloadflags: 0x7f,
    cmdline_size: 2047,
    alignment: 0x20_0000,
    relocatable: true,
    pref_address: 0x100_0000,
    init_size: 0x37d_c000,
};

/// The bytes of the protected-mode part of every [`bzimage`].
pub(super) const PROTECTED_MODE: [u8; 0x400] = [0xe9; 0x400];

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A bzImage of protocol 2.15: one boot sector, one sector of setup code, [`PROTECTED_MODE`].
pub(super) fn bzimage(header: &Header) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    put(&mut file, 0x1f1, &[1]);
    put(&mut file, 0x1f4, &0x40_u32.to_le_bytes());
    put(&mut file, 0x1fe, &[0x55, 0xaa, 0xeb, 0x6a]);
    put(&mut file, 0x202, b"HdrS\x0f\x02");
    put(&mut file, 0x211, &[1]);
    put(&mut file, 0x22c, &0x7fff_ffff_u32.to_le_bytes());
    put(&mut file, 0x230, &header.alignment.to_le_bytes());
    put(&mut file, 0x234, &[u8::from(header.relocatable), 21]);
    put(&mut file, 0x236, &header.xloadflags.to_le_bytes());
    put(&mut file, 0x238, &header.cmdline_size.to_le_bytes());
    put(&mut file, 0x258, &header.pref_address.to_le_bytes());
    put(&mut file, 0x260, &header.init_size.to_le_bytes());
    file.extend(PROTECTED_MODE);
    file
}

/// A `vmlinux` as Debian's 6.12 kernel is, in small: four `PT_LOAD`s (8 bytes each of the file, the last one none) and a
/// note of Linux; with `movable`, one that says that it may be moved by multiples of 2 MiB.
pub(super) fn vmlinux(movable: bool) -> Vec<u8> {
    let note = |name: &[u8], kind: u32, desc: &[u32]| {
        let mut note = (name.len() as u32).to_le_bytes().to_vec();
        note.extend((4 * desc.len() as u32).to_le_bytes());
        note.extend(kind.to_le_bytes());
        note.extend(name);
        note.resize(note.len().next_multiple_of(4), 0);
        note.extend(desc.iter().flat_map(|word| word.to_le_bytes()));
        note
    };
    let mut notes = note(b"Linux\0", 0x100, &[0]);
    if movable {
        notes.extend(note(b"Xen\0", 19, &[0x20_0000, 0x100_0000, 0x3fff_ffff]));
    }
    // type, flags, offset, vaddr, paddr, filesz, memsz, align
    let mut phdrs: Vec<[u64; 8]> = VMLINUX
        .iter()
        .zip(0..)
        .map(|(&(paddr, memsz), index)| [1, 7, 0x200 + 8 * index, paddr, paddr, 8, memsz, 0x20_0000])
        .collect();
    phdrs[3][5] = 0;
    phdrs.push([4, 4, 0x220, 0, 0, notes.len() as u64, notes.len() as u64, 4]);
    let mut file = vec![0; 0x200];
    put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    put(&mut file, 16, &[2, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut file, 24, &(VMLINUX[0].0 + 0xb53).to_le_bytes());
    put(&mut file, 32, &[64]);
    put(&mut file, 52, &[64, 0, 56, 0, phdrs.len() as u8]);
    for (index, phdr) in phdrs.iter().enumerate() {
        let at = 64 + 56 * index;
        put(&mut file, at, &(phdr[0] as u32).to_le_bytes());
        put(&mut file, at + 4, &(phdr[1] as u32).to_le_bytes());
        for (field, value) in phdr[2..].iter().enumerate() {
            put(&mut file, at + 8 + 8 * field, &value.to_le_bytes());
        }
    }
    file.extend((0..4).flat_map(|index| [0xe0 + index; 8]));
    file.extend(notes);
    file
}

/// `p_paddr` and `p_memsz` of the `PT_LOAD`s of a [`vmlinux`]: text, data, data of each CPU, the rest.
pub(super) const VMLINUX: [(u64, u64); 4] =
    [(0x100_0000, 0x1aa_7960), (0x2c0_0000, 0x6d_d000), (0x32d_d000, 0x3_9000), (0x331_6000, 0xee_a123)];

/// A unified kernel image of `kernel`, an initrd `070701` and the command line `quiet`; with `microcode`, if it is not
/// empty.
pub(super) fn uki(kernel: &[u8], microcode: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3c, &[0x40]);
    let count = if microcode.is_empty() { 3 } else { 4 };
    put(&mut file, 0x40, b"PE\0\0\x64\x86");
    put(&mut file, 0x46, &[count]);
    put(&mut file, 0x54, &[0xa0, 0, 0, 0, 0x0b, 0x02]);
    for (number, (name, bytes)) in [
        (&b".cmdline"[..], &b"quiet\n\0"[..]),
        (b".initrd", b"070701"),
        (b".linux", kernel),
        (b".ucode", microcode),
    ]
    .iter()
    .take(count.into())
    .enumerate()
    {
        let (at, start) = (0xf8 + 40 * number, file.len());
        file.extend(*bytes);
        file.resize(file.len().next_multiple_of(0x200), 0);
        let raw_size = (file.len() - start) as u32;
        put(&mut file, at, name);
        put(&mut file, at + 8, &(bytes.len() as u32).to_le_bytes());
        put(&mut file, at + 12, &0x1000_u32.to_le_bytes());
        put(&mut file, at + 16, &raw_size.to_le_bytes());
        put(&mut file, at + 20, &(start as u32).to_le_bytes());
    }
    file
}

/// The symbols of our purgatory, and of two foreign ones: their names and sizes in bytes.
pub(super) const OURS: &[(&str, u64)] = &[("kcapture_parameters", 368)];
pub(super) const KEXEC_TOOLS: &[(&str, u64)] = &[
    ("sha256_regions", 256),
    ("sha256_digest", 32),
    ("skip_checks", 4),
    ("panic_kernel", 1),
    ("backup_start", 8),
    ("backup_src_start", 8),
    ("backup_src_size", 8),
    ("entry64_regs", 136),
    ("stack", 64),
    ("stack_end", 0),
    ("console_vga", 1),
    ("console_serial", 1),
    ("serial_base", 2),
    ("serial_baud", 4),
];
pub(super) const KERNEL: &[(&str, u64)] = &[
    ("purgatory_sha_regions", 256),
    ("purgatory_sha256_digest", 32),
    ("entry64_regs", 136),
    ("stack", 64),
    ("stack_end", 0),
];

/// Where a symbol of an [`object`] stands in its image: after 16 bytes of code, each on a multiple of 16.
pub(super) fn symbol_at(symbols: &[(&str, u64)], name: &str) -> usize {
    let before = symbols.iter().take_while(|(known, _)| *known != name);
    16 + before.map(|(_, size)| size.next_multiple_of(16) as usize).sum::<usize>()
}

/// A relocatable object: `.text` of 16 bytes, entered at byte 4, and `.data` with `symbols` one after the other.
pub(super) fn object(symbols: &[(&str, u64)]) -> Vec<u8> {
    let (mut strtab, mut symtab, mut data_len) = (vec![0], vec![0; 24], 0);
    let mut symbol = |name: &str, section: u16, value: u64, size: u64| {
        symtab.extend((strtab.len() as u32).to_le_bytes());
        symtab.extend([0x10, 0]);
        symtab.extend(section.to_le_bytes());
        symtab.extend(value.to_le_bytes());
        symtab.extend(size.to_le_bytes());
        strtab.extend(name.as_bytes());
        strtab.push(0);
    };
    symbol("purgatory_start", 1, 4, 0);
    for (name, size) in symbols {
        symbol(name, 2, data_len, *size);
        data_len += size.next_multiple_of(16);
    }
    let mut file = vec![0; 64];
    let mut headers: Vec<[u64; 10]> = vec![[0; 10]];
    // name, type, flags, addr, offset, size, link, info, align, entsize
    let mut section = |file: &mut Vec<u8>, kind, flags, bytes: &[u8], link, info, align: u64, entsize| {
        file.resize(file.len().next_multiple_of(16), 0);
        headers.push([0, kind, flags, 0, file.len() as u64, bytes.len() as u64, link, info, align, entsize]);
        file.extend(bytes);
    };
    section(&mut file, 1, 6, &[0x90; 16], 0, 0, 16, 0);
    section(&mut file, 1, 3, &vec![0xda; data_len as usize], 0, 0, 16, 0);
    section(&mut file, 2, 0, &symtab, 4, 1, 8, 24);
    section(&mut file, 3, 0, &strtab, 0, 0, 1, 0);
    file.resize(file.len().next_multiple_of(16), 0);
    let shoff = file.len() as u64;
    for header in &headers {
        for (field, value) in header.iter().enumerate() {
            match field {
                0 | 1 | 6 | 7 => file.extend((*value as u32).to_le_bytes()),
                _ => file.extend(value.to_le_bytes()),
            }
        }
    }
    put(&mut file, 0, b"\x7fELF\x02\x01\x01");
    put(&mut file, 16, &[1, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut file, 40, &shoff.to_le_bytes());
    put(&mut file, 52, &[64, 0, 0, 0, 0, 0, 64, 0, headers.len() as u8, 0, 4, 0]);
    file
}

/// An elfcorehdr as far as a plan reads it.
pub(super) fn elfcorehdr() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(0x400, 0xc0);
    bytes
}

/// A machine of 1 GiB with `crashkernel=192M`, as its `/proc/iomem` says.
pub(super) const SMALL: &[(u64, u64, RangeKind)] = &[
    (0, 0x1000, RangeKind::Reserved),
    (0x1000, 0x9_fc00, RangeKind::SystemRam),
    (0x9_fc00, 0xa_0000, RangeKind::Reserved),
    (0xf_0000, 0x10_0000, RangeKind::Reserved),
    (0x10_0000, 0x1b00_0000, RangeKind::SystemRam),
    (0x1b00_0000, 0x2700_0000, RangeKind::CrashKernel),
    (0x2700_0000, 0x3ffd_c000, RangeKind::SystemRam),
    (0x3ffd_c000, 0x4000_0000, RangeKind::AcpiTables),
    (0xfeff_c000, 0xff00_0000, RangeKind::Reserved),
];

/// Four GiB with `crashkernel=256M,high`: a high region, and the low one that comes with it.
pub(super) const HIGH: &[(u64, u64, RangeKind)] = &[
    (0x1000, 0x9_fc00, RangeKind::SystemRam),
    (0x10_0000, 0x6f00_0000, RangeKind::SystemRam),
    (0x6f00_0000, 0x7f00_0000, RangeKind::CrashKernel),
    (0x7f00_0000, 0x7ffd_c000, RangeKind::SystemRam),
    (0x1_0000_0000, 0x1_ef00_0000, RangeKind::SystemRam),
    (0x1_ef00_0000, 0x1_ff00_0000, RangeKind::CrashKernel),
    (0x1_ff00_0000, 0x2_8000_0000, RangeKind::SystemRam),
];

/// Ranges from their addresses and kinds.
pub(super) fn table(ranges: &[(u64, u64, RangeKind)]) -> Vec<Range> {
    ranges.iter().map(|&(start, end, kind)| Range::new(Span::new(start, end), kind)).collect()
}

fn map<'a>(ranges: &[Range], table: &'a mut [Range]) -> MemoryMap<'a> {
    let mut map = MemoryMap::new(table);
    for range in ranges {
        map.set(*range).unwrap();
    }
    map
}

/// The inputs of a plan, owned.
pub(super) struct Inputs {
    pub(super) table: Vec<Range>,
    pub(super) kernel: Vec<u8>,
    pub(super) initrd: Vec<u8>,
    pub(super) elfcorehdr: Vec<u8>,
    pub(super) object: Vec<u8>,
    pub(super) profile: Profile,
    /// `None` for an ordinary kernel.
    pub(super) crash: Option<Upkeep>,
    /// The backup of a crash kernel: source and copy.
    pub(super) backup: Option<Backup>,
    /// What firmware says of memory; empty where it says nothing.
    pub(super) firmware: Vec<Range>,
    pub(super) command_line: Vec<u8>,
    pub(super) limits: Span,
    pub(super) change: fn(&mut Running),
}

impl Inputs {
    pub(super) fn new(ranges: &[(u64, u64, RangeKind)]) -> Self {
        Self {
            table: table(ranges),
            kernel: bzimage(&DEBIAN),
            initrd: vec![0x1f; 0x4_9f00],
            elfcorehdr: elfcorehdr(),
            object: object(OURS),
            profile: Profile::Kcapture,
            crash: Some(Upkeep::Reload),
            backup: None,
            firmware: Vec::new(),
            command_line: b"console=ttyS0".to_vec(),
            limits: Request::ANYWHERE,
            change: |_| {},
        }
    }

    pub(super) fn ordinary(ranges: &[(u64, u64, RangeKind)]) -> Self {
        Self { crash: None, ..Self::new(ranges) }
    }

    /// Answers with what `asked` makes of the request.
    pub(super) fn with<T>(&self, asked: impl FnOnce(Request<'_>) -> T) -> T {
        let (mut table, mut firmware_table) = (self.table.clone(), self.firmware.clone());
        let memory = map(&self.table, &mut table);
        let firmware = map(&self.firmware, &mut firmware_table);
        let mut running = Running::x86_64(&memory);
        (self.change)(&mut running);
        let elfcorehdr =
            |upkeep| Load::Crash(Elfcorehdr { bytes: &self.elfcorehdr, upkeep, backup: self.backup });
        asked(Request {
            load: self.crash.map_or(Load::Ordinary, elfcorehdr),
            kernel: &self.kernel,
            initrd: &self.initrd,
            command_line: &self.command_line,
            memory: &memory,
            firmware: (!firmware.is_empty()).then_some(&firmware),
            limits: self.limits,
            purgatory: Purgatory { profile: self.profile, ..Purgatory::new(&self.object) },
            running,
            machine: MachineFacts::default(),
        })
    }
}
