//! The dump that is read: recognised by its content, whatever its name.

use core::ops::Range;
use std::path::{Path, PathBuf};

use host::{Input, LendMemory};
use page_filter::codec::DecodeScratch;
use page_filter::dump::Source;
use page_filter::{ElfMemory, KdumpMemory, Kernel, KernelError, LoadSlot, Machine, PhysMemory};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::flattened::{Extent, Flattened, is_flattened};
use vmcore_format::kdump::{Compression, KdumpFile, Part, is_kdump};
use vmcore_format::{Error, Pfn, ReadAt};

use crate::exit::Failure;
use crate::messages::{self, Messages};

/// Entries of the index into a kdump file's bitmap: half a mebibyte, a look-up back costs a few KiB of reading for
/// each tebibyte of memory.
pub(crate) const RANK_INDEX_LEN: usize = 0x1_0000;

/// As [`RANK_INDEX_LEN`], for a thread that reads pages in ascending order and rarely looks back.
const THREAD_INDEX_LEN: usize = 0x1000;

/// Room for VMCOREINFO, in bytes; kernels leave at most a few KiB.
const VMCOREINFO_LEN: usize = 1 << 20;

/// Room for one page as it stands in the file and sixteen decoded ones, of the largest page size.
const DECODED_LEN: usize = 17 << 16;

/// The bytes of a file's dump: as they stand, or out of a flattened stream.
pub(crate) enum View<'a> {
    Plain(&'a Input),
    Flattened(Flattened<'a, Input>),
}

impl ReadAt for View<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        match self {
            Self::Plain(input) => input.read_at(offset, buf),
            Self::Flattened(stream) => stream.read_at(offset, buf),
        }
    }

    fn size(&self) -> Option<u64> {
        match self {
            Self::Plain(input) => input.size(),
            Self::Flattened(stream) => stream.size(),
        }
    }

    fn next_data(&self, offset: u64) -> u64 {
        match self {
            Self::Plain(input) => input.next_data(offset),
            Self::Flattened(stream) => stream.next_data(offset),
        }
    }
}

/// A dump, open.
pub(crate) struct Opened<'a> {
    /// The file, or the parts of the set as they were given.
    pub(crate) paths: &'a [PathBuf],
    /// The files' identities, which no output may have.
    pub(crate) identities: Vec<(u64, u64)>,
    pub(crate) format: Format,
    /// Whether any file is a flattened stream.
    pub(crate) flattened: bool,
    /// What the dump says about its machine.
    pub(crate) machine: Source<'a>,
    /// The digest of the memory that the program headers name; `None` where there are none.
    pub(crate) header_sha256: Option<[u8; 32]>,
    /// The machine's memory.
    pub(crate) memory: Box<dyn PhysMemory + 'a>,
    /// Readers of the same memory for other threads.
    pub(crate) lend_memory: Box<LendMemory<'a>>,
}

/// What the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Elf,
    Kdump {
        /// How pages were to be packed; single ones may not be. `None` where the header contradicts itself.
        compression: Option<Compression>,
        header_version: u32,
    },
}

impl Opened<'_> {
    /// The first file's name.
    pub(crate) fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// The crashed kernel, if its page tables can be read.
    pub(crate) fn kernel(&mut self) -> Option<Result<Kernel, KernelError>> {
        let info = self.machine.vmcoreinfo?;
        let machine = Machine { e_machine: self.machine.e_machine, layout: self.machine.machine_layout() };
        Some(Kernel::open(&info, machine, self.machine.loads, &mut *self.memory))
    }
}

/// Opens the dump in `paths` (several: the parts of a split set) and hands it to `work`.
pub(crate) fn with_opened<R>(
    paths: &[PathBuf],
    work: impl FnOnce(Opened<'_>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let inputs = open_files(paths)?;
    let mut tables = extent_tables(paths, &inputs)?;
    let views = views(paths, &inputs, &mut tables)?;
    let flattened = views.iter().any(|view| matches!(view, View::Flattened(_)));
    let cut_off = views.iter().any(|view| matches!(view, View::Flattened(stream) if !stream.complete()));
    let identities = inputs.iter().map(Input::identity).collect();
    let (Some(first), Some(path)) = (views.first(), paths.first()) else {
        return Err(Failure::new("no input"));
    };
    let failure = |error| Failure::in_file(path, error);
    let mut text = vec![0; VMCOREINFO_LEN];
    let mut decode = Box::new(DecodeScratch::default());
    let mut pages = vec![0; DECODED_LEN];
    if is_kdump(first) {
        let mut parts: Vec<Part<'_>> = views.iter().map(|view| Part::new(view)).collect();
        let mut index = vec![0; RANK_INDEX_LEN];
        let kdump = KdumpFile::open_with_gaps(&mut parts, &mut index).map_err(failure)?;
        let mut machine = Source::of_kdump(&kdump, &mut text).map_err(failure)?;
        machine.incomplete |= cut_off;
        for gap in kdump.gaps() {
            machine.incomplete = true;
            Messages::new(messages::ERROR, true).error(missing_part(&gap));
        }
        let header = kdump.header();
        let (compression, header_version) = (header.status.compression(), header.header_version);
        let memory = Box::new(KdumpMemory::new(kdump, &mut decode, &mut pages).map_err(failure)?);
        let format = Format::Kdump { compression, header_version };
        let lend_memory = Box::new(|work: &mut dyn FnMut(&mut dyn PhysMemory)| lend_kdump(&views, work));
        return work(Opened {
            paths,
            identities,
            format,
            flattened,
            machine,
            header_sha256: None,
            memory,
            lend_memory,
        });
    }
    if !is_elf(first) {
        return Err(not_a_dump(path, first));
    }
    if let Some(further) = paths.get(1) {
        return Err(Failure::new(format!(
            "{}: only kdump-compressed files come in parts, and {} is an ELF core",
            further.display(),
            path.display()
        )));
    }
    let mut loads = load_table(path, first)?;
    let elf = ElfCore::open(first, &mut loads).map_err(failure)?;
    let entries = u64::try_from(elf.loads().len()).unwrap_or(u64::MAX);
    let mut slots = table(entries, None, path, LoadSlot::default())?;
    let mut machine = Source::of_elf(&elf, &mut text).map_err(failure)?;
    machine.incomplete |= cut_off;
    let memory = ElfMemory::new(first, elf.loads(), &mut slots, machine.page_size).map_err(failure)?;
    let index = memory.index();
    let lend_memory = Box::new(move |work: &mut dyn FnMut(&mut dyn PhysMemory)| {
        work(&mut ElfMemory::with_index(first, index));
    });
    let memory = Box::new(memory);
    let (format, header_sha256) = (Format::Elf, Some(index.memory_sha256()));
    work(Opened { paths, identities, format, flattened, machine, header_sha256, memory, lend_memory })
}

/// A reader of its own of a kdump-compressed file, for the thread that `work` is to run on. What opened once opens again.
fn lend_kdump(views: &[View<'_>], work: &mut dyn FnMut(&mut dyn PhysMemory)) {
    let mut parts: Vec<Part<'_>> = views.iter().map(|view| Part::new(view)).collect();
    let mut index = vec![0; THREAD_INDEX_LEN];
    let Ok(kdump) = KdumpFile::open_with_gaps(&mut parts, &mut index) else { return };
    let mut decode = Box::new(DecodeScratch::default());
    let mut pages = vec![0; kdump.page_size().len().saturating_mul(2)];
    if let Ok(mut memory) = KdumpMemory::new(kdump, &mut decode, &mut pages) {
        work(&mut memory);
    }
}

pub(crate) fn load_table(path: &Path, input: &View<'_>) -> Result<Vec<ProgramHeader>, Failure> {
    let needed = match ElfCore::open(input, &mut []) {
        Err(Error::BufferTooSmall { needed }) => needed,
        Err(error) => return Err(Failure::in_file(path, error)),
        Ok(_) => 0,
    };
    table(needed, input.size(), path, ProgramHeader::default())
}

/// Opens each file.
pub(crate) fn open_files(paths: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    paths.iter().map(|path| Input::open(path).map_err(|error| Failure::with_path(path, &error))).collect()
}

/// A table of extents for each file, of the size that a flattened one needs.
pub(crate) fn extent_tables(paths: &[PathBuf], inputs: &[Input]) -> Result<Vec<Vec<Extent>>, Failure> {
    paths.iter().zip(inputs).map(|(path, input)| extent_table(path, input)).collect()
}

/// The bytes of each file's dump.
pub(crate) fn views<'a>(
    paths: &[PathBuf],
    inputs: &'a [Input],
    tables: &'a mut [Vec<Extent>],
) -> Result<Vec<View<'a>>, Failure> {
    let each = paths.iter().zip(inputs).zip(tables);
    each.map(|((path, input), table)| {
        if !is_flattened(input) {
            return Ok(View::Plain(input));
        }
        Flattened::open(input, table).map(View::Flattened).map_err(|error| Failure::in_file(path, error))
    })
    .collect()
}

fn extent_table(path: &Path, input: &Input) -> Result<Vec<Extent>, Failure> {
    if !is_flattened(input) {
        return Ok(Vec::new());
    }
    let mut extents = Vec::new();
    // The first answer may leave out the room for records that overlap; the second does not.
    for _ in 0..3 {
        match Flattened::open(input, &mut extents) {
            Err(Error::BufferTooSmall { needed }) => {
                extents = table(needed, input.size(), path, Extent::EMPTY)?;
            }
            _ => break,
        }
    }
    Ok(extents)
}

/// A table of `needed` entries: no more than a file of `size` bytes can have, and than there is memory for.
fn table<T: Clone>(needed: u64, size: Option<u64>, path: &Path, empty: T) -> Result<Vec<T>, Failure> {
    // An entry stands for at least 16 bytes of the file, overlapping ones for a third of that.
    let most = size.unwrap_or(u64::MAX) / 5;
    let len = usize::try_from(needed).ok().filter(|_| needed <= most);
    let len = len.ok_or_else(|| {
        Failure::new(format!("{}: {needed} entries cannot be in this file", path.display()))
    })?;
    let mut table = Vec::new();
    table.try_reserve_exact(len).map_err(|_| {
        Failure::new(format!("{}: no memory for a table of {needed} entries", path.display()))
    })?;
    table.resize(len, empty);
    Ok(table)
}

/// What is said of page frames that no part of a set has.
pub(crate) fn missing_part(gap: &Range<Pfn>) -> String {
    let (start, end) = (gap.start.0, gap.end.0);
    format!(
        "page frames {start:#x} to {end:#x} are in a missing part, and lost; --input FILE names further parts"
    )
}

/// Whether the content starts as an ELF file does.
pub(crate) fn is_elf(input: &dyn ReadAt) -> bool {
    let mut magic = [0; 4];
    input.read_at(0, &mut magic).is_ok() && magic == *b"\x7fELF"
}

pub(crate) fn not_a_dump(path: &Path, input: &dyn ReadAt) -> Failure {
    let mut first = [0; 1];
    match input.read_at(0, &mut first) {
        Err(code) if code != vmcore_format::END_OF_FILE => Failure::in_file(path, Error::Io { code }),
        _ => Failure::new(format!(
            "{}: not a dump: neither an ELF core, nor kdump-compressed, nor a flattened stream of either",
            path.display()
        )),
    }
}
