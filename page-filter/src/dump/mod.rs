//! The dump: pages told apart, packed and written, in the caller's memory and at the caller's pace.
//!
//! [`Dumper`] is the whole of it. It takes a [`Source`] (what the input says about the machine), a
//! [`Kernel`](crate::Kernel), [`Options`] and a workspace, reads a [`PhysMemory`](crate::PhysMemory) and writes to a
//! [`WriteAt`](vmcore_format::WriteAt). Nothing else is allocated, opened or kept.
//!
//! * Kdump-compressed: header version 6 in the layout of the dumped machine. Zero pages share one page of the file, and so do
//!   others that are the same if that is [asked for](Options::share_duplicates).
//! * ELF: each page is written once, from a page boundary of the file on, so that readers can map it. An excluded run shorter than
//!   [`EXCLUDED_RUN`] between two kept pages is written as zeros; a longer one ends the segment, whose tail it becomes
//!   (`p_filesz` < `p_memsz`). Where several `PT_LOAD`s of the input hold the same memory, so do the output's, over the
//!   same bytes of the file. Zero pages are excluded pages.
//! * A page that cannot be read is lost: its descriptor has no data (ELF: zeros), and the dump stays marked as incomplete.
//!
//! # A dump that is cut off
//!
//! Whatever ends a dump early, what is in the output can be read, and is not taken for the whole.
//!
//! * What a reader needs comes first: headers, notes, bitmaps or program headers. A kdump file then has zeros in the place of
//!   its descriptors, and a page whose descriptor is zero is lost. In a file, where there is not the memory for one bit for each
//!   page frame, the second bitmap comes with the pages; those that it does not reach yet look as if they had been left out.
//! * A descriptor is written after the data that it points at. The pages of an ELF core are written in the order of the file: those
//!   past its end are lost. (A block device has no such end: of an ELF core there only the mark tells.)
//! * A file is marked as incomplete from its first byte on. It is brought to stable storage ([`sync`]) once 128 MiB of pages are
//!   written (before the first page where old bytes would [show through](vmcore_format::WriteAt::starts_as_zeros): they may be
//!   another dump's), and again when all is written; only then the mark is cleared, and that is brought to storage as well. Where
//!   the power fails before the first time there may be no dump, or parts of it, marked. Between the two, storage may keep later
//!   writes and lose earlier ones: a page of such a file, which is marked, may then read as zeros or not decode.
//! * A stream gets each byte once; its mark comes last (`status`, `e_flags`), and a flattened stream without its end record is
//!   incomplete.
//!
//! [`sync`]: vmcore_format::WriteAt::sync

mod error;
mod options;
mod window;

mod buffer;
mod stable;
mod duplicates;
mod chunk;
mod encode;
mod extent;
mod source;

mod eraseinfo;
mod frames;
mod report;
mod span;
mod workspace;

mod kdump;

mod elf;

mod dumper;

use buffer::Buffer;
use frames::Frames;

use crate::Filter;

pub use chunk::{CHUNK_FRAMES, Chunk, EncodeParams, Encoded, NAMED_FAULTS};
pub use dumper::{Dumper, Next};
pub use encode::encode_chunk;
pub use error::Error;
pub use extent::EXCLUDED_RUN;
pub use options::{Format, Options, Split};
pub use report::{Outcome, Phase, Progress, Reason, Report};
pub use source::{NoteBytes, Source};
pub use span::{SPAN_FRAMES, SPAN_WORDS, Scanned, Scanner, Span};

#[cfg(test)]
mod tests;
