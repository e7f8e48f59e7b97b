//! The headers of ELF cores as bytes.

use vmcore_format::elf::{Header, ProgramHeader};

use crate::elf::kcap_program_header;
use crate::error::{answer, kcap_error};
use crate::machine::{self, class, layout};
use crate::ptr;
use crate::status::kcap_status;

impl From<&kcap_program_header> for ProgramHeader {
    fn from(phdr: &kcap_program_header) -> Self {
        Self {
            p_type: phdr.p_type,
            p_flags: phdr.p_flags,
            p_offset: phdr.p_offset,
            p_vaddr: phdr.p_vaddr,
            p_paddr: phdr.p_paddr,
            p_filesz: phdr.p_filesz,
            p_memsz: phdr.p_memsz,
            p_align: phdr.p_align,
        }
    }
}

/// The places of a core file's headers, in bytes from the start of the file.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_elf_layout {
    /// The length of the ELF header: 52 or 64.
    pub header_len: u64,
    /// Where the program headers start.
    pub phoff: u64,
    /// The length of one program header: 32 or 56.
    pub phentsize: u64,
    /// Where the section header starts; 0 if the file needs none. One is needed from 65535 program headers on.
    pub shoff: u64,
    /// The length of the section header; 0 if the file needs none.
    pub shentsize: u64,
    /// Where the headers end.
    pub headers_len: u64,
}

fn core_header(
    big_endian: u32,
    bits: u32,
    e_machine: u32,
    phnum: u32,
) -> Result<Header, crate::status::Failure> {
    Ok(Header::core(layout(big_endian, bits)?, machine::e_machine(e_machine)?, phnum))
}

/// Writes where the headers of a core file of `phnum` program headers stand to `places`: ELF header, program headers, then, if it
/// needs one, a section header.
///
/// Errors: `KCAP_ERR_INVALID` (bits), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_get_layout(
    bits: u32,
    phnum: u32,
    places: *mut kcap_elf_layout,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let place = ptr::out(places)?;
        let header = core_header(0, bits, 0, phnum)?;
        let bytes = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        place.put(kcap_elf_layout {
            header_len: bytes(header.encoded_len()),
            phoff: header.e_phoff,
            phentsize: bytes(ProgramHeader::encoded_len(class(bits)?)),
            shoff: header.e_shoff,
            shentsize: bytes(header.section_header_len()),
            headers_len: header.headers_len(),
        });
        Ok(())
    })
}

/// Writes the ELF header of a core file of `phnum` program headers to the front of the `buf_len` bytes at `buf`, and its length, 52
/// or 64, to `len`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (an offset that class 32 cannot hold),
/// `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_header_encode(
    big_endian: u32,
    bits: u32,
    e_machine: u32,
    e_flags: u32,
    phnum: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        let header = Header { e_flags, ..core_header(big_endian, bits, e_machine, phnum)? };
        place.put(header.encode(buf)?);
        Ok(())
    })
}

/// Writes the section header of a core file of `phnum` program headers, which belongs at `kcap_elf_layout.shoff`, to the front of the
/// `buf_len` bytes at `buf`, and its length, 0 if the file needs none, to `len`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_elf_section_header_encode(
    big_endian: u32,
    bits: u32,
    phnum: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        place.put(core_header(big_endian, bits, 0, phnum)?.encode_section_header(buf)?);
        Ok(())
    })
}

/// Writes the program header `phdr` to the front of the `buf_len` bytes at `buf`, and its length, 32 or 56, to `len`. `error` may be
/// NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL`, `KCAP_ERR_INVALID`, `KCAP_ERR_UNSUPPORTED` (an address or size that class 32 cannot
/// hold), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_program_header_encode(
    phdr: *const kcap_program_header,
    big_endian: u32,
    bits: u32,
    buf: *mut u8,
    buf_len: usize,
    len: *mut usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let phdr = ProgramHeader::from(ptr::get(phdr)?);
        let (buf, place) = (ptr::slice_mut(buf, buf_len)?, ptr::out(len)?);
        place.put(phdr.encode(layout(big_endian, bits)?, buf)?);
        Ok(())
    })
}

/// Reads the program header at the front of the `len` bytes at `bytes` to `phdr`. `error` may be NULL.
///
/// Errors: `KCAP_ERR_CORRUPT` (`bytes` end early), `KCAP_ERR_INVALID`, `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_program_header_parse(
    bytes: *const u8,
    len: usize,
    big_endian: u32,
    bits: u32,
    phdr: *mut kcap_program_header,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let (bytes, place) = (ptr::slice(bytes, len)?, ptr::out(phdr)?);
        place.put((&ProgramHeader::parse(bytes, layout(big_endian, bits)?)?).into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
