//! What a dump did, and how far it is.

use vmcore_format::Pfn;

use super::chunk::{EncodedPage, NAMED_FAULTS};
use super::{Chunk, EncodeParams, Encoded, Options};
use crate::{Counts, Fault, Findings, Level, Sections};

/// What the dumper is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Telling pages apart and counting them. In page frames.
    Scan,
    /// Writing headers, notes, bitmaps and pages. In pages.
    Write,
    /// Everything is written; [`Dumper::finish`](super::Dumper::finish) completes the headers.
    Written,
    /// The output is whole.
    Finished,
}

/// How far a phase is. The scan starts again once where what it found cannot be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// How much of it is done, in the phase's unit.
    pub done: u64,
    /// How much there is to do, in the phase's unit.
    pub total: u64,
}

/// Why more was kept than asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The input has no VMCOREINFO.
    NoVmcoreInfo,
    /// Virtual addresses of the kernel cannot be read: [`KernelError`](crate::KernelError) said why.
    NoKernel,
    /// The `struct page`s were not found: [`Findings::no_mem_map`] says why.
    NoMemMap,
    /// What was found cannot be true: [`Findings::doubt`] says why. Every page was kept but those of zeros.
    Doubt,
    /// Some rules could not run: [`Findings::keeps_more`] names them.
    Rules,
}

/// How a dump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was to be saved was saved, and nothing else.
    Complete,
    /// Pages are missing: they could not be read.
    Incomplete,
    /// Everything that was to be saved was saved, and pages that were to be left out too.
    MoreKept,
}

/// What a dump did.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// The options as they were given.
    pub options: Options,
    /// The level as it was used: without what could not be told apart, with what the input had left out before.
    pub level: Level,
    /// What the input had left out before.
    pub left_out: Level,
    /// Page frames that the machine had.
    pub known: u64,
    /// Page frames whose bytes the input holds. The others were left out before, or lie past the end of a truncated file
    /// (`incomplete` says so).
    pub held: u64,
    /// Page frames by kind, of those that the input holds: what the filter found. Zero pages are in `zero` alone.
    pub counts: Counts,
    /// Pages to be saved in all parts, of zeros or not.
    pub kept: u64,
    /// Pages saved in this output, of zeros or not, without those that were lost.
    pub saved: u64,
    /// Zero pages among those: found while saving, or (ELF) left out.
    pub zero: u64,
    /// Pages saved in this output that share the bytes of an earlier one
    /// ([`Options::share_duplicates`](super::Options::share_duplicates)). Of a dump that was
    /// [abandoned](super::Dumper::abandon) those that were committed: more than the output may hold.
    pub duplicates: u64,
    /// Bytes that were not written for them, counted in the same way.
    pub duplicate_bytes: u64,
    /// Pages to be saved that could not be read.
    pub lost: u64,
    /// Those of them where no memory was found.
    pub holes: u64,
    /// Those of them in memory that the hardware reports as broken.
    pub poisoned: u64,
    /// The first of the lost pages, with the reasons.
    pub faults: [Option<(Pfn, Fault)>; NAMED_FAULTS],
    /// Whether the input says that it is not whole, or ends too early.
    pub incomplete: bool,
    /// Pages saved in this output of which something is hidden. Of a dump that was [abandoned](super::Dumper::abandon) those
    /// that were committed: more than the output may hold.
    pub redacted_pages: u64,
    /// Bytes hidden in them, counted in the same way.
    pub redacted_bytes: u64,
    /// Bytes written to the output.
    pub written: u64,
    /// What the filter said about its own work, once all pages were counted.
    pub findings: Option<Findings>,
    /// Why more was kept than asked, if it was.
    pub more_kept: Option<Reason>,
    /// Where the input's table of memory and the kernel's `mem_section` disagree; `None` where there is no kernel, or none
    /// with sections.
    pub sections: Option<Sections>,
}

impl Findings {
    /// Why more is kept than asked, if it is.
    fn reason(&self) -> Option<Reason> {
        if self.doubt().is_some() {
            Some(Reason::Doubt)
        } else if self.no_mem_map().is_some() {
            Some(Reason::NoMemMap)
        } else {
            self.keeps_more().next().map(|_| Reason::Rules)
        }
    }
}

impl Report {
    pub(super) fn new(options: Options, left_out: Level, incomplete: bool) -> Self {
        Self {
            options,
            level: options.level | left_out,
            left_out,
            known: 0,
            held: 0,
            counts: Default::default(),
            kept: 0,
            saved: 0,
            zero: 0,
            duplicates: 0,
            duplicate_bytes: 0,
            lost: 0,
            holes: 0,
            poisoned: 0,
            faults: [None; NAMED_FAULTS],
            incomplete,
            redacted_pages: 0,
            redacted_bytes: 0,
            written: 0,
            findings: None,
            more_kept: None,
            sections: None,
        }
    }

    /// Takes note that kinds cannot be told apart: only zero pages are left out.
    pub(super) fn keep_all(&mut self, reason: Reason) {
        let asked = self.options.level;
        if !asked.difference(Level::ZERO).is_empty() {
            self.more_kept = Some(reason);
        }
        self.level = self.left_out | asked.intersection(Level::ZERO);
    }

    /// Takes note of what the filter says about its work. If that cannot be true, answers so and counts from the start.
    pub(super) fn judge(&mut self, findings: Findings) -> bool {
        self.findings = Some(findings);
        self.more_kept = findings.reason();
        let doubted = findings.doubt().is_some();
        if doubted {
            self.keep_all(Reason::Doubt);
            (self.known, self.held, self.kept, self.zero) = (0, 0, 0, 0);
        }
        doubted
    }

    pub(super) fn add(&mut self, chunk: &Chunk, encoded: &Encoded) {
        for page in encoded.pages().take(chunk.len()) {
            let count = match page {
                EncodedPage::Lost => &mut self.lost,
                EncodedPage::Zero | EncodedPage::Data(_) => &mut self.saved,
            };
            *count = count.saturating_add(1);
            if page == EncodedPage::Zero {
                self.zero = self.zero.saturating_add(1);
            }
        }
        self.holes = self.holes.saturating_add(encoded.holes);
        self.poisoned = self.poisoned.saturating_add(encoded.poisoned);
        let free = self.faults.iter_mut().filter(|fault| fault.is_none());
        free.zip(encoded.faults()).for_each(|(slot, fault)| *slot = Some(fault));
    }

    /// Takes note of what was hidden in the pages of a chunk.
    pub(super) fn add_redacted(&mut self, chunk: &Chunk, encoded: &Encoded, params: &EncodeParams<'_>) {
        if params.redaction.is_none() {
            return;
        }
        let saved = chunk.pfns().zip(encoded.pages()).filter(|(_, page)| *page != EncodedPage::Lost);
        for addr in saved.filter_map(|(pfn, _)| params.page_size.start_of(pfn)) {
            let bytes = params.redaction.bytes_of_page(addr, params.page_size);
            self.redacted_bytes = self.redacted_bytes.saturating_add(bytes);
            self.redacted_pages = self.redacted_pages.saturating_add(bytes.min(1));
        }
    }

    /// How the dump ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.incomplete || self.lost > 0 {
            Outcome::Incomplete
        } else if self.more_kept.is_some() {
            Outcome::MoreKept
        } else {
            Outcome::Complete
        }
    }
}
