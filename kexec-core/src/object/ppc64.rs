//! Relocations of ppc64le. Source: `OpenPOWER` ELF V2 ABI (1.5), section 3.5.

use super::site::{Site, Target};
use crate::Error;

const R_PPC64_ADDR32: u32 = 1;
const R_PPC64_ADDR16: u32 = 3;
const R_PPC64_ADDR16_LO: u32 = 4;
const R_PPC64_ADDR16_HI: u32 = 5;
const R_PPC64_ADDR16_HA: u32 = 6;
const R_PPC64_REL24: u32 = 10;
const R_PPC64_REL14: u32 = 11;
const R_PPC64_REL32: u32 = 26;
const R_PPC64_ADDR64: u32 = 38;
const R_PPC64_ADDR16_HIGHER: u32 = 39;
const R_PPC64_ADDR16_HIGHERA: u32 = 40;
const R_PPC64_ADDR16_HIGHEST: u32 = 41;
const R_PPC64_ADDR16_HIGHESTA: u32 = 42;
const R_PPC64_REL64: u32 = 44;
const R_PPC64_TOC16: u32 = 47;
const R_PPC64_TOC16_LO: u32 = 48;
const R_PPC64_TOC16_HI: u32 = 49;
const R_PPC64_TOC16_HA: u32 = 50;
const R_PPC64_TOC: u32 = 51;
const R_PPC64_ADDR16_DS: u32 = 56;
const R_PPC64_ADDR16_LO_DS: u32 = 57;
const R_PPC64_TOC16_DS: u32 = 63;
const R_PPC64_TOC16_LO_DS: u32 = 64;
const R_PPC64_ADDR16_HIGH: u32 = 110;
const R_PPC64_ADDR16_HIGHA: u32 = 111;
/// Marks a prologue that a linker may shorten.
const R_PPC64_ENTRY: u32 = 118;
const R_PPC64_REL16: u32 = 249;
const R_PPC64_REL16_LO: u32 = 250;
const R_PPC64_REL16_HI: u32 = 251;
const R_PPC64_REL16_HA: u32 = 252;

/// The two low bits of a displacement in words belong to the instruction.
const DS: u16 = 0xfffc;
const LI: u32 = 0x03ff_fffc;
const BD: u32 = 0x0000_fffc;

/// The place of the TOC base behind the start of the TOC, so that signed 16-bit displacements reach all of it.
pub(super) const TOC_BIAS: u64 = 0x8000;
/// The TOC starts at a multiple of this many bytes.
pub(super) const TOC_ALIGN: u64 = 256;

/// From a function's global entry to the one for callers with the same TOC, in bytes: three bits of `st_other`.
pub(super) fn local_entry(other: u8) -> u64 {
    match other >> 5 {
        power @ 2..=6 => 1_u64.wrapping_shl(power.into()),
        _ => 0,
    }
}

pub(super) fn apply(target: &Target, site: &mut Site<'_>) -> Result<(), Error> {
    let (sum, relative) = (target.sum(), target.relative(site));
    let toc = sum.wrapping_sub(target.toc);
    match site.kind() {
        R_PPC64_ENTRY => Ok(()),
        R_PPC64_ADDR64 => site.set_u64(sum),
        R_PPC64_REL64 => site.set_u64(relative),
        R_PPC64_TOC => site.set_u64(target.toc),
        R_PPC64_ADDR32 => site.set_u32(site.either(sum, 32)?),
        R_PPC64_REL32 => site.set_u32(site.signed(relative, 32)?),
        R_PPC64_REL24 => {
            let distance = site.signed(relative.wrapping_add(target.local_entry), 26)?;
            site.set_bits32(LI, site.aligned(distance, 4)?)
        }
        R_PPC64_REL14 => {
            let distance = site.signed(relative.wrapping_add(target.local_entry), 16)?;
            site.set_bits32(BD, site.aligned(distance, 4)?)
        }
        R_PPC64_ADDR16 => site.set_u16(site.either(sum, 16)?),
        R_PPC64_ADDR16_LO => site.set_u16(sum),
        R_PPC64_ADDR16_HI => site.set_u16(site.signed(sum, 32)? >> 16),
        R_PPC64_ADDR16_HA => site.set_u16(site.signed(adjusted(sum), 32)? >> 16),
        R_PPC64_ADDR16_HIGH => site.set_u16(sum >> 16),
        R_PPC64_ADDR16_HIGHA => site.set_u16(adjusted(sum) >> 16),
        R_PPC64_ADDR16_HIGHER => site.set_u16(sum >> 32),
        R_PPC64_ADDR16_HIGHERA => site.set_u16(adjusted(sum) >> 32),
        R_PPC64_ADDR16_HIGHEST => site.set_u16(sum >> 48),
        R_PPC64_ADDR16_HIGHESTA => site.set_u16(adjusted(sum) >> 48),
        R_PPC64_ADDR16_DS => site.set_bits16(DS, site.aligned(site.signed(sum, 16)?, 4)?),
        R_PPC64_ADDR16_LO_DS => site.set_bits16(DS, site.aligned(sum, 4)?),
        R_PPC64_TOC16 => site.set_u16(site.signed(toc, 16)?),
        R_PPC64_TOC16_LO => site.set_u16(toc),
        R_PPC64_TOC16_HI => site.set_u16(site.signed(toc, 32)? >> 16),
        R_PPC64_TOC16_HA => site.set_u16(site.signed(adjusted(toc), 32)? >> 16),
        R_PPC64_TOC16_DS => site.set_bits16(DS, site.aligned(site.signed(toc, 16)?, 4)?),
        R_PPC64_TOC16_LO_DS => site.set_bits16(DS, site.aligned(toc, 4)?),
        R_PPC64_REL16 => site.set_u16(site.signed(relative, 16)?),
        R_PPC64_REL16_LO => site.set_u16(relative),
        R_PPC64_REL16_HI => site.set_u16(site.signed(relative, 32)? >> 16),
        R_PPC64_REL16_HA => site.set_u16(site.signed(adjusted(relative), 32)? >> 16),
        _ => Err(site.unknown()),
    }
}

/// What makes up for the sign of the 16 bits below.
const fn adjusted(value: u64) -> u64 {
    value.wrapping_add(0x8000)
}
