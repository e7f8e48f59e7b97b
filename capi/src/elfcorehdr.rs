//! The ELF header of the dump to come (`elfcorehdr=`): the first kernel writes it, the capture kernel makes `/proc/vmcore`
//! of it.

use kexec_core::elfcorehdr::{Backup, Builder, DirectMap, KernelText, NoteBuffer};
use kexec_core::map::Span;
use vmcore_format::{Class, Endian, Layout, PhysAddr, VirtAddr};

use crate::error::{answer, kcap_error};
use crate::map::{kcap_memory_map, kcap_span};
use crate::map_note::kcap_map_note;
use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_ERR_NOT_MAPPED, kcap_status};

/// A buffer of notes in the first kernel's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_note_buffer {
    /// Its physical address: `/sys/devices/system/cpu/cpuN/crash_notes`, `/sys/kernel/vmcoreinfo`.
    pub paddr: u64,
    /// Its length in bytes: `crash_notes_size`, and the second number of `vmcoreinfo`.
    pub len: u64,
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<kcap_note_buffer>() == size_of::<NoteBuffer>());
    assert!(offset_of!(kcap_note_buffer, len) == offset_of!(NoteBuffer, len));
};

impl From<kcap_note_buffer> for NoteBuffer {
    fn from(notes: kcap_note_buffer) -> Self {
        Self { paddr: PhysAddr(notes.paddr), len: notes.len }
    }
}

/// The first kernel's own image, which it runs at other addresses than the linear mapping's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_kernel_text {
    /// The virtual address of its first byte.
    pub vaddr: u64,
    /// The physical address of its first byte: where `Kernel code` starts in `/proc/iomem`.
    pub paddr: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// The first kernel's linear mapping of RAM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_direct_map {
    /// `PAGE_OFFSET`: the virtual address at which the mapping starts.
    pub page_offset: u64,
    /// The physical address that stands there: 0, `PHYS_OFFSET` on arm64, `phys_ram_base` on riscv.
    pub phys_offset: u64,
    /// The first physical address that the mapping leaves out.
    pub end: u64,
}

impl From<DirectMap> for kcap_direct_map {
    fn from(map: DirectMap) -> Self {
        Self { page_offset: map.page_offset.0, phys_offset: map.phys_offset.0, end: map.end.0 }
    }
}

impl From<kcap_direct_map> for DirectMap {
    fn from(map: kcap_direct_map) -> Self {
        Self {
            page_offset: VirtAddr(map.page_offset),
            phys_offset: PhysAddr(map.phys_offset),
            end: PhysAddr(map.end),
        }
    }
}

/// The mapping of x86_64. With KASLR `page_offset` is another one at every boot: the lowest `PT_LOAD` of `/proc/kcore`,
/// rounded down to 1 GiB; without, 0xffff888000000000 with 4 levels of page tables and 0xff11000000000000 with 5.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_direct_map_x86_64(page_offset: u64) -> kcap_direct_map {
    DirectMap::x86_64(VirtAddr(page_offset)).into()
}

/// The mapping of i386 with the usual split of 3 GiB to 1 GiB: 896 MiB of low memory from 0xc0000000 on.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_direct_map_i386() -> kcap_direct_map {
    DirectMap::i386().into()
}

/// The mapping of arm64: `page_offset` is `-1 << VA_BITS` from Linux 5.4 on, `-1 << (VA_BITS - 1)` before; `phys_offset` is
/// VMCOREINFO's `NUMBER(PHYS_OFFSET)`.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_direct_map_arm64(page_offset: u64, phys_offset: u64) -> kcap_direct_map {
    DirectMap::arm64(VirtAddr(page_offset), PhysAddr(phys_offset)).into()
}

/// The mapping of riscv64: VMCOREINFO's `NUMBER(PAGE_OFFSET)` and `NUMBER(phys_ram_base)`.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_direct_map_riscv64(page_offset: u64, phys_ram_base: u64) -> kcap_direct_map {
    DirectMap::riscv64(VirtAddr(page_offset), PhysAddr(phys_ram_base)).into()
}

/// The mapping of ppc64, either byte order: from 0xc000000000000000 on, up to the kernel's `MAXMEM`.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_direct_map_ppc64(maxmem: u64) -> kcap_direct_map {
    DirectMap::ppc64(PhysAddr(maxmem)).into()
}

/// Writes the virtual address of the physical address `paddr` to `vaddr`.
///
/// Errors: `KCAP_ERR_NOT_MAPPED` where the mapping leaves it out, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_direct_map_virt(
    map: *const kcap_direct_map,
    paddr: u64,
    vaddr: *mut u64,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(vaddr)?;
        let map = DirectMap::from(*ptr::get(map)?);
        place.put(map.virt(PhysAddr(paddr)).ok_or(KCAP_ERR_NOT_MAPPED)?.0);
        Ok(())
    })
}

/// Low memory that a purgatory copies before the capture kernel uses it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_backup {
    /// The memory that is copied.
    pub source: kcap_span,
    /// The physical address of the copy.
    pub copy: u64,
}

impl From<kcap_backup> for Backup {
    fn from(backup: kcap_backup) -> Self {
        Self { source: backup.source.into(), copy: PhysAddr(backup.copy) }
    }
}

/// What a header is made of. Set `size`; NULL and 0 elsewhere say that something is not known or not wanted, and
/// `kcap_elfcorehdr_get_omitted` says what the header does without. Everything is read during each call, and nothing is kept.
///
/// Program headers come in this order: a `PT_NOTE` for each CPU, one for VMCOREINFO, then `PT_LOAD`s: the kernel's text, the
/// backup, and RAM in ascending order.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_elfcorehdr {
    /// `sizeof(kcap_elfcorehdr)`.
    pub size: usize,
    /// The machine's memory: RAM that is no crash kernel's goes in the dump (`KCAP_RANGES_DUMPED`). May not be NULL.
    pub memory: *const kcap_memory_map,
    /// The notes of each CPU that has any.
    pub cpu_notes: *const kcap_note_buffer,
    /// Their number.
    pub cpu_notes_count: usize,
    /// The note of VMCOREINFO, or NULL.
    pub vmcoreinfo: *const kcap_note_buffer,
    /// The kernel's text, where the architecture maps it apart (x86_64, arm64, riscv64) and it is known, or NULL.
    pub text: *const kcap_kernel_text,
    /// The linear mapping, or NULL.
    pub direct_map: *const kcap_direct_map,
    /// RAM to leave out nonetheless: on x86 from Linux 5.5 on the first mebibyte, 0 to 0x100000, as the kernel's own
    /// loader does.
    pub exclude: *const kcap_span,
    /// The number of spans there.
    pub exclude_count: usize,
    /// Low memory that is found elsewhere after the crash, or NULL.
    pub backup: *const kcap_backup,
    /// `e_machine` of the first kernel: 62 for x86_64.
    pub e_machine: u32,
    /// The bits of an address: 64 (also 0) or 32.
    pub bits: u32,
    /// The byte order of the first kernel: 1 for big-endian, 0 for little-endian.
    pub big_endian: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers and pointers, which are sound as NULL.
unsafe impl Growing for kcap_elfcorehdr {}

/// What `pointer` points at; `None` for NULL.
fn optional<T>(pointer: *const T) -> Result<Option<&'static T>, Failure> {
    if pointer.is_null() { Ok(None) } else { ptr::get(pointer).map(Some) }
}

/// An `e_machine`, from the C parameter of that name.
pub(crate) fn machine(e_machine: u32) -> Result<u16, Failure> {
    u16::try_from(e_machine).map_err(|_| Failure::invalid("e_machine", e_machine.into()))
}

pub(crate) fn builder(header: *const kcap_elfcorehdr) -> Result<Builder<'static>, Failure> {
    let header = ptr::read_growing(header)?;
    let class = match header.bits {
        0 | 64 => Class::Bits64,
        32 => Class::Bits32,
        bits => return Err(Failure::invalid("bits", bits.into())),
    };
    let endian = match header.big_endian {
        0 => Endian::Little,
        1 => Endian::Big,
        other => return Err(Failure::invalid("big_endian", other.into())),
    };
    Ok(Builder {
        layout: Layout { class, endian },
        e_machine: machine(header.e_machine)?,
        cpu_notes: ptr::slice(header.cpu_notes.cast::<NoteBuffer>(), header.cpu_notes_count)?,
        vmcoreinfo: optional(header.vmcoreinfo)?.map(|&notes| notes.into()),
        text: optional(header.text)?.map(|text| KernelText {
            vaddr: VirtAddr(text.vaddr),
            paddr: PhysAddr(text.paddr),
            len: text.len,
        }),
        direct_map: optional(header.direct_map)?.map(|&map| map.into()),
        ram: &ptr::get(header.memory)?.map,
        exclude: ptr::slice(header.exclude.cast::<Span>(), header.exclude_count)?,
        backup: optional(header.backup)?.map(|&backup| backup.into()),
    })
}

/// The bits of an address that i386 needs in the header for the memory in `map`: 32, unless RAM lies above 4 GiB; 64 for
/// every other machine. 0 where `map` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_bits(e_machine: u32, map: *const kcap_memory_map) -> u32 {
    let class = machine(e_machine).and_then(|machine| Ok(Builder::class(machine, &ptr::get(map)?.map)));
    class.map_or(0, |class| if class == Class::Bits32 { 32 } else { 64 })
}

/// No CPU has notes: the dump will have no registers.
pub const KCAP_OMITTED_CPU_NOTES: u32 = 1;
/// No VMCOREINFO: tools will have to be told the kernel's layouts.
pub const KCAP_OMITTED_VMCOREINFO: u32 = 2;
/// No linear mapping: every `p_vaddr` of RAM is 0.
pub const KCAP_OMITTED_DIRECT_MAP: u32 = 4;
/// No `PT_LOAD` of the kernel's text, on a machine that has one.
pub const KCAP_OMITTED_TEXT: u32 = 8;

/// Writes what the header does without, because it was not known, to `omitted`: bits of `KCAP_OMITTED_`. A capture kernel and
/// dump tools accept such a header, but with less to start from.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`, `KCAP_ERR_INVALID`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_get_omitted(
    header: *const kcap_elfcorehdr,
    omitted: *mut u32,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(omitted)?;
        let found = builder(header)?.omitted();
        let bits = [
            (found.cpu_notes, KCAP_OMITTED_CPU_NOTES),
            (found.vmcoreinfo, KCAP_OMITTED_VMCOREINFO),
            (found.direct_map, KCAP_OMITTED_DIRECT_MAP),
            (found.text, KCAP_OMITTED_TEXT),
        ];
        place.put(bits.into_iter().filter(|(lacks, _)| *lacks).fold(0, |all, (_, bit)| all | bit));
        Ok(())
    })
}

/// Writes what the header says of the version `epoch` of the map that it is made of to `version`, for a note
/// (`kcap_map_note_encode`): the capture side sees by it whether the header is still that one. The note's own entry in
/// `cpu_notes` changes nothing. A header that is patched still has the note of the version that it was built of. `error` may be NULL.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`, `KCAP_ERR_INVALID`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_get_map_note(
    header: *const kcap_elfcorehdr,
    epoch: u64,
    version: *mut kcap_map_note,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(version)?;
        place.put(builder(header)?.map_version(epoch).into());
        Ok(())
    })
}

/// The sizes of a header. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_elfcorehdr_lengths {
    /// `sizeof(kcap_elfcorehdr_lengths)`.
    pub size: usize,
    /// The length of the header, in bytes: `bufsz` of its segment.
    pub encoded_len: u64,
    /// The number of program headers.
    pub phnum: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_elfcorehdr_lengths {}

/// Writes the sizes of the header to `lengths`.
///
/// Errors: as for `kcap_elfcorehdr_encode`, but for the buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_measure(
    header: *const kcap_elfcorehdr,
    lengths: *mut kcap_elfcorehdr_lengths,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out_growing(lengths)?;
        let builder = builder(header)?;
        place.put(&kcap_elfcorehdr_lengths {
            size: 0,
            encoded_len: builder.encoded_len()?,
            phnum: builder.phnum()?,
            reserved: 0,
        });
        Ok(())
    })
}

/// Writes the header to the front of the `buf_len` bytes at `buf`, and its length in bytes to `len`, which may be NULL. The
/// rest of `buf` is not touched. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `buf`); `KCAP_ERR_UNSUPPORTED` for notes, text or backup that run
/// past the end of the address space, an address that 32 bits cannot hold, and 65535 program headers or more, which the
/// capture kernel refuses; `KCAP_ERR_INVALID` (`e_machine`, `bits`, `big_endian`); `KCAP_ERR_NULL`; `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_encode(
    header: *const kcap_elfcorehdr,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = if len.is_null() { None } else { Some(ptr::out(len)?) };
        let builder = builder(header)?;
        let written = builder.encode(ptr::slice_mut(buf, buf_len)?)?;
        if let Some(place) = place {
            place.put(written);
        }
        Ok(())
    })
}

/// As `kcap_elfcorehdr_encode`, but the header fills the `buf_len` bytes at `buf`: what is left of them, as far as it goes, is
/// spare program headers, all zero, for `kcap_elfcorehdr_patch`. `e_phnum` counts them, up to 65534.
///
/// Errors: as for `kcap_elfcorehdr_encode`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elfcorehdr_encode_with_spare(
    header: *const kcap_elfcorehdr,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = if len.is_null() { None } else { Some(ptr::out(len)?) };
        let written = builder(header)?.encode_with_spare(ptr::slice_mut(buf, buf_len)?)?;
        if let Some(place) = place {
            place.put(written);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or wrong on purpose")]

    use core::ptr::{null, null_mut};

    use kexec_core::map::MemoryMap;

    use super::*;
    use crate::map::{KCAP_RANGE_CRASH_KERNEL, KCAP_RANGE_SYSTEM_RAM, kcap_memory_map_set, kcap_range};
    use crate::status::{
        KCAP_ERR_BUFFER_TOO_SMALL, KCAP_ERR_INVALID, KCAP_ERR_LENGTH, KCAP_ERR_NULL, KCAP_OK,
    };
    use crate::testing::{no_error, sized, with_map};

    fn with_memory(test: impl FnOnce(*const kcap_memory_map)) {
        with_map(8, |map| {
            for (start, end, kind) in [
                (0x1000, 0x9_f000, KCAP_RANGE_SYSTEM_RAM),
                (0x10_0000, 0x4000_0000, KCAP_RANGE_SYSTEM_RAM),
                (0x1000_0000, 0x1800_0000, KCAP_RANGE_CRASH_KERNEL),
            ] {
                let range = kcap_range { start, end, kind, reserved: 0 };
                assert_eq!(unsafe { kcap_memory_map_set(map, &raw const range, null_mut()) }, KCAP_OK);
            }
            test(map);
        });
    }

    #[test]
    fn a_header_is_what_the_crate_writes() {
        with_memory(|memory| unsafe {
            let notes =
                [kcap_note_buffer { paddr: 0x2000, len: 360 }, kcap_note_buffer { paddr: 0x3000, len: 360 }];
            let vmcoreinfo = kcap_note_buffer { paddr: 0x4000, len: 4096 };
            let text = kcap_kernel_text { vaddr: 0xffff_ffff_8100_0000, paddr: 0x100_0000, len: 0x200_0000 };
            let direct_map = kcap_direct_map_x86_64(0xffff_8880_0000_0000);
            let low = kcap_span { start: 0, end: 0x10_0000 };
            let mut header: kcap_elfcorehdr = sized();
            (header.memory, header.e_machine) = (memory, 62);
            let mut omitted = 0;
            assert_eq!(kcap_elfcorehdr_get_omitted(&raw const header, &raw mut omitted, null_mut()), KCAP_OK);
            assert_eq!(omitted, 15);
            (header.cpu_notes, header.cpu_notes_count) = (notes.as_ptr(), 2);
            (header.vmcoreinfo, header.text) = (&raw const vmcoreinfo, &raw const text);
            (header.direct_map, header.exclude, header.exclude_count) =
                (&raw const direct_map, &raw const low, 1);
            assert_eq!(kcap_elfcorehdr_get_omitted(&raw const header, &raw mut omitted, null_mut()), KCAP_OK);
            assert_eq!(omitted, 0);

            let map: &MemoryMap<'_> = &(*memory).map;
            let buffer = |paddr, len| NoteBuffer { paddr: PhysAddr(paddr), len };
            let rust = Builder {
                layout: Layout { class: Class::Bits64, endian: Endian::Little },
                e_machine: 62,
                cpu_notes: &[buffer(0x2000, 360), buffer(0x3000, 360)],
                vmcoreinfo: Some(buffer(0x4000, 4096)),
                text: Some(KernelText {
                    vaddr: VirtAddr(text.vaddr),
                    paddr: PhysAddr(text.paddr),
                    len: text.len,
                }),
                direct_map: Some(DirectMap::x86_64(VirtAddr(0xffff_8880_0000_0000))),
                ram: map,
                exclude: &[Builder::LOW_MEMORY],
                backup: None,
            };
            let mut version = kcap_map_note::default();
            let place = &raw mut version;
            assert_eq!(kcap_elfcorehdr_get_map_note(&raw const header, 7, place, null_mut()), KCAP_OK);
            assert_eq!(version, rust.map_version(7).into());
            assert_eq!(kcap_elfcorehdr_get_map_note(null(), 7, place, null_mut()), KCAP_ERR_NULL);
            let none = null_mut();
            assert_eq!(kcap_elfcorehdr_get_map_note(&raw const header, 7, none, null_mut()), KCAP_ERR_NULL);

            let mut expected = [0_u8; 4096];
            let expected_len = rust.encode(&mut expected).unwrap();

            let mut lengths: kcap_elfcorehdr_lengths = sized();
            assert_eq!(kcap_elfcorehdr_measure(&raw const header, &raw mut lengths, null_mut()), KCAP_OK);
            assert_eq!(usize::try_from(lengths.encoded_len), Ok(expected_len));
            assert_eq!(lengths.phnum, 6);
            let (mut buf, mut len) = ([0_u8; 4096], 0);
            let status =
                kcap_elfcorehdr_encode(&raw const header, buf.as_mut_ptr(), 4096, &raw mut len, null_mut());
            assert_eq!((status, len), (KCAP_OK, expected_len));
            assert_eq!(buf, expected);

            let mut error = no_error();
            let mut short = [0x55_u8; 64];
            let status =
                kcap_elfcorehdr_encode(&raw const header, short.as_mut_ptr(), 64, null_mut(), &raw mut error);
            assert_eq!((status, error.value), (KCAP_ERR_BUFFER_TOO_SMALL, lengths.encoded_len));
            assert_eq!(short, [0x55; 64]);
        });
    }

    #[test]
    fn mappings_are_those_of_the_crate() {
        let all = [
            (kcap_direct_map_i386(), DirectMap::i386()),
            (kcap_direct_map_arm64(1, 2), DirectMap::arm64(VirtAddr(1), PhysAddr(2))),
            (kcap_direct_map_riscv64(1, 2), DirectMap::riscv64(VirtAddr(1), PhysAddr(2))),
            (kcap_direct_map_ppc64(1 << 46), DirectMap::ppc64(PhysAddr(1 << 46))),
        ];
        for (ours, theirs) in all {
            assert_eq!(ours, theirs.into());
            assert_eq!(DirectMap::from(ours), theirs);
        }
        let map = kcap_direct_map_i386();
        let mut vaddr = 7;
        unsafe {
            assert_eq!(
                kcap_direct_map_virt(&raw const map, 0x3800_0000, &raw mut vaddr),
                KCAP_ERR_NOT_MAPPED
            );
            assert_eq!(kcap_direct_map_virt(null(), 0, &raw mut vaddr), KCAP_ERR_NULL);
            assert_eq!(kcap_direct_map_virt(&raw const map, 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(vaddr, 7);
            assert_eq!(kcap_direct_map_virt(&raw const map, 0x1000, &raw mut vaddr), KCAP_OK);
            assert_eq!(vaddr, 0xc000_1000);
        }
    }

    #[test]
    fn wrong_pointers_and_lengths_are_found() {
        with_memory(|memory| unsafe {
            let mut good: kcap_elfcorehdr = sized();
            (good.memory, good.e_machine) = (memory, 62);
            let encode = |header: &kcap_elfcorehdr| {
                let mut buf = [0x55_u8; 4096];
                let mut len = 7;
                let at = buf.as_mut_ptr();
                let status = kcap_elfcorehdr_encode(&raw const *header, at, 4096, &raw mut len, null_mut());
                assert!(status == KCAP_OK || (len == 7 && buf == [0x55; 4096]));
                status
            };
            assert_eq!(encode(&good), KCAP_OK);
            assert_eq!(encode(&kcap_elfcorehdr { size: 0, ..good }), KCAP_ERR_LENGTH);
            assert_eq!(encode(&kcap_elfcorehdr { memory: null(), ..good }), KCAP_ERR_NULL);
            assert_eq!(encode(&kcap_elfcorehdr { cpu_notes_count: 1, ..good }), KCAP_ERR_NULL);
            assert_eq!(encode(&kcap_elfcorehdr { exclude_count: usize::MAX, ..good }), KCAP_ERR_NULL);
            let span = kcap_span::default();
            let endless = kcap_elfcorehdr { exclude: &raw const span, exclude_count: usize::MAX, ..good };
            assert_eq!(encode(&endless), KCAP_ERR_LENGTH);
            assert_eq!(encode(&kcap_elfcorehdr { bits: 16, ..good }), KCAP_ERR_INVALID);
            assert_eq!(encode(&kcap_elfcorehdr { big_endian: 2, ..good }), KCAP_ERR_INVALID);
            assert_eq!(encode(&kcap_elfcorehdr { e_machine: 0x1_0000, ..good }), KCAP_ERR_INVALID);
            let header = &raw const good;
            assert_eq!(kcap_elfcorehdr_encode(null(), null_mut(), 0, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_elfcorehdr_encode(header, null_mut(), 1, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(
                kcap_elfcorehdr_encode(header, null_mut(), 0, null_mut(), null_mut()),
                KCAP_ERR_BUFFER_TOO_SMALL
            );
            assert_eq!(kcap_elfcorehdr_measure(header, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_elfcorehdr_get_omitted(header, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_elfcorehdr_bits(3, memory), 32);
            assert_eq!(kcap_elfcorehdr_bits(62, memory), 64);
            assert_eq!(kcap_elfcorehdr_bits(62, null()), 0);
        });
    }
}
