//! Relocations of aarch64. Source: ELF for the Arm 64-bit Architecture (2024Q3), section 5.7.
//!
//! An immediate is replaced, not added to: what stood in the instruction does not count.

use super::site::{Site, Target, bits};
use crate::Error;

const R_AARCH64_NULL: u32 = 256;
const R_AARCH64_ABS64: u32 = 257;
const R_AARCH64_ABS32: u32 = 258;
const R_AARCH64_ABS16: u32 = 259;
const R_AARCH64_PREL64: u32 = 260;
const R_AARCH64_PREL32: u32 = 261;
const R_AARCH64_PREL16: u32 = 262;
const R_AARCH64_MOVW_UABS_G0: u32 = 263;
const R_AARCH64_MOVW_UABS_G0_NC: u32 = 264;
const R_AARCH64_MOVW_UABS_G1: u32 = 265;
const R_AARCH64_MOVW_UABS_G1_NC: u32 = 266;
const R_AARCH64_MOVW_UABS_G2: u32 = 267;
const R_AARCH64_MOVW_UABS_G2_NC: u32 = 268;
const R_AARCH64_MOVW_UABS_G3: u32 = 269;
const R_AARCH64_LD_PREL_LO19: u32 = 273;
const R_AARCH64_ADR_PREL_LO21: u32 = 274;
const R_AARCH64_ADR_PREL_PG_HI21: u32 = 275;
const R_AARCH64_ADR_PREL_PG_HI21_NC: u32 = 276;
const R_AARCH64_ADD_ABS_LO12_NC: u32 = 277;
const R_AARCH64_LDST8_ABS_LO12_NC: u32 = 278;
const R_AARCH64_TSTBR14: u32 = 279;
const R_AARCH64_CONDBR19: u32 = 280;
const R_AARCH64_JUMP26: u32 = 282;
const R_AARCH64_CALL26: u32 = 283;
const R_AARCH64_LDST16_ABS_LO12_NC: u32 = 284;
const R_AARCH64_LDST32_ABS_LO12_NC: u32 = 285;
const R_AARCH64_LDST64_ABS_LO12_NC: u32 = 286;
const R_AARCH64_LDST128_ABS_LO12_NC: u32 = 299;

const IMM16: u32 = 0x001f_ffe0;
const IMM19: u32 = 0x00ff_ffe0;
const IMM14: u32 = 0x0007_ffe0;
const IMM12: u32 = 0x003f_fc00;
const IMM26: u32 = 0x03ff_ffff;
const ADR_IMM21: u32 = 0x60ff_ffe0;

pub(super) fn apply(target: &Target, site: &mut Site<'_>) -> Result<(), Error> {
    let (sum, relative) = (target.sum(), target.relative(site));
    match site.kind() {
        R_AARCH64_NULL => Ok(()),
        R_AARCH64_ABS64 => site.set_u64(sum),
        R_AARCH64_ABS32 => site.set_u32(site.either(sum, 32)?),
        R_AARCH64_ABS16 => site.set_u16(site.either(sum, 16)?),
        R_AARCH64_PREL64 => site.set_u64(relative),
        R_AARCH64_PREL32 => site.set_u32(site.either(relative, 32)?),
        R_AARCH64_PREL16 => site.set_u16(site.either(relative, 16)?),
        R_AARCH64_MOVW_UABS_G0 => movw(site, site.unsigned(sum, 16)?, 0),
        R_AARCH64_MOVW_UABS_G0_NC => movw(site, sum, 0),
        R_AARCH64_MOVW_UABS_G1 => movw(site, site.unsigned(sum, 32)?, 16),
        R_AARCH64_MOVW_UABS_G1_NC => movw(site, sum, 16),
        R_AARCH64_MOVW_UABS_G2 => movw(site, site.unsigned(sum, 48)?, 32),
        R_AARCH64_MOVW_UABS_G2_NC => movw(site, sum, 32),
        R_AARCH64_MOVW_UABS_G3 => movw(site, sum, 48),
        R_AARCH64_LD_PREL_LO19 | R_AARCH64_CONDBR19 => {
            let distance = words(site, relative, 21)?;
            site.set_bits32(IMM19, bits(distance, 0, 19, 5))
        }
        R_AARCH64_TSTBR14 => {
            let distance = words(site, relative, 16)?;
            site.set_bits32(IMM14, bits(distance, 0, 14, 5))
        }
        R_AARCH64_JUMP26 | R_AARCH64_CALL26 => {
            let distance = words(site, relative, 28)?;
            site.set_bits32(IMM26, distance)
        }
        R_AARCH64_ADR_PREL_LO21 => adr(site, site.signed(relative, 21)?),
        R_AARCH64_ADR_PREL_PG_HI21 => {
            let pages = page(sum).wrapping_sub(page(site.place()));
            adr(site, site.signed(pages, 33)? >> 12)
        }
        R_AARCH64_ADR_PREL_PG_HI21_NC => adr(site, page(sum).wrapping_sub(page(site.place())) >> 12),
        R_AARCH64_ADD_ABS_LO12_NC | R_AARCH64_LDST8_ABS_LO12_NC => low12(site, sum, 0),
        R_AARCH64_LDST16_ABS_LO12_NC => low12(site, site.aligned(sum, 2)?, 1),
        R_AARCH64_LDST32_ABS_LO12_NC => low12(site, site.aligned(sum, 4)?, 2),
        R_AARCH64_LDST64_ABS_LO12_NC => low12(site, site.aligned(sum, 8)?, 3),
        R_AARCH64_LDST128_ABS_LO12_NC => low12(site, site.aligned(sum, 16)?, 4),
        _ => Err(site.unknown()),
    }
}

const fn page(address: u64) -> u64 {
    address & !0xfff
}

/// A distance in words of an instruction that keeps `bits` bits of it in bytes.
fn words(site: &Site<'_>, distance: u64, bits: u32) -> Result<u64, Error> {
    site.aligned(site.signed(distance, bits)?, 4).map(|distance| distance >> 2)
}

fn movw(site: &mut Site<'_>, value: u64, from: u32) -> Result<(), Error> {
    site.set_bits32(IMM16, bits(value, from, 16, 5))
}

fn adr(site: &mut Site<'_>, value: u64) -> Result<(), Error> {
    site.set_bits32(ADR_IMM21, bits(value, 0, 2, 29) | bits(value, 2, 19, 5))
}

/// The low 12 bits of an address in units of `1 << scale` bytes.
fn low12(site: &mut Site<'_>, value: u64, scale: u32) -> Result<(), Error> {
    site.set_bits32(IMM12, bits(value & 0xfff, scale, 12, 10))
}
