//! Relocations of riscv64. Source: RISC-V ELF psABI (1.0), chapter 8.
//!
//! Code that is not relaxed keeps its `R_RISCV_RELAX` marks, which ask for nothing; the padding of an
//! `R_RISCV_ALIGN` is taken as it is where it ends at its alignment, and refused where code would have to move.

use super::site::{Site, Target, bits};
use crate::Error;

const R_RISCV_32: u32 = 1;
const R_RISCV_64: u32 = 2;
const R_RISCV_BRANCH: u32 = 16;
const R_RISCV_JAL: u32 = 17;
const R_RISCV_CALL: u32 = 18;
const R_RISCV_CALL_PLT: u32 = 19;
pub(super) const R_RISCV_PCREL_HI20: u32 = 23;
const R_RISCV_PCREL_LO12_I: u32 = 24;
const R_RISCV_PCREL_LO12_S: u32 = 25;
const R_RISCV_HI20: u32 = 26;
const R_RISCV_LO12_I: u32 = 27;
const R_RISCV_LO12_S: u32 = 28;
const R_RISCV_ADD8: u32 = 33;
const R_RISCV_ADD16: u32 = 34;
const R_RISCV_ADD32: u32 = 35;
const R_RISCV_ADD64: u32 = 36;
const R_RISCV_SUB8: u32 = 37;
const R_RISCV_SUB16: u32 = 38;
const R_RISCV_SUB32: u32 = 39;
const R_RISCV_SUB64: u32 = 40;
const R_RISCV_ALIGN: u32 = 43;
const R_RISCV_RVC_BRANCH: u32 = 44;
const R_RISCV_RVC_JUMP: u32 = 45;
const R_RISCV_RELAX: u32 = 51;
const R_RISCV_SUB6: u32 = 52;
const R_RISCV_SET6: u32 = 53;
const R_RISCV_SET8: u32 = 54;
const R_RISCV_SET16: u32 = 55;
const R_RISCV_SET32: u32 = 56;
const R_RISCV_32_PCREL: u32 = 57;

const U_TYPE: u32 = 0xffff_f000;
const I_TYPE: u32 = 0xfff0_0000;
const S_TYPE: u32 = 0xfe00_0f80;
const CB_TYPE: u16 = 0x1c7c;
const CJ_TYPE: u16 = 0x1ffc;

/// Whether the symbol is the label of the instruction with the high part, not the target itself.
pub(super) const fn names_high_part(kind: u32) -> bool {
    matches!(kind, R_RISCV_PCREL_LO12_I | R_RISCV_PCREL_LO12_S)
}

/// For a relocation that [`names_high_part`], `target` is the distance that the high part holds.
pub(super) fn apply(target: &Target, site: &mut Site<'_>) -> Result<(), Error> {
    let (sum, relative) = (target.sum(), target.relative(site));
    match site.kind() {
        R_RISCV_RELAX => Ok(()),
        R_RISCV_ALIGN => align(target, site),
        R_RISCV_32 => site.set_u32(site.either(sum, 32)?),
        R_RISCV_64 => site.set_u64(sum),
        R_RISCV_32_PCREL => site.set_u32(site.signed(relative, 32)?),
        R_RISCV_BRANCH => branch(site, relative),
        R_RISCV_JAL => jal(site, relative),
        R_RISCV_CALL | R_RISCV_CALL_PLT => {
            high(site, relative)?;
            low_i(&mut site.after(4)?, relative)
        }
        R_RISCV_PCREL_HI20 => high(site, relative),
        R_RISCV_HI20 => high(site, sum),
        R_RISCV_PCREL_LO12_I | R_RISCV_LO12_I => low_i(site, sum),
        R_RISCV_PCREL_LO12_S | R_RISCV_LO12_S => low_s(site, sum),
        R_RISCV_RVC_BRANCH => rvc_branch(site, relative),
        R_RISCV_RVC_JUMP => rvc_jump(site, relative),
        _ => arithmetic(site, sum),
    }
}

/// Sums and differences in place. They are defined modulo their width: a difference comes as an addition and a
/// subtraction of two addresses, neither of which fits.
fn arithmetic(site: &mut Site<'_>, sum: u64) -> Result<(), Error> {
    match site.kind() {
        R_RISCV_ADD8 => site.u8().map(u64::from).and_then(|old| site.set_u8(old.wrapping_add(sum))),
        R_RISCV_ADD16 => site.u16().map(u64::from).and_then(|old| site.set_u16(old.wrapping_add(sum))),
        R_RISCV_ADD32 => site.u32().map(u64::from).and_then(|old| site.set_u32(old.wrapping_add(sum))),
        R_RISCV_ADD64 => site.u64().and_then(|old| site.set_u64(old.wrapping_add(sum))),
        R_RISCV_SUB8 => site.u8().map(u64::from).and_then(|old| site.set_u8(old.wrapping_sub(sum))),
        R_RISCV_SUB16 => site.u16().map(u64::from).and_then(|old| site.set_u16(old.wrapping_sub(sum))),
        R_RISCV_SUB32 => site.u32().map(u64::from).and_then(|old| site.set_u32(old.wrapping_sub(sum))),
        R_RISCV_SUB64 => site.u64().and_then(|old| site.set_u64(old.wrapping_sub(sum))),
        R_RISCV_SUB6 => {
            let old = u64::from(site.u8()?);
            site.set_u8((old & 0xc0) | (old.wrapping_sub(sum) & 0x3f))
        }
        R_RISCV_SET6 => {
            let old = u64::from(site.u8()?);
            site.set_u8((old & 0xc0) | (sum & 0x3f))
        }
        R_RISCV_SET8 => site.set_u8(sum),
        R_RISCV_SET16 => site.set_u16(sum),
        R_RISCV_SET32 => site.set_u32(sum),
        _ => Err(site.unknown()),
    }
}

/// The padding is `A` bytes of instructions that do nothing; behind it stands what wants the next power of two.
fn align(target: &Target, site: &Site<'_>) -> Result<(), Error> {
    let padding = target.addend.cast_unsigned();
    let align =
        padding.checked_add(1).and_then(u64::checked_next_power_of_two).ok_or_else(|| site.overflow())?;
    site.aligned(site.place().wrapping_add(padding), align).map(drop).map_err(|_| site.unknown())
}

/// The upper 20 bits of a value whose lower 12 are added as a signed number.
fn high(site: &mut Site<'_>, value: u64) -> Result<(), Error> {
    let rounded = site.signed(value.wrapping_add(0x800), 32)?;
    site.set_bits32(U_TYPE, rounded)
}

fn low_i(site: &mut Site<'_>, value: u64) -> Result<(), Error> {
    site.set_bits32(I_TYPE, bits(value, 0, 12, 20))
}

fn low_s(site: &mut Site<'_>, value: u64) -> Result<(), Error> {
    site.set_bits32(S_TYPE, bits(value, 5, 7, 25) | bits(value, 0, 5, 7))
}

fn branch(site: &mut Site<'_>, distance: u64) -> Result<(), Error> {
    let d = site.aligned(site.signed(distance, 13)?, 2)?;
    site.set_bits32(S_TYPE, bits(d, 12, 1, 31) | bits(d, 5, 6, 25) | bits(d, 1, 4, 8) | bits(d, 11, 1, 7))
}

fn jal(site: &mut Site<'_>, distance: u64) -> Result<(), Error> {
    let d = site.aligned(site.signed(distance, 21)?, 2)?;
    site.set_bits32(U_TYPE, bits(d, 20, 1, 31) | bits(d, 1, 10, 21) | bits(d, 11, 1, 20) | bits(d, 12, 8, 12))
}

fn rvc_branch(site: &mut Site<'_>, distance: u64) -> Result<(), Error> {
    let d = site.aligned(site.signed(distance, 9)?, 2)?;
    let low = bits(d, 6, 2, 5) | bits(d, 1, 2, 3) | bits(d, 5, 1, 2);
    site.set_bits16(CB_TYPE, bits(d, 8, 1, 12) | bits(d, 3, 2, 10) | low)
}

fn rvc_jump(site: &mut Site<'_>, distance: u64) -> Result<(), Error> {
    let d = site.aligned(site.signed(distance, 12)?, 2)?;
    let high = bits(d, 11, 1, 12) | bits(d, 4, 1, 11) | bits(d, 8, 2, 9) | bits(d, 10, 1, 8);
    let low = bits(d, 6, 1, 7) | bits(d, 7, 1, 6) | bits(d, 1, 3, 3) | bits(d, 5, 1, 2);
    site.set_bits16(CJ_TYPE, high | low)
}
