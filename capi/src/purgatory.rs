//! What runs between two kernels: the object, its parameter block, and its check.

use core::ffi::{CStr, c_char};

use purgatory::{OnMismatch, Parameters, REGIONS, Region, Verdict, X86_64, digest, verify};
use zerocopy::IntoBytes;

use crate::callback::{kcap_physical_bytes, memory_view};
use crate::error::{answer, kcap_error};
use crate::ptr::{self, Growing};
use crate::status::{Failure, KCAP_ERR_CORRUPT, KCAP_ERR_HOLE, kcap_status};

/// The purgatory for x86_64: its first byte, and the number of bytes in `len` (NULL where `len` is). A relocatable ELF object
/// that runs at any address, for `kcap_object_init`: bytes of the library's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_purgatory_x86_64(len: *mut usize) -> *const u8 {
    let Ok(place) = ptr::out(len) else { return core::ptr::null() };
    place.put(X86_64.len());
    X86_64.as_ptr()
}

/// The global symbol of the parameter block in our object: a string of the library's own.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_purgatory_parameters_symbol() -> *const c_char {
    const SYMBOL: &CStr = c"kcapture_parameters";
    SYMBOL.as_ptr()
}

/// The global symbol at which our object is entered: a string of the library's own.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_purgatory_entry_symbol() -> *const c_char {
    const SYMBOL: &CStr = c"purgatory_start";
    SYMBOL.as_ptr()
}

/// The length of the parameter block, in bytes: the size of its symbol.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_purgatory_parameters_len() -> usize {
    Parameters::LEN
}

/// Physical memory that the digest covers. A length of 0 says that the entry is unused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_purgatory_region {
    /// The physical address of the first byte; never 0 in a used entry.
    pub start: u64,
    /// The length in bytes.
    pub len: u64,
}

/// The most regions that a digest covers.
pub const KCAP_PURGATORY_REGIONS: usize = 16;

const _: () = assert!(KCAP_PURGATORY_REGIONS == REGIONS);

/// What the loader tells our object. Set `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_purgatory_parameters {
    /// `sizeof(kcap_purgatory_parameters)`.
    pub size: usize,
    /// The physical address of the kernel's 64-bit entry: the load address of a bzImage's protected-mode part plus 0x200.
    pub entry: u64,
    /// The physical address of the `boot_params` page, which the kernel gets in rsi.
    pub boot_params: u64,
    /// The rsp that the kernel starts with: 0 for the end of the object's own stack.
    pub stack: u64,
    /// SHA-256 over the bytes of all `regions`, in their order.
    pub digest: [u8; 32],
    /// What the digest covers.
    pub regions: [kcap_purgatory_region; KCAP_PURGATORY_REGIONS],
    /// Memory that the kernel uses and that must not be lost: it is copied after the check. A length of 0 says none.
    pub backup_source: kcap_purgatory_region,
    /// The physical address that it is copied to.
    pub backup_copy: u64,
    /// What happens on another digest: a `KCAP_ON_MISMATCH_` number.
    pub on_mismatch: u32,
    /// Not 0: enter the kernel without reading a region.
    pub skip_check: u32,
    /// Not 0: print to the VGA text screen.
    pub vga: u32,
    /// The first I/O port of the 8250 to print to (0x3f8 for ttyS0); 0 for none.
    pub serial_port: u32,
    /// The rate to set, in bits per second; 0 leaves the UART as it is.
    pub serial_baud: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_purgatory_parameters {}

fn flag(value: u32) -> u8 {
    u8::from(value != 0)
}

impl kcap_purgatory_parameters {
    fn block(&self) -> Result<Parameters, Failure> {
        let mut block = Parameters::new(self.entry, self.boot_params);
        let on_mismatch = u8::try_from(self.on_mismatch).unwrap_or(u8::MAX);
        if OnMismatch::of_number(on_mismatch).number() != on_mismatch {
            return Err(Failure::invalid("on_mismatch", self.on_mismatch.into()));
        }
        block.stack = self.stack.into();
        block.digest = self.digest;
        for (to, from) in block.regions.iter_mut().zip(self.regions) {
            *to = Region::new(from.start, from.len);
        }
        block.backup_source = Region::new(self.backup_source.start, self.backup_source.len);
        block.backup_copy = self.backup_copy.into();
        block.on_mismatch = on_mismatch;
        block.skip_check = flag(self.skip_check);
        block.vga = flag(self.vga);
        block.serial_port = u16::try_from(self.serial_port)
            .map_err(|_| Failure::invalid("serial_port", self.serial_port.into()))?
            .into();
        block.serial_baud = self.serial_baud.into();
        Ok(block)
    }
}

impl From<&Parameters> for kcap_purgatory_parameters {
    fn from(block: &Parameters) -> Self {
        let mut regions = [kcap_purgatory_region::default(); KCAP_PURGATORY_REGIONS];
        for (to, from) in regions.iter_mut().zip(block.regions) {
            *to = kcap_purgatory_region { start: from.start.get(), len: from.len.get() };
        }
        Self {
            size: 0,
            entry: block.entry.get(),
            boot_params: block.boot_params.get(),
            stack: block.stack.get(),
            digest: block.digest,
            regions,
            backup_source: kcap_purgatory_region {
                start: block.backup_source.start.get(),
                len: block.backup_source.len.get(),
            },
            backup_copy: block.backup_copy.get(),
            on_mismatch: block.policy().number().into(),
            skip_check: block.skip_check.into(),
            vga: block.vga.into(),
            serial_port: block.serial_port.get().into(),
            serial_baud: block.serial_baud.get(),
            reserved: 0,
        }
    }
}

/// Writes the parameter block to the front of the `len` bytes at `block`, `kcap_purgatory_parameters_len()` of them: for
/// `kcap_object_set_symbol`.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (`value`: bytes for `block`), `KCAP_ERR_INVALID` (`on_mismatch`, `serial_port`),
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_purgatory_parameters_encode(
    parameters: *const kcap_purgatory_parameters,
    block: *mut u8,
    len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let encoded = ptr::read_growing(parameters)?.block()?;
        let out = ptr::slice_mut(block, len)?;
        let out = out.get_mut(..Parameters::LEN).ok_or(Failure::too_small(Parameters::LEN))?;
        out.copy_from_slice(encoded.as_bytes());
        Ok(())
    })
}

/// Writes what the parameter block in the `len` bytes at `block` says to `parameters`.
///
/// Errors: `KCAP_ERR_CORRUPT` for bytes that are too few or no block of this version, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_purgatory_parameters_read(
    block: *const u8,
    len: usize,
    parameters: *mut kcap_purgatory_parameters,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out_growing(parameters)?;
        let bytes = ptr::slice(block, len)?;
        let corrupt = Failure { field: "purgatory parameters", ..KCAP_ERR_CORRUPT.into() };
        let block = <Parameters as zerocopy::FromBytes>::ref_from_prefix(bytes).map_err(|_| corrupt)?.0;
        if !block.is_set() {
            return Err(corrupt);
        }
        place.put(&block.into());
        Ok(())
    })
}

/// The regions have the recorded digest.
pub const KCAP_VERDICT_MATCH: u32 = 0;
/// The parameters ask for no check.
pub const KCAP_VERDICT_SKIPPED: u32 = 1;
/// The regions have another digest.
pub const KCAP_VERDICT_MISMATCH: u32 = 2;
/// A region has bytes that cannot be read: it starts at 0, or ends past the address space, or memory lacks it.
pub const KCAP_VERDICT_UNREADABLE: u32 = 3;

/// Checks the regions of `parameters` as the object does before it enters the kernel: what it found goes to `verdict`, a
/// `KCAP_VERDICT_` number, and on `KCAP_VERDICT_MISMATCH` the digest of what the regions hold now goes to the 32 bytes at
/// `found`, which may be NULL.
///
/// Errors: `KCAP_ERR_INVALID` (`on_mismatch`, `serial_port`), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_purgatory_verify(
    parameters: *const kcap_purgatory_parameters,
    memory: *const kcap_physical_bytes,
    verdict: *mut u32,
    found: *mut u8,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(verdict)?;
        let found = if found.is_null() { None } else { Some(ptr::out(found.cast::<[u8; 32]>())?) };
        let block = ptr::read_growing(parameters)?.block()?;
        let memory = memory_view(memory)?;
        place.put(match verify(&block, |start, len| memory.bytes_at(start, len)) {
            Verdict::Match => KCAP_VERDICT_MATCH,
            Verdict::Skipped => KCAP_VERDICT_SKIPPED,
            Verdict::Unreadable | Verdict::NotSet => KCAP_VERDICT_UNREADABLE,
            Verdict::Mismatch { found: digest } => {
                if let Some(place) = found {
                    place.put(digest);
                }
                KCAP_VERDICT_MISMATCH
            }
        });
        Ok(())
    })
}

/// Writes SHA-256 over the bytes of all regions of `parameters`, in their order, to the 32 bytes at `digest`: what a loader
/// records in the parameters.
///
/// Errors: `KCAP_ERR_HOLE` where `memory` lacks a region, `KCAP_ERR_INVALID` (`on_mismatch`, `serial_port`),
/// `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_purgatory_digest(
    parameters: *const kcap_purgatory_parameters,
    memory: *const kcap_physical_bytes,
    digest: *mut u8,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(digest.cast::<[u8; 32]>())?;
        let block = ptr::read_growing(parameters)?.block()?;
        let memory = memory_view(memory)?;
        let found = self::digest(&block, |start, len| memory.bytes_at(start, len)).ok_or(KCAP_ERR_HOLE)?;
        place.put(found);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
