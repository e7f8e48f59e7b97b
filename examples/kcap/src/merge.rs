//! `kcap merge`: a split set, or a flattened stream, as one plain file.

use std::path::{Path, PathBuf};

use host::{IfExists, Input, Output};
use vmcore_format::elf::{ElfCore, Header, INCOMPLETE};
use vmcore_format::flattened::{Flattened, Rearrange};
use vmcore_format::kdump::{DiskDumpHeader, Join, KdumpFile, Part, Status, is_kdump};
use vmcore_format::{Error, Pfn, ReadAt, WriteAt};

use crate::args::MergeArgs;
use crate::exit::{Exit, Failure};
use crate::input::{
    RANK_INDEX_LEN, View, extent_tables, is_elf, load_table, missing_part, open_files, views,
};
use crate::messages::Messages;
use crate::progress::Progress;

/// Bytes copied in one go.
const COPY_LEN: usize = 1 << 20;

/// Runs the command.
pub(crate) fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let messages = Messages::new(args.message_level, false);
    let inputs = open_files(&args.inputs)?;
    let mut tables = extent_tables(&args.inputs, &inputs)?;
    let views = views(&args.inputs, &inputs, &mut tables)?;
    match views.as_slice() {
        [view @ View::Flattened(stream)] => {
            if !is_kdump(view) && !is_elf(view) {
                let cut = if stream.complete() { "" } else { ", or it was cut off before its headers" };
                return Err(Failure::new(format!("the stream holds no dump{cut}")));
            }
            let output = create(args, &inputs)?;
            let whole = stream.complete();
            finish(output, |output| {
                let mut output = Unsigned { output, start: [0; SIGNATURE_LEN] };
                unflatten(stream, &mut output, &args.output, messages)?;
                let marked = if whole { Ok(()) } else { mark_incomplete(view, &mut output) };
                marked.and_then(|()| output.sign()).map_err(|error| Failure::in_file(&args.output, error))
            })?;
            let marked = whole && is_marked(view);
            let outcome = if whole && !marked { Exit::Done } else { Exit::Incomplete };
            if marked {
                messages.error("the dump in the stream was broken off: it is marked as incomplete");
            }
            if !whole {
                let recovered = recovered(args, view);
                messages.error(format_args!(
                    "the flattened stream was cut off: {recovered} recovered, and the dump marked as incomplete"
                ));
            }
            messages.common(format_args!("The dumpfile is saved to {}.", args.output.display()));
            Ok(outcome)
        }
        [single] => Err(Failure::new(if is_kdump(single) {
            "one file that is not flattened needs no merging"
        } else {
            "neither the parts of a kdump-compressed set nor a flattened stream"
        })),
        _ => join(args, &inputs, &views, messages),
    }
}

fn create(args: &MergeArgs, inputs: &[Input]) -> Result<Output, Failure> {
    let if_exists = if args.force { IfExists::Overwrite } else { IfExists::Refuse };
    let identities: Vec<_> = inputs.iter().map(Input::identity).collect();
    Output::create(&args.output, if_exists, &identities)
        .map_err(|error| Failure::with_path(&args.output, &error))
}

/// Runs `work` on `output`; what it left behind when it failed is removed.
fn finish(mut output: Output, work: impl FnOnce(&mut Output) -> Result<(), Failure>) -> Result<(), Failure> {
    let path = output.path().to_owned();
    let result = work(&mut output).and_then(|()| output.sync().map_err(|code| write_failure(&path, code)));
    if result.is_err() {
        // The first failure is the one to tell of.
        let _ = output.discard();
    }
    result
}

fn write_failure(path: &Path, code: i32) -> Failure {
    Failure::in_file(path, Error::Io { code })
}

/// The bytes at the start of a file that say what it is.
const SIGNATURE_LEN: usize = 8;

/// A file that says what it is when all else is there: one that is left half-written is no dump.
struct Unsigned<'o> {
    output: &'o mut Output,
    start: [u8; SIGNATURE_LEN],
}

impl WriteAt for Unsigned<'_> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        let held = usize::try_from(offset).ok().and_then(|offset| self.start.get_mut(offset..));
        let len = held.as_ref().map_or(0, |held| held.len()).min(bytes.len());
        let (now, later) = bytes.split_at(len);
        if let Some(place) = held.and_then(|held| held.get_mut(..len)) {
            place.copy_from_slice(now);
        }
        let at = offset.saturating_add(u64::try_from(len).unwrap_or(0));
        if later.is_empty() { Ok(()) } else { self.output.write_at(at, later) }
    }
}

impl Unsigned<'_> {
    fn sign(self) -> Result<(), Error> {
        let signed = self.output.sync().and_then(|()| self.output.write_at(0, &self.start));
        signed.map_err(|code| Error::Io { code })
    }
}

/// How much of a stream that was cut off is there, in words.
fn recovered(args: &MergeArgs, view: &View<'_>) -> String {
    let (found, unit) = if is_kdump(view) {
        (kdump_pages(view), "pages")
    } else {
        (elf_bytes(args, view), "bytes of segments")
    };
    found.map_or_else(|| "no page".into(), |(there, all)| format!("{there} of {all} {unit}"))
}

/// The pages that are there, and those that there were to be.
fn kdump_pages(view: &View<'_>) -> Option<(u64, u64)> {
    let mut parts = [Part::new(view)];
    let mut index = vec![0; RANK_INDEX_LEN];
    let mut kdump = KdumpFile::open(&mut parts, &mut index).ok()?;
    let (mut there, mut all) = (0_u64, 0_u64);
    let mut from = Pfn(0);
    while let Some(run) = kdump.next_held(from).ok()? {
        for pfn in run.start.0..run.end.0 {
            there = there.saturating_add(u64::from(matches!(kdump.page_desc(Pfn(pfn)), Ok(Some(_)))));
            all = all.saturating_add(1);
        }
        from = run.end;
    }
    Some((there, all))
}

/// The bytes of segments that are there, and those that there were to be.
fn elf_bytes(args: &MergeArgs, view: &View<'_>) -> Option<(u64, u64)> {
    let path = args.inputs.first()?;
    let mut loads = load_table(path, view).ok()?;
    let elf = ElfCore::open(view, &mut loads).ok()?;
    let all = elf.loads().iter().fold(0_u64, |sum, load| sum.saturating_add(load.p_filesz));
    Some((all.saturating_sub(elf.missing_bytes()), all))
}

fn unflatten(
    stream: &Flattened<'_, Input>,
    output: &mut dyn WriteAt,
    path: &Path,
    messages: Messages,
) -> Result<(), Failure> {
    let mut progress = Progress::start("Copying data", messages);
    let total = stream.size().unwrap_or(0);
    let mut rearrange = Rearrange::new(stream);
    let mut buf = vec![0; COPY_LEN];
    loop {
        let done = rearrange.step(output, &mut buf).map_err(|error| Failure::in_file(path, error))?;
        progress.update(rearrange.done(), total);
        if done {
            progress.finish();
            return Ok(());
        }
    }
}

/// Whether the writer of a dump marked it as incomplete.
fn is_marked(view: &View<'_>) -> bool {
    if is_kdump(view) {
        let mut parts = [Part::new(view)];
        let mut index = [0; 1];
        KdumpFile::open(&mut parts, &mut index)
            .is_ok_and(|kdump| kdump.header().status.0 & Status::INCOMPLETE != 0)
    } else {
        Header::read(view).is_ok_and(|header| header.has_incomplete_flag() && header.is_incomplete())
    }
}

/// Sets the mark of an incomplete dump in the header of what a cut-off stream gave: the writer could not.
fn mark_incomplete(view: &View<'_>, output: &mut dyn WriteAt) -> Result<(), Error> {
    let mut block = vec![0; DiskDumpHeader::MAX_LEN];
    let (offset, len) = if is_kdump(view) {
        let mut parts = [Part::new(view)];
        let mut index = [0; 1];
        let kdump = KdumpFile::open(&mut parts, &mut index)?;
        let mut header = *kdump.header();
        header.status.0 |= Status::INCOMPLETE;
        (0, header.encode(kdump.abi(), &mut block)?)
    } else {
        let header = Header::read(view)?;
        if !header.has_incomplete_flag() {
            // A file shorter than its segments says as much.
            return Ok(());
        }
        let flags = header.layout.endian.u32_bytes(header.e_flags | INCOMPLETE);
        block.splice(..flags.len(), flags);
        (header.e_flags_offset(), flags.len())
    };
    output.write_at(offset, block.get(..len).unwrap_or_default()).map_err(|code| Error::Io { code })
}

fn join(args: &MergeArgs, inputs: &[Input], views: &[View<'_>], messages: Messages) -> Result<Exit, Failure> {
    if let Some((path, _)) = args.inputs.iter().zip(views).find(|(_, view)| !is_kdump(view)) {
        return Err(Failure::new(format!("{}: not a part of a kdump-compressed set", path.display())));
    }
    let mut parts: Vec<Part<'_>> = views.iter().map(|view| Part::new(view)).collect();
    let mut index = vec![0; RANK_INDEX_LEN];
    let first = args.inputs.first().map_or(Path::new(""), PathBuf::as_path);
    let set =
        KdumpFile::open_with_gaps(&mut parts, &mut index).map_err(|error| Failure::in_file(first, error))?;
    for gap in set.gaps() {
        messages.error(missing_part(&gap));
    }
    let output = create(args, inputs)?;
    let mut join = Join::new(set);
    let mut progress = Progress::start("Copying data", messages);
    let mut buf = vec![0; COPY_LEN];
    finish(output, |output| {
        while !join.step(output, &mut buf).map_err(|error| Failure::in_file(output.path(), error))? {
            let (done, total) = join.progress();
            progress.update(done, total.max(1));
        }
        progress.finish();
        Ok(())
    })?;
    let exit = if join.incomplete() { Exit::Incomplete } else { Exit::Done };
    if exit == Exit::Incomplete {
        messages.error("pages are lost in the parts and stay lost: the dump is marked as incomplete");
    }
    messages.common(format_args!("The dumpfile is saved to {}.", args.output.display()));
    Ok(exit)
}
