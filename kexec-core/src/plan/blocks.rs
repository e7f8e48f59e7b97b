//! The block of boot parameters, from what was asked and what was decided.

use vmcore_format::PhysAddr;
use zerocopy::little_endian::U64;

use crate::boot_params::{BootParams, BootParamsSegment, E820Entry};
use crate::map::Range;
use crate::sources::e820;

use super::kernel::Kernel;
use super::memory::{Capture, Told};
use super::request::{Load, MachineFacts, Request};

/// The boot parameters of the kernel. Their length depends on no address.
pub(super) fn boot_block<'s>(
    request: &'s Request<'_>,
    kernel: &Kernel<'_>,
    params: &'s BootParams,
    command_line: &'s [u8],
    initrd: Option<(PhysAddr, u64)>,
    capture: Option<Capture>,
) -> BootParamsSegment<'s, impl Iterator<Item = E820Entry> + Clone + 's> {
    BootParamsSegment {
        boot_params: params,
        command_line,
        initrd,
        e820: told(request, capture).map(entry),
        efi: request.machine.efi.filter(|_| kernel.takes_efi()),
        setup_data: request.machine.setup_data,
    }
}

fn entry(range: Range) -> E820Entry {
    E820Entry { start: range.start, end: range.end, kind: e820::e820_type(range.kind) }
}

/// The memory that the kernel is told of.
pub(super) fn told<'s>(request: &Request<'s>, capture: Option<Capture>) -> Told<'s> {
    match request.load {
        Load::Crash(_) => Told::of(request.memory, capture),
        Load::Ordinary => Told::of(request.firmware.unwrap_or(request.memory), None),
    }
}

/// Puts in `params` what only the running kernel knows.
pub(super) fn take_over(params: &mut BootParams, machine: &MachineFacts<'_>) {
    if let Some(running) = machine.boot_params {
        params.take_over(running);
    }
    if let Some(rsdp) = machine.acpi_rsdp {
        params.acpi_rsdp_addr = U64::new(rsdp.0);
    }
}

/// A length in memory as a number of bytes in a plan.
pub(super) fn len_of(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
