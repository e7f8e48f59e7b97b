//! The hostile corpus: each case ends as it must, with the field that is wrong or the pages that are right.

use std::collections::BTreeMap;

use crate::files::{Opened, Refused, with_opened};
use crate::kit::every;
use page_filter::dump::{Dumper, Error as DumpError, Format, Options, Phase};
use page_filter::{Fault, Level, PhysMemory};
use testkit::{
    Expect, HostileDump, Meet, Pages, hostile_elf_cores, hostile_kdump_files, hostile_machines,
    hostile_pages, hostile_sets, hostile_streams,
};
use vmcore_format::flattened::{Extent, Flattened, is_flattened};
use vmcore_format::kdump::{Compression, KdumpFile, Part};
use vmcore_format::{END_OF_FILE, Error, Field, Pfn, ReadAt, WriteAt};

/// A table of page frames has a few runs in every case, or is refused.
const MOST_RUNS: usize = 10_000;

/// A file in memory that keeps what is written, and nothing of the holes.
#[derive(Default)]
struct Sparse {
    blocks: BTreeMap<u64, Vec<u8>>,
    len: u64,
}

const BLOCK: u64 = 0x1000;
/// 128 MiB: both bitmaps of the terabyte that one case claims to have, and a lot of pages.
const MOST_BLOCKS: usize = 1 << 15;

impl WriteAt for Sparse {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let from = (at % BLOCK) as usize;
            let (now, later) = rest.split_at(rest.len().min(BLOCK as usize - from));
            let block = self.blocks.entry(at / BLOCK).or_insert_with(|| vec![0; BLOCK as usize]);
            block[from..from + now.len()].copy_from_slice(now);
            (at, rest) = (at + now.len() as u64, later);
        }
        self.len = self.len.max(offset + bytes.len() as u64);
        assert!(self.blocks.len() <= MOST_BLOCKS, "more is written than the input can mean");
        Ok(())
    }

    fn starts_as_zeros(&self) -> bool {
        true
    }
}

impl ReadAt for Sparse {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), i32> {
        offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len).ok_or(END_OF_FILE)?;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let from = (at % BLOCK) as usize;
            let len = rest.len().min(BLOCK as usize - from);
            let (now, later) = rest.split_at_mut(len);
            match self.blocks.get(&(at / BLOCK)) {
                Some(block) => now.copy_from_slice(&block[from..from + len]),
                None => now.fill(0),
            }
            (at, rest) = (at + len as u64, later);
        }
        Ok(())
    }

    fn size(&self) -> Option<u64> {
        Some(self.len)
    }

    fn next_data(&self, offset: u64) -> u64 {
        self.blocks.range(offset / BLOCK..).next().map_or(self.len, |(block, _)| block * BLOCK).max(offset)
    }
}

/// Opens the parts of a case as they are: out of a flattened stream, where they are one.
fn with_parts<R>(case: &HostileDump, work: impl FnOnce(&[&dyn ReadAt]) -> R) -> Result<R, Error> {
    let slices: Vec<&[u8]> = case.parts.iter().map(Vec::as_slice).collect();
    let mut table = Vec::new();
    if let [single] = slices.as_slice()
        && (is_flattened(single) || case.name.starts_with("stream"))
    {
        let needed = match Flattened::open(single, &mut table) {
            Err(Error::BufferTooSmall { needed }) => needed,
            Err(error) => return Err(error),
            Ok(_) => 0,
        };
        // As many records as 16 bytes each allow, and twice as many pieces of them.
        assert!(needed <= single.len() as u64 / 16 * 3, "{}: {needed}", case.name);
        table.resize(3 * needed as usize, Extent::EMPTY);
        return Flattened::open(single, &mut table).map(|flat| work(&[&flat]));
    }
    let parts: Vec<&dyn ReadAt> = slices.iter().map(|part| part as &dyn ReadAt).collect();
    Ok(work(&parts))
}

/// The pages that can be read.
fn readable(memory: &mut dyn PhysMemory) -> Result<Pages, Fault> {
    let page_size = memory.page_size();
    let (mut pages, mut from) = (Pages::new(), Pfn(0));
    let mut page = vec![0; page_size.len()];
    for _ in 0..MOST_RUNS {
        let Some(run) = memory.next_held(from)? else { return Ok(pages) };
        assert!(run.start >= from && run.start < run.end, "{run:?} from {from:?}");
        for pfn in run.start.0..run.end.0.min(run.start.0 + 1000) {
            let Some(addr) = page_size.start_of(Pfn(pfn)) else { break };
            if memory.read(addr, &mut page).is_ok() {
                pages.insert(pfn, page.clone());
            }
        }
        from = run.end;
    }
    unreachable!("the runs do not end")
}

/// Why the case is refused, or the pages it holds.
fn read(case: &HostileDump) -> Result<Pages, String> {
    let field = |error: Error| match error {
        Error::Corrupt { field, .. } | Error::Unsupported { field, .. } => field.name().to_owned(),
        other => other.to_string(),
    };
    let opened = with_parts(case, |parts| with_opened(parts, |Opened { memory, .. }| readable(memory)));
    match opened.map_err(field)? {
        Ok(Ok(pages)) => Ok(pages),
        // A bitmap that the file does not have.
        Ok(Err(_)) => Err("bitmap".to_owned()),
        Err(Refused::Format(error)) => Err(field(error)),
        Err(other) => Err(format!("{other:?}")),
    }
}

/// Reads and dumps the cases: as an ordinary test every third.
fn check(cases: impl FnOnce(Meet<'_>), least: usize) {
    let (mut count, mut failed) = (0_usize, Vec::new());
    let every = every(3);
    cases(&mut |case| {
        let (case, number) = (&case, count);
        count += 1;
        // The split sets are few.
        if least > 20 && !number.is_multiple_of(every) {
            return;
        }
        let found = read(case);
        match (&case.expect, &found) {
            (Expect::Refused(fields), Err(field))
                if fields.is_empty() || fields.contains(&field.as_str()) => {}
            (Expect::Pages(pages), Ok(found)) if pages == found => {}
            (Expect::Gaps(pages), Ok(found)) if pages == found && lacks_a_part(case) => {}
            (Expect::Ends, _) => {}
            (expect, found) => {
                failed.push(format!("{}: {} and not {}", case.name, told(found), meant(expect)))
            }
        }
        if let Err(error) = dump(case, number, found.ok()) {
            failed.push(format!("{}: dumped: {error}", case.name));
        }
    });
    assert!(count >= least, "{count}");
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
}

/// Whether the set is refused by who asks for all of it.
fn lacks_a_part(case: &HostileDump) -> bool {
    let slices: Vec<&[u8]> = case.parts.iter().map(Vec::as_slice).collect();
    let mut parts: Vec<Part<'_>> = slices.iter().map(|file| Part::new(file)).collect();
    matches!(KdumpFile::open(&mut parts, &mut []), Err(Error::Unsupported { field: Field::MissingPart, .. }))
}

fn told(found: &Result<Pages, String>) -> String {
    match found {
        Ok(pages) => format!("{} pages", pages.len()),
        Err(field) => format!("refused: {field}"),
    }
}

fn meant(expect: &Expect) -> String {
    match expect {
        Expect::Refused(fields) => format!("refused: {fields:?}"),
        Expect::Pages(pages) => format!("{} pages", pages.len()),
        Expect::Gaps(pages) => format!("{} pages of a set with gaps", pages.len()),
        Expect::Ends => "an end".to_owned(),
    }
}

/// Dumps a case whose pages are `pages`, in one format and codec or another: they come through as they are.
fn dump(case: &HostileDump, number: usize, pages: Option<Pages>) -> Result<(), String> {
    let codecs =
        [Compression::Raw, Compression::Zlib, Compression::Lzo, Compression::Snappy, Compression::Zstd];
    let format = if number.is_multiple_of(4) { Format::Elf } else { Format::Kdump };
    for level in [Level::empty(), Level::all()] {
        let options = Options { level, compression: codecs[number % 5], format, ..Options::default() };
        let mut out = Sparse::default();
        let result = with_parts(case, |parts| {
            with_opened(parts, |Opened { source, kernel, memory }| {
                let mut words = vec![0; 1 << 17];
                let mut dumper = Dumper::new(source, kernel, options, &mut words)?;
                for _ in 0..400_000 {
                    if dumper.step(memory, &mut out)?.phase == Phase::Finished {
                        return Ok(true);
                    }
                }
                Ok::<_, DumpError>(false)
            })
        });
        match result {
            Ok(Ok(Ok(true))) => {}
            Ok(Ok(Ok(false))) => return Err("it does not end".to_owned()),
            // More than any output can hold.
            Ok(Ok(Err(DumpError::Unsupported { field: Field::MaxMapnr, .. }))) => continue,
            Ok(Ok(Err(DumpError::Frames(_)))) if pages.is_none() => return Ok(()),
            Ok(Ok(Err(_))) if case.expect == Expect::Ends => return Ok(()),
            Ok(Ok(Err(error))) => return Err(format!("{error}")),
            // Refused, as when it was read.
            Ok(Err(_)) | Err(_) => return Ok(()),
        }
        if level != Level::empty() {
            continue;
        }
        let expected = pages.clone().unwrap_or_default();
        let saved = with_opened(&[&out], |Opened { memory, .. }| readable(memory));
        let Ok(Ok(saved)) = saved else { return Err(format!("the dump cannot be read: {saved:?}")) };
        let zero = |page: &Vec<u8>| page.iter().all(|byte| *byte == 0);
        let wrong = expected.iter().find(|(pfn, page)| saved.get(pfn) != Some(page));
        let extra = saved.iter().find(|(pfn, page)| !expected.contains_key(pfn) && !zero(page));
        if case.expect != Expect::Ends && (wrong.is_some() || extra.is_some()) {
            let pfn = |found: Option<(&u64, &Vec<u8>)>| found.map(|(pfn, _)| format!("{pfn:#x}"));
            return Err(format!(
                "level {level:?}, {format:?}: wrong {:?}, too many {:?}",
                pfn(wrong),
                pfn(extra)
            ));
        }
    }
    Ok(())
}

#[test]
fn elf_cores() {
    check(hostile_elf_cores, 300);
}

#[test]
fn kdump_files() {
    check(hostile_kdump_files, 300);
}

#[test]
fn packed_pages() {
    check(hostile_pages, 150);
}

#[test]
fn split_sets() {
    check(hostile_sets, 15);
}

#[test]
fn flattened_streams() {
    check(hostile_streams, 60);
}

#[test]
fn machines() {
    check(hostile_machines, 400);
}
