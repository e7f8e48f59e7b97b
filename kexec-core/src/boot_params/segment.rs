//! `boot_params` and all that it points to, in one segment.

use super::setup_data::EfiSetupData;
use super::{
    BootE820Entry, BootParams, EfiMemoryDescriptor, EfiRuntime, SETUP_E820_EXT, SETUP_EFI, SetupData,
    SetupDataHeader,
};
use crate::bytes::{len_of, too_small};
use crate::command_line;
use crate::image::xloadflags;
use crate::{Error, Field};
use core::ops::Range;
use vmcore_format::PhysAddr;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

/// Entries of the memory map that `boot_params` holds; the rest goes in [`SETUP_E820_EXT`].
const E820_IN_PLACE: usize = 128;
/// Linux ignores a memory map of a single entry (`append_e820_table`, `arch/x86/kernel/e820.c`).
const E820_LEAST: usize = 2;
const E820_ENTRY_LEN: usize = size_of::<BootE820Entry>();
const HEADER_LEN: usize = size_of::<SetupDataHeader>();
/// Where `setup_data`, the address of the first item, stands in `boot_params`.
const FIRST_ITEM_AT: usize = 0x250;
const CL_MAGIC: u16 = 0xa33f;
const ABOVE_4G: u64 = 1 << 32;

/// A range of the memory map: half open, with an `E820_TYPE_` number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct E820Entry {
    /// The first byte's address.
    pub start: PhysAddr,
    /// The address behind the last byte.
    pub end: PhysAddr,
    /// 1 RAM, 2 reserved, 3 ACPI tables, 4 ACPI NVS, 5 unusable, 7 persistent memory, 12 legacy persistent memory.
    pub kind: u32,
}

/// All that an x86 kernel is told, as one segment:
///
/// ```text
/// boot_params | command line, NUL | EFI runtime map | setup_data: E820_EXT, EFI, the caller's
/// 0           | 4096              | each aligned to 16 bytes
/// ```
#[derive(Debug, Clone)]
pub struct BootParamsSegment<'a, E> {
    /// The setup header, and what was taken over from the running kernel. Command line, initrd, memory map, EFI and
    /// `setup_data` in it are replaced.
    pub boot_params: &'a BootParams,
    /// The command line, everything appended, without its NUL.
    pub command_line: &'a [u8],
    /// The initrd: its physical address and its length in bytes.
    pub initrd: Option<(PhysAddr, u64)>,
    /// The memory map, in any order.
    pub e820: E,
    /// EFI's runtime services.
    pub efi: Option<EfiRuntime<'a>>,
    /// Further items of the chain, as [`SetupData::rng_seed`].
    pub setup_data: &'a [SetupData<'a>],
}

impl<E> BootParamsSegment<'_, E>
where
    E: Iterator<Item = E820Entry> + Clone,
{
    /// The segment's length in bytes. It does not depend on where anything is loaded.
    ///
    /// # Errors
    /// [`Error::Unsupported`] in [`Field::SetupDataLen`] where it does not fit in memory.
    pub fn encoded_len(&self) -> Result<usize, Error> {
        self.checked_len().ok_or(Error::Unsupported { field: Field::SetupDataLen, value: u64::MAX })
    }

    fn checked_len(&self) -> Option<usize> {
        let mut end = self.command_line_range()?.end;
        if let Some(efi) = &self.efi {
            end = place(end, size_of_val(efi.runtime_map))?.end;
        }
        let extra = self.e820.clone().skip(E820_IN_PLACE).count();
        if extra > 0 {
            end = place_item(end, extra.checked_mul(E820_ENTRY_LEN)?)?.end;
        }
        if self.efi.is_some() {
            end = place_item(end, size_of::<EfiSetupData>())?.end;
        }
        self.setup_data.iter().try_fold(end, |end, item| Some(place_item(end, item.data.len())?.end))
    }

    /// Where the command line and its NUL stand in the segment, in bytes from its start.
    fn command_line_range(&self) -> Option<Range<usize>> {
        place(BootParams::LEN, self.command_line.len().checked_add(1)?)
    }

    /// Writes the segment to the front of `out`, for the physical address `at`, and answers with its length in bytes.
    /// `at` becomes `rsi` at the kernel's entry.
    ///
    /// # Errors
    /// [`Error::CommandLineTooLong`] against the setup header's `cmdline_size`; [`Error::Corrupt`] for a NUL in the
    /// command line, and for an empty range in the memory map (its number is the offset); [`Error::Unsupported`] in
    /// [`Field::Xloadflags`] where the kernel takes nothing above 4 GiB, or no EFI, and it is given some, in
    /// [`Field::E820Entries`] for a memory map of fewer than 2 entries, which Linux ignores, in
    /// [`Field::EfiMemmapSize`] for EFI without a runtime map, and in [`Field::LoadAddress`] at the end of the address
    /// space; [`Error::BufferTooSmall`]. `out` is then unspecified.
    pub fn encode(&self, at: PhysAddr, out: &mut [u8]) -> Result<usize, Error> {
        let len = self.encoded_len()?;
        self.check(at, len)?;
        let out = out.get_mut(..len).ok_or_else(|| too_small(len))?;
        out.fill(0);
        let mut chain = Chain { out, at: at.0, end: BootParams::LEN, link: FIRST_ITEM_AT };
        let mut params = *self.boot_params;
        params.sentinel = 0;
        params.hdr.setup_data = U64::new(0);
        let (initrd, initrd_len) = self.initrd.unwrap_or((PhysAddr(0), 0));
        params.set_initrd(initrd, initrd_len);
        params.e820_table = [BootE820Entry::EMPTY; E820_IN_PLACE];
        let mut in_place: usize = 0;
        for (entry, place) in self.e820.clone().zip(params.e820_table.iter_mut()) {
            *place = entry.into();
            in_place = in_place.saturating_add(1);
        }
        params.e820_entries = u8::try_from(in_place).unwrap_or(0);

        let offset = chain.put(self.command_line, 1)?;
        params.set_command_line(PhysAddr(chain.address(offset)));
        params.screen_info.cl_magic = U16::new(CL_MAGIC);
        params.screen_info.cl_offset = U16::new(u16::try_from(offset).unwrap_or(0));
        params.efi_info.as_mut_bytes().fill(0);
        if let Some(efi) = &self.efi {
            let offset = chain.put(efi.runtime_map.as_bytes(), 0)?;
            let memmap = PhysAddr(chain.address(offset));
            set_efi_info(&mut params, efi, memmap)?;
        }
        // First, so that the chain's first link is not written over.
        chain
            .out
            .get_mut(..BootParams::LEN)
            .ok_or_else(|| too_small(len))?
            .copy_from_slice(params.as_bytes());

        self.put_more_e820(&mut chain)?;
        if let Some(efi) = &self.efi {
            chain.put_item(&SetupData { kind: SETUP_EFI, data: EfiSetupData::new(efi).as_bytes() })?;
        }
        self.setup_data.iter().try_for_each(|item| chain.put_item(item))?;
        Ok(len)
    }

    /// Refuses what the kernel would not take, or would not take whole.
    fn check(&self, at: PhysAddr, len: usize) -> Result<(), Error> {
        let hdr = &self.boot_params.hdr;
        command_line::check_len(self.command_line, u64::from(hdr.cmdline_size.get()))?;
        if let Some(nul) = self.command_line.iter().position(|&byte| byte == 0) {
            return Err(Error::Corrupt { field: Field::CommandLine, offset: len_of(nul) });
        }
        let count = self.e820.clone().take(E820_LEAST).count();
        if count < E820_LEAST {
            return Err(Error::Unsupported { field: Field::E820Entries, value: len_of(count) });
        }
        if let Some(empty) = self.e820.clone().position(|entry| entry.start >= entry.end) {
            return Err(Error::Corrupt { field: Field::E820Entry, offset: len_of(empty) });
        }
        let no_room = Error::Unsupported { field: Field::LoadAddress, value: at.0 };
        let end = at.0.checked_add(len_of(len)).ok_or(no_room)?;
        let initrd_end = match self.initrd {
            Some((initrd, len)) => initrd
                .0
                .checked_add(len)
                .ok_or(Error::Unsupported { field: Field::RamdiskSize, value: len })?,
            None => 0,
        };
        let mut needed = 0;
        if end > ABOVE_4G || initrd_end > ABOVE_4G {
            needed |= xloadflags::CAN_BE_LOADED_ABOVE_4G;
        }
        if let Some(efi) = &self.efi {
            needed |= xloadflags::EFI_KEXEC;
            if efi.runtime_map.is_empty() {
                return Err(Error::Unsupported { field: Field::EfiMemmapSize, value: 0 });
            }
        }
        if !hdr.has_xloadflags(needed) {
            let value = u64::from(hdr.xloadflags.get());
            return Err(Error::Unsupported { field: Field::Xloadflags, value });
        }
        Ok(())
    }

    /// The entries of the memory map for which `boot_params` has no room.
    fn put_more_e820(&self, chain: &mut Chain<'_>) -> Result<(), Error> {
        let extra = self.e820.clone().skip(E820_IN_PLACE);
        let count = extra.clone().count();
        if count == 0 {
            return Ok(());
        }
        let data = chain.reserve_item(SETUP_E820_EXT, count.saturating_mul(E820_ENTRY_LEN))?;
        for (entry, place) in extra.zip(data.as_chunks_mut::<E820_ENTRY_LEN>().0) {
            *place = zerocopy::transmute!(BootE820Entry::from(entry));
        }
        Ok(())
    }
}

fn set_efi_info(params: &mut BootParams, efi: &EfiRuntime<'_>, memmap: PhysAddr) -> Result<(), Error> {
    let len = size_of_val(efi.runtime_map);
    let too_long = Error::Unsupported { field: Field::EfiMemmapSize, value: len_of(len) };
    let info = &mut params.efi_info;
    info.loader_signature = efi.loader_signature;
    info.set_systab(efi.systab);
    info.set_memmap(memmap);
    info.memdesc_size = U32::new(u32::try_from(size_of::<EfiMemoryDescriptor>()).unwrap_or(0));
    info.memdesc_version = U32::new(1);
    info.memmap_size = U32::new(u32::try_from(len).map_err(|_| too_long)?);
    Ok(())
}

impl BootE820Entry {
    const EMPTY: Self = Self { addr: U64::new(0), size: U64::new(0), kind: U32::new(0) };
}

impl From<E820Entry> for BootE820Entry {
    fn from(entry: E820Entry) -> Self {
        let size = entry.end.0.saturating_sub(entry.start.0);
        Self { addr: U64::new(entry.start.0), size: U64::new(size), kind: U32::new(entry.kind) }
    }
}

/// Where `len` bytes go that follow what ends at `end`.
fn place(end: usize, len: usize) -> Option<Range<usize>> {
    let start = end.checked_next_multiple_of(16)?;
    Some(start..start.checked_add(len)?)
}

/// The same for an item of the chain with `len` bytes of data.
fn place_item(end: usize, len: usize) -> Option<Range<usize>> {
    place(end, HEADER_LEN.checked_add(len)?)
}

/// The segment while it is written.
struct Chain<'a> {
    out: &'a mut [u8],
    /// The segment's physical address.
    at: u64,
    /// Where what was written so far ends.
    end: usize,
    /// Where the address of the next item of the chain goes.
    link: usize,
}

impl Chain<'_> {
    fn address(&self, offset: usize) -> u64 {
        self.at.saturating_add(len_of(offset))
    }

    fn reserve(&mut self, len: usize) -> Result<(usize, &mut [u8]), Error> {
        let range = place(self.end, len).ok_or_else(|| too_small(usize::MAX))?;
        self.end = range.end;
        let start = range.start;
        let end = range.end;
        Ok((start, self.out.get_mut(range).ok_or_else(|| too_small(end))?))
    }

    /// Appends `bytes` and `zeros` zeros, and answers with where they start.
    fn put(&mut self, bytes: &[u8], zeros: usize) -> Result<usize, Error> {
        let (start, place) = self.reserve(bytes.len().saturating_add(zeros))?;
        for (to, &from) in place.iter_mut().zip(bytes) {
            *to = from;
        }
        Ok(start)
    }

    /// Appends an item of the chain, linked to the one before, and answers with the place for its data.
    fn reserve_item(&mut self, kind: u32, len: usize) -> Result<&mut [u8], Error> {
        let too_long = Error::Unsupported { field: Field::SetupDataLen, value: len_of(len) };
        let len_field = U32::new(u32::try_from(len).map_err(|_| too_long)?);
        let (start, _) = self.reserve(HEADER_LEN.saturating_add(len))?;
        let address = U64::new(self.address(start));
        let link = self.out.get_mut(self.link..).unwrap_or_default();
        let (link, _) = U64::mut_from_prefix(link).map_err(|_| too_small(self.link))?;
        *link = address;
        self.link = start;
        let end = self.end;
        let item = self.out.get_mut(start..end).unwrap_or_default();
        let (header, data) = SetupDataHeader::mut_from_prefix(item).map_err(|_| too_small(end))?;
        *header = SetupDataHeader { next: U64::new(0), kind: U32::new(kind), len: len_field };
        Ok(data)
    }

    fn put_item(&mut self, item: &SetupData<'_>) -> Result<(), Error> {
        let data = self.reserve_item(item.kind, item.data.len())?;
        let place = data.get_mut(..item.data.len());
        place.ok_or_else(|| too_small(item.data.len()))?.copy_from_slice(item.data);
        Ok(())
    }
}
