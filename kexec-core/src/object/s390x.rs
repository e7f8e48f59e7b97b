//! Relocations of s390x. Source: ELF Application Binary Interface s390x Supplement (1.6.1), section 3.5.

use super::site::{Site, Target, bits};
use crate::Error;

const R_390_8: u32 = 1;
const R_390_12: u32 = 2;
const R_390_16: u32 = 3;
const R_390_32: u32 = 4;
const R_390_PC32: u32 = 5;
const R_390_PC16: u32 = 16;
const R_390_PC16DBL: u32 = 17;
const R_390_PLT16DBL: u32 = 18;
const R_390_PC32DBL: u32 = 19;
const R_390_PLT32DBL: u32 = 20;
const R_390_64: u32 = 22;
const R_390_PC64: u32 = 23;
const R_390_GOTENT: u32 = 26;
const R_390_20: u32 = 57;

const DISPLACEMENT: u16 = 0x0fff;
const LONG_DISPLACEMENT: u32 = 0x0fff_ff00;

pub(super) const fn needs_slot(kind: u32) -> bool {
    kind == R_390_GOTENT
}

pub(super) fn apply(target: &Target, site: &mut Site<'_>) -> Result<(), Error> {
    let (sum, relative) = (target.sum(), target.relative(site));
    match site.kind() {
        R_390_8 => site.set_u8(site.either(sum, 8)?),
        R_390_12 => site.set_bits16(DISPLACEMENT, site.unsigned(sum, 12)?),
        R_390_16 => site.set_u16(site.either(sum, 16)?),
        R_390_20 => {
            let value = site.signed(sum, 20)?;
            site.set_bits32(LONG_DISPLACEMENT, bits(value, 0, 12, 16) | bits(value, 12, 8, 8))
        }
        R_390_32 => site.set_u32(site.either(sum, 32)?),
        R_390_64 => site.set_u64(sum),
        R_390_PC16 => site.set_u16(site.signed(relative, 16)?),
        R_390_PC32 => site.set_u32(site.signed(relative, 32)?),
        R_390_PC64 => site.set_u64(relative),
        R_390_PC16DBL | R_390_PLT16DBL => site.set_u16(halves(site, relative, 17)?),
        R_390_PC32DBL | R_390_PLT32DBL => site.set_u32(halves(site, relative, 33)?),
        R_390_GOTENT => site.set_u32(halves(site, target.slot_relative(site), 33)?),
        _ => Err(site.unknown()),
    }
}

/// A distance in half-words of a field that keeps `bits` bits of it in bytes.
fn halves(site: &Site<'_>, distance: u64, bits: u32) -> Result<u64, Error> {
    site.aligned(site.signed(distance, bits)?, 2).map(|distance| distance >> 1)
}
