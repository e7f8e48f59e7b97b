//! ELF core files of a machine, as kexec's kernels, QEMU and others lay them out (gABI, `/proc/vmcore`).

use std::collections::BTreeSet;

use crate::{Arch, Bytes, Machine};

/// How memory is cut into `PT_LOADs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loads {
    /// One for each range, ascending.
    Sorted,
    /// One for each range, descending, the kernel's image in between.
    Unsorted,
    /// Every range cut into pieces of so many bytes (need not be a multiple of the page size).
    Split(u64),
}

/// What an ELF core file is like.
#[derive(Debug, Clone)]
pub struct ElfOptions {
    /// How memory is cut.
    pub loads: Loads,
    /// List the kernel's image once more, at its own virtual address.
    pub text: bool,
    /// Virtual addresses are zero.
    pub zero_vaddrs: bool,
    /// Write VMCOREINFO.
    pub vmcoreinfo: bool,
    /// `NT_PRSTATUS` notes.
    pub cpus: u32,
    /// Further notes: name, type, descriptor.
    pub extra_notes: Vec<(String, u32, Vec<u8>)>,
    /// One PT_NOTE for each note.
    pub split_notes: bool,
    /// `e_phnum` is `PN_XNUM` and the count stands in the first section header.
    pub xnum: bool,
    /// Bytes that the last PT_LOAD of memory does not have in the file (`p_filesz` < `p_memsz`).
    pub missing: u64,
    /// The header as QEMU writes it: `e_ehsize` 8, section headers first, program headers at 192.
    pub qemu: bool,
}

impl Default for ElfOptions {
    fn default() -> Self {
        Self {
            loads: Loads::Sorted,
            text: true,
            zero_vaddrs: false,
            vmcoreinfo: true,
            cpus: 2,
            extra_notes: Vec::new(),
            split_notes: false,
            xnum: false,
            missing: 0,
            qemu: false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Load {
    virt: u64,
    phys: u64,
    filesz: u64,
    memsz: u64,
    offset: u64,
}

/// An ELF core file of a machine; memory is read from the machine as it is asked for.
#[derive(Debug, Clone)]
pub struct Elf<'m> {
    machine: &'m Machine,
    head: Vec<u8>,
    loads: Vec<Load>,
    len: u64,
}

impl Machine {
    /// The machine's vmcore with everything usual in it.
    #[must_use]
    pub fn elf(&self) -> Elf<'_> {
        self.elf_with(&ElfOptions::default())
    }

    /// The machine's vmcore as `options` describe it.
    #[must_use]
    pub fn elf_with(&self, options: &ElfOptions) -> Elf<'_> {
        let notes = notes(self, options);
        let mut loads = loads(self, options);
        let wide = self.arch().wide();
        let (eh, ph, sh) = if wide { (64, 56, 64) } else { (52, 32, 40) };
        let note_headers = if options.split_notes { notes.len() } else { 1 };
        let count = note_headers + loads.len();
        let phoff = if options.qemu { eh + 2 * sh } else { eh };
        let shoff = if options.qemu { eh } else { eh + count * ph };
        let sections = if options.qemu { 2 } else { usize::from(options.xnum) };
        let notes_at = if options.qemu { phoff + count * ph } else { shoff + sections * sh };

        let note_len: usize = notes.iter().map(Vec::len).sum();
        let mut offset = (notes_at + note_len).next_multiple_of(0x1000) as u64;
        for load in &mut loads {
            load.offset = offset;
            offset = (offset + load.filesz).next_multiple_of(0x1000);
        }

        let mut out = self.bytes();
        out.raw(b"\x7fELF").u8(if wide { 2 } else { 1 }).u8(if self.arch().big() { 2 } else { 1 }).u8(1);
        out.pad_to(16).u16(4).u16(self.arch().e_machine()).u32(1).word(0).word(phoff as u64);
        out.word(if sections == 0 { 0 } else { shoff as u64 }).u32(0);
        out.u16(if options.qemu { 8 } else { eh as u16 }).u16(ph as u16);
        out.u16(if options.xnum { 0xffff } else { count as u16 });
        out.u16(if sections == 0 { 0 } else { sh as u16 }).u16(sections as u16).u16(0);
        let mut program = self.bytes();
        let mut at = notes_at as u64;
        let spans: Vec<usize> =
            if options.split_notes { notes.iter().map(Vec::len).collect() } else { vec![note_len] };
        for len in spans {
            program_header(
                &mut program,
                wide,
                4,
                Load { virt: 0, phys: 0, filesz: len as u64, memsz: len as u64, offset: at },
            );
            at += len as u64;
        }
        for load in &loads {
            program_header(&mut program, wide, 1, *load);
        }
        let mut section = self.bytes();
        for i in 0..sections {
            section_header(&mut section, wide, if i == 0 && options.xnum { count as u32 } else { 0 });
        }
        if options.qemu {
            out.raw(&section.bytes).raw(&program.bytes);
        } else {
            out.raw(&program.bytes).raw(&section.bytes);
        }
        for note in &notes {
            out.raw(note);
        }
        let len = loads.iter().map(|l| l.offset + l.filesz).max().unwrap_or(out.len() as u64);
        Elf { machine: self, head: out.bytes, loads, len }
    }
}

impl Elf<'_> {
    /// The file's size, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Fills `buf` from `offset`; answers whether the file has all of the bytes.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> bool {
        let Some(end) = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len) else {
            return false;
        };
        buf.fill(0);
        if offset < self.head.len() as u64 {
            let from = offset as usize;
            let n = (self.head.len() - from).min(buf.len());
            buf[..n].copy_from_slice(&self.head[from..from + n]);
        }
        for load in &self.loads {
            let from = load.offset.max(offset);
            let to = (load.offset + load.filesz).min(end);
            if from < to {
                let bytes = self.machine.read(load.phys + (from - load.offset), (to - from) as usize);
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(&bytes);
            }
        }
        true
    }

    /// The whole file.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut file = vec![0; self.len as usize];
        assert!(self.read_at(0, &mut file));
        file
    }

    /// The page frames of which the file has bytes.
    #[must_use]
    pub fn held(&self) -> BTreeSet<u64> {
        let size = self.machine.page_size();
        self.loads.iter().flat_map(|l| l.phys / size..(l.phys + l.filesz).div_ceil(size)).collect()
    }
}

fn loads(m: &Machine, options: &ElfOptions) -> Vec<Load> {
    let virt = |addr: u64| if options.zero_vaddrs { 0 } else { addr };
    let plain = |start: u64, end: u64| {
        let len = end - start;
        Load { virt: virt(m.linear(start)), phys: start, filesz: len, memsz: len, offset: 0 }
    };
    let mut ram: Vec<Load> = m.ranges().iter().map(|(start, end)| plain(*start, *end)).collect();
    if let Loads::Split(piece) = options.loads {
        ram = ram
            .iter()
            .flat_map(|l| {
                let end = l.phys + l.filesz;
                (l.phys..end).step_by(piece as usize).map(move |at| plain(at, end.min(at + piece)))
            })
            .collect();
    }
    if let Some(last) = ram.last_mut() {
        last.filesz -= options.missing;
    }
    if options.loads == Loads::Unsorted {
        ram.reverse();
    }
    if options.text {
        let len = m.text_len();
        let text =
            Load { virt: virt(m.text_virt()), phys: m.text_phys(), filesz: len, memsz: len, offset: 0 };
        ram.insert(if options.loads == Loads::Unsorted { 1.min(ram.len()) } else { 0 }, text);
    }
    ram
}

fn program_header(out: &mut Bytes, wide: bool, p_type: u32, l: Load) {
    let flags = if p_type == 1 { 7 } else { 0 };
    if wide {
        out.u32(p_type).u32(flags).u64(l.offset).u64(l.virt).u64(l.phys).u64(l.filesz).u64(l.memsz).u64(0);
    } else {
        out.u32(p_type)
            .word(l.offset)
            .word(l.virt)
            .word(l.phys)
            .word(l.filesz)
            .word(l.memsz)
            .u32(flags)
            .u32(0);
    }
}

fn section_header(out: &mut Bytes, wide: bool, info: u32) {
    let word = if wide { 8 } else { 4 };
    // name, type, flags, addr, offset, size, link, info, addralign, entsize
    let start = out.len();
    out.u32(0).u32(0).pad_to(start + 8 + 4 * word).u32(0).u32(info).word(0).word(0);
}

/// One note: three words of 4 bytes, then name and descriptor, each padded to 4.
pub(crate) fn note(mut out: Bytes, name: &str, n_type: u32, desc: &[u8]) -> Vec<u8> {
    out.u32(name.len() as u32 + 1).u32(desc.len() as u32).u32(n_type);
    out.raw(name.as_bytes()).u8(0).align(4).raw(desc).align(4);
    out.bytes
}

/// `NT_PRSTATUS` of a CPU: process 100 + cpu, register i holds 0x1000 * cpu + i.
pub(crate) fn prstatus(m: &Machine, cpu: u32) -> Vec<u8> {
    let wide = m.arch().wide();
    let (size, registers) = match m.arch() {
        Arch::X86_64 => (336, 27),
        Arch::I386 => (144, 17),
        Arch::Arm64 => (392, 34),
        Arch::Ppc64 | Arch::Ppc64Le => (504, 48),
        Arch::S390x => (336, 27),
        Arch::Ppc => (268, 48),
    };
    let mut desc = m.bytes();
    desc.pad_to(if wide { 32 } else { 24 }).u32(100 + cpu).pad_to(if wide { 112 } else { 72 });
    for i in 0..registers {
        desc.word(u64::from(0x1000 * cpu + i));
    }
    desc.pad_to(size).bytes.clone()
}

fn notes(m: &Machine, options: &ElfOptions) -> Vec<Vec<u8>> {
    let mut notes: Vec<Vec<u8>> =
        (0..options.cpus).map(|cpu| note(m.bytes(), "CORE", 1, &prstatus(m, cpu))).collect();
    if options.vmcoreinfo {
        notes.push(note(m.bytes(), "VMCOREINFO", 0, m.vmcoreinfo().as_bytes()));
    }
    for (name, n_type, desc) in &options.extra_notes {
        notes.push(note(m.bytes(), name, *n_type, desc));
    }
    notes
}
