//! Whole dumps, from file to file.

use std::collections::BTreeMap;

use page_filter::codec::DecodeScratch;
use page_filter::dump::{Dumper, Error, Options, Phase, Report, Source};
use page_filter::{ElfMemory, Fault, KdumpMemory, Kernel, LoadSlot, Machine, PhysMemory};
use vmcore_format::elf::{ElfCore, ProgramHeader};
use vmcore_format::kdump::{KdumpFile, Part, is_kdump};
use vmcore_format::{PageSize, Pfn, ReadAt, WriteAt};

/// A mebibyte, in words.
pub(crate) const MIB: usize = 1 << 17;

#[derive(Debug, Default)]
pub(crate) struct Out(pub(crate) Vec<u8>);

impl WriteAt for Out {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        // A hostile input must not make the test's own memory the limit.
        let offset = usize::try_from(offset).ok().filter(|at| *at < 1 << 28).ok_or(28)?;
        let end = offset + bytes.len();
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        self.0[offset..end].copy_from_slice(bytes);
        Ok(())
    }

    fn starts_as_zeros(&self) -> bool {
        true
    }
}

/// What stops a dump before its first step.
#[derive(Debug)]
#[expect(dead_code, reason = "for messages of failed tests")]
pub(crate) enum Refused {
    Format(vmcore_format::Error),
    Dump(Error),
    TooManySteps,
}

impl From<vmcore_format::Error> for Refused {
    fn from(error: vmcore_format::Error) -> Self {
        Self::Format(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Dump(error)
    }
}

/// Dumps the machine in `files` (an ELF core, or the parts of a kdump set) with `words` words of memory.
pub(crate) fn dump(
    files: &[&dyn ReadAt],
    options: Options,
    words: usize,
) -> Result<(Vec<u8>, Report), Refused> {
    dump_steps(files, options, words, 100_000)
}

/// As [`dump`], given up after so many steps: a damaged header may ask for terabytes.
pub(crate) fn dump_steps(
    files: &[&dyn ReadAt],
    options: Options,
    words: usize,
    steps: u32,
) -> Result<(Vec<u8>, Report), Refused> {
    with_opened(files, |Opened { source, kernel, memory }| {
        let mut workspace = vec![0; words];
        let mut dumper = Dumper::new(source, kernel, options, &mut workspace)?;
        let mut out = Out::default();
        for _ in 0..steps {
            if dumper.step(memory, &mut out)?.phase == Phase::Finished {
                let report = *dumper.report();
                return Ok((out.0, report));
            }
        }
        Err(Refused::TooManySteps)
    })?
}

/// A dump to be read, open.
pub(crate) struct Opened<'o, 'a> {
    pub(crate) source: Source<'a>,
    pub(crate) kernel: Option<&'o mut Kernel>,
    pub(crate) memory: &'o mut dyn PhysMemory,
}

/// Opens `files` (an ELF core, or the parts of a kdump set, some of which may be missing) for `work`.
pub(crate) fn with_opened<R>(
    files: &[&dyn ReadAt],
    work: impl FnOnce(Opened<'_, '_>) -> R,
) -> Result<R, Refused> {
    let mut text = vec![0; 0x1_0000];
    if is_kdump(files[0]) {
        let mut index = [0; 64];
        let mut parts: Vec<Part<'_>> = files.iter().map(|file| Part::new(*file)).collect();
        let file = KdumpFile::open_with_gaps(&mut parts, &mut index)?;
        let source = Source::of_kdump(&file, &mut text)?;
        let mut scratch = DecodeScratch::new();
        let mut buffer = vec![0; 17 * file.page_size().len()];
        let mut memory = KdumpMemory::new(file, &mut scratch, &mut buffer)?;
        return Ok(with_kernel(source, &mut memory, work));
    }
    let needed = match ElfCore::open(files[0], &mut []) {
        Err(vmcore_format::Error::BufferTooSmall { needed }) => needed,
        other => other.map(|_| 0)?,
    };
    assert!(needed <= files[0].size().unwrap_or(u64::MAX) / 32, "{needed} PT_LOADs");
    let mut table = vec![ProgramHeader::default(); needed as usize];
    let core = ElfCore::open(files[0], &mut table)?;
    let source = Source::of_elf(&core, &mut text)?;
    let mut index = vec![LoadSlot::default(); core.loads().len()];
    let mut memory = ElfMemory::new(files[0], core.loads(), &mut index, source.page_size)?;
    Ok(with_kernel(source, &mut memory, work))
}

fn with_kernel<R>(
    source: Source<'_>,
    memory: &mut dyn PhysMemory,
    work: impl FnOnce(Opened<'_, '_>) -> R,
) -> R {
    let machine = Machine { e_machine: source.e_machine, layout: source.layout };
    let mut kernel =
        source.vmcoreinfo.and_then(|info| Kernel::open(&info, machine, source.loads, memory).ok());
    work(Opened { source, kernel: kernel.as_mut(), memory })
}

/// The pages that the files hold; those that are there and cannot be read are empty.
pub(crate) fn pages(files: &[&dyn ReadAt], page_size: u64) -> BTreeMap<u64, Vec<u8>> {
    if is_kdump(files[0]) {
        let mut index = [0; 256];
        let mut parts: Vec<Part<'_>> = files.iter().map(|file| Part::new(*file)).collect();
        let file = KdumpFile::open(&mut parts, &mut index).unwrap();
        let mut scratch = DecodeScratch::new();
        let mut buffer = vec![0; 17 * file.page_size().len()];
        return held(&mut KdumpMemory::new(file, &mut scratch, &mut buffer).unwrap());
    }
    let mut table = vec![ProgramHeader::default(); 4096];
    let core = ElfCore::open(files[0], &mut table).unwrap();
    let mut index = vec![LoadSlot::default(); core.loads().len()];
    let page_size = PageSize::new(page_size).unwrap();
    held(&mut ElfMemory::new(files[0], core.loads(), &mut index, page_size).unwrap())
}

fn held(memory: &mut dyn PhysMemory) -> BTreeMap<u64, Vec<u8>> {
    let page_size = memory.page_size();
    let mut pages = BTreeMap::new();
    let mut from = Pfn(0);
    while let Some(run) = memory.next_held(from).unwrap() {
        for pfn in run.start.0..run.end.0 {
            let mut page = vec![0; page_size.len()];
            match memory.read(page_size.start_of(Pfn(pfn)).unwrap(), &mut page) {
                Ok(()) => assert!(pages.insert(pfn, page).is_none(), "{pfn:#x} comes twice"),
                Err(Fault::Lost) => assert!(pages.insert(pfn, Vec::new()).is_none(), "{pfn:#x} comes twice"),
                Err(fault) => unreachable!("{pfn:#x}: {fault:?}"),
            }
        }
        from = run.end;
    }
    pages
}
