//! What a dump did.

use page_filter::dump::{Outcome, Reason, Report};

use crate::chunk::kcap_fault;
use crate::dump::kcap_dumper;
use crate::error::answer;
use crate::filter::{kcap_counts, kcap_findings};
use crate::ptr::{self, Growing};
use crate::source::{kcap_level, level_bits};
use crate::status::{KCAP_ERR_NOT_FOUND, kcap_status};

/// Everything that was to be saved was saved, and nothing else.
pub const KCAP_OUTCOME_COMPLETE: u32 = 0;
/// Pages are missing: they could not be read.
pub const KCAP_OUTCOME_INCOMPLETE: u32 = 1;
/// Everything that was to be saved was saved, and pages that were to be left out too.
pub const KCAP_OUTCOME_MORE_KEPT: u32 = 2;

/// No more was kept than asked.
pub const KCAP_REASON_NONE: u32 = 0;
/// The input has no VMCOREINFO.
pub const KCAP_REASON_NO_VMCOREINFO: u32 = 1;
/// Virtual addresses of the kernel cannot be read: `kcap_kernel_init` said why.
pub const KCAP_REASON_NO_KERNEL: u32 = 2;
/// The `struct page`s were not found: `kcap_findings.no_mem_map` says why.
pub const KCAP_REASON_NO_MEM_MAP: u32 = 3;
/// What was found cannot be true: `kcap_findings.doubt` says why. Every page was kept but those of zeros.
pub const KCAP_REASON_DOUBT: u32 = 4;
/// Some rules could not run: `kcap_findings.missing` names them.
pub const KCAP_REASON_RULES: u32 = 5;
/// Another reason, of a newer library.
pub const KCAP_REASON_OTHER: u32 = 255;

/// Faults that `kcap_report` has room for.
pub const KCAP_FAULTS: usize = 16;

/// What a dump did. Set `size` before the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_report {
    /// `sizeof(kcap_report)`.
    pub size: usize,
    /// Page frames that the machine had.
    pub known: u64,
    /// Page frames whose bytes the input holds.
    pub held: u64,
    /// Pages to be saved in all parts, of zeros or not.
    pub kept: u64,
    /// Pages saved in this output, of zeros or not, without those that were lost.
    pub saved: u64,
    /// Zero pages among those: found while saving, or (ELF) left out.
    pub zero: u64,
    /// Pages to be saved that could not be read.
    pub lost: u64,
    /// Bytes written to the output.
    pub written: u64,
    /// How the dump ended: a `KCAP_OUTCOME_` number.
    pub outcome: u32,
    /// Why more was kept than asked: a `KCAP_REASON_` number.
    pub reason: u32,
    /// The level that was asked for.
    pub asked_level: kcap_level,
    /// The level as it was used: without what could not be told apart, with what the input had left out before.
    pub level: kcap_level,
    /// What the input had left out before.
    pub left_out: kcap_level,
    /// 1 if the input says that it is not whole, or ends too early.
    pub incomplete: u32,
    /// The number of `faults`.
    pub fault_count: u32,
    /// 0.
    pub reserved: u32,
    /// The first pages that could not be read.
    pub faults: [kcap_fault; KCAP_FAULTS],
    /// Pages among `lost` where no memory was found.
    pub holes: u64,
    /// Pages among `lost` in memory that the hardware reports as broken.
    pub poisoned: u64,
    /// Pages committed to this output that share the bytes of an earlier one (`kcap_dump_options.share_duplicates`): of an abandoned
    /// dump more than it may hold.
    pub duplicates: u64,
    /// Bytes that were not written for them.
    pub duplicate_bytes: u64,
    /// Pages committed to this output of which something is hidden: of an abandoned dump more than it may hold.
    pub redacted_pages: u64,
    /// Bytes hidden in them.
    pub redacted_bytes: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_report {}

const fn reason_number(reason: Option<Reason>) -> u32 {
    match reason {
        None => KCAP_REASON_NONE,
        Some(Reason::NoVmcoreInfo) => KCAP_REASON_NO_VMCOREINFO,
        Some(Reason::NoKernel) => KCAP_REASON_NO_KERNEL,
        Some(Reason::NoMemMap) => KCAP_REASON_NO_MEM_MAP,
        Some(Reason::Doubt) => KCAP_REASON_DOUBT,
        Some(Reason::Rules) => KCAP_REASON_RULES,
        Some(_) => KCAP_REASON_OTHER,
    }
}

impl From<&Report> for kcap_report {
    fn from(report: &Report) -> Self {
        let mut faults = [kcap_fault::default(); KCAP_FAULTS];
        let mut fault_count = 0_u32;
        for (slot, fault) in faults.iter_mut().zip(report.faults.into_iter().flatten()) {
            *slot = fault.into();
            fault_count = fault_count.saturating_add(1);
        }
        Self {
            size: 0,
            known: report.known,
            held: report.held,
            kept: report.kept,
            saved: report.saved,
            zero: report.zero,
            lost: report.lost,
            written: report.written,
            outcome: match report.outcome() {
                Outcome::Complete => KCAP_OUTCOME_COMPLETE,
                Outcome::Incomplete => KCAP_OUTCOME_INCOMPLETE,
                Outcome::MoreKept => KCAP_OUTCOME_MORE_KEPT,
            },
            reason: reason_number(report.more_kept),
            asked_level: level_bits(report.options.level),
            level: level_bits(report.level),
            left_out: level_bits(report.left_out),
            incomplete: report.incomplete.into(),
            fault_count,
            reserved: 0,
            faults,
            holes: report.holes,
            poisoned: report.poisoned,
            duplicates: report.duplicates,
            duplicate_bytes: report.duplicate_bytes,
            redacted_pages: report.redacted_pages,
            redacted_bytes: report.redacted_bytes,
        }
    }
}

/// Writes what the dump did so far to `report`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_get_report(
    dumper: *const kcap_dumper,
    report: *mut kcap_report,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let found = ptr::get(dumper)?.dumper.report().into();
        ptr::out_growing(report)?.put(&found);
        Ok(())
    })
}

/// Writes how many page frames of each kind the input holds to `counts`. Zero pages are in `kcap_report.zero` alone.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_get_counts(
    dumper: *const kcap_dumper,
    counts: *mut kcap_counts,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let found = (&ptr::get(dumper)?.dumper.report().counts).into();
        ptr::out_growing(counts)?.put(&found);
        Ok(())
    })
}

/// Writes what the filter said about its own work, once all pages were counted, to `findings`.
///
/// Errors: `KCAP_ERR_NOT_FOUND` (not counted yet, or no kernel), `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_dumper_get_findings(
    dumper: *const kcap_dumper,
    findings: *mut kcap_findings,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let dumper = &ptr::get(dumper)?.dumper;
        let place = ptr::out_growing(findings)?;
        let found = dumper.report().findings.ok_or(KCAP_ERR_NOT_FOUND)?;
        place.put(&(&found).into());
        Ok(())
    })
}

#[cfg(test)]
mod tests;
