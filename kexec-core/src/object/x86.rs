//! Relocations of x86_64 and i386. Source: System V psABI for AMD64 (1.0) and for i386 (1.1).

use super::site::{Site, Target};
use crate::Error;

const R_X86_64_64: u32 = 1;
const R_X86_64_PC32: u32 = 2;
const R_X86_64_PLT32: u32 = 4;
const R_X86_64_GOTPCREL: u32 = 9;
const R_X86_64_32: u32 = 10;
const R_X86_64_32S: u32 = 11;
const R_X86_64_PC64: u32 = 24;
const R_X86_64_GOTPCRELX: u32 = 41;
const R_X86_64_REX_GOTPCRELX: u32 = 42;

const R_386_32: u32 = 1;
const R_386_PC32: u32 = 2;
const R_386_PLT32: u32 = 4;

pub(super) const fn needs_slot(kind: u32) -> bool {
    matches!(kind, R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX)
}

pub(super) fn apply(target: &Target, site: &mut Site<'_>) -> Result<(), Error> {
    match site.kind() {
        R_X86_64_64 => site.set_u64(target.sum()),
        R_X86_64_PC64 => site.set_u64(target.relative(site)),
        R_X86_64_32 => site.set_u32(site.unsigned(target.sum(), 32)?),
        R_X86_64_32S => site.set_u32(site.signed(target.sum(), 32)?),
        R_X86_64_PC32 | R_X86_64_PLT32 => site.set_u32(site.signed(target.relative(site), 32)?),
        R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX => {
            site.set_u32(site.signed(target.slot_relative(site), 32)?)
        }
        _ => Err(site.unknown()),
    }
}

pub(super) fn apply_32(target: &Target, site: &mut Site<'_>) -> Result<(), Error> {
    match site.kind() {
        R_386_32 => site.set_u32(site.either(target.sum(), 32)?),
        // A distance wraps with the address space: no two places are further apart than 32 bits say.
        R_386_PC32 | R_386_PLT32 => site.set_u32(target.relative(site)),
        _ => Err(site.unknown()),
    }
}
