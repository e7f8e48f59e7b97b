//! `kcap merge`: a split set, or a flattened stream, as one plain file.

use std::path::{Path, PathBuf};

use host::{IfExists, Input, Output};
use vmcore_format::elf::{EM_MIPS, EM_RISCV, Header, INCOMPLETE};
use vmcore_format::flattened::{Flattened, Rearrange};
use vmcore_format::kdump::{DiskDumpHeader, Join, KdumpFile, Part, Status, is_kdump};
use vmcore_format::{Class, Endian, Error, ReadAt, WriteAt};

use crate::args::MergeArgs;
use crate::exit::{Exit, Failure};
use crate::input::{RANK_INDEX_LEN, View, extent_tables, is_elf, open_files, views};
use crate::messages::Messages;
use crate::progress::Progress;

/// Where `e_flags` stands in a header of class 32 and 64, in bytes.
const E_FLAGS_32: u64 = 36;
const E_FLAGS_64: u64 = 48;

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
                unflatten(stream, output, messages)?;
                let marked = if whole { Ok(()) } else { mark_incomplete(view, output) };
                marked.map_err(|error| Failure::in_file(&args.output, error))
            })?;
            let outcome = if whole { Exit::Done } else { Exit::Incomplete };
            if !whole {
                messages
                    .error("the flattened stream was cut off: what it held was saved, marked as incomplete");
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

fn unflatten(stream: &Flattened<'_, Input>, output: &mut Output, messages: Messages) -> Result<(), Failure> {
    let mut progress = Progress::start("Copying data", messages);
    let total = stream.size().unwrap_or(0);
    let mut rearrange = Rearrange::new(stream);
    let mut buf = vec![0; COPY_LEN];
    loop {
        let done =
            rearrange.step(output, &mut buf).map_err(|error| Failure::in_file(output.path(), error))?;
        progress.update(rearrange.done(), total);
        if done {
            progress.finish();
            return Ok(());
        }
    }
}

/// Sets the mark of an incomplete dump in the header of what a cut-off stream gave: the writer could not.
fn mark_incomplete(view: &View<'_>, output: &mut Output) -> Result<(), Error> {
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
        if matches!(header.e_machine, EM_RISCV | EM_MIPS) {
            // The processor has its own use for the bit; a file shorter than its segments says as much.
            return Ok(());
        }
        let flags = header.e_flags | INCOMPLETE;
        let bytes = match header.layout.endian {
            Endian::Little => flags.to_le_bytes(),
            Endian::Big => flags.to_be_bytes(),
        };
        block.splice(..bytes.len(), bytes);
        (if header.layout.class == Class::Bits32 { E_FLAGS_32 } else { E_FLAGS_64 }, bytes.len())
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
    let set = KdumpFile::open(&mut parts, &mut index).map_err(|error| Failure::in_file(first, error))?;
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
