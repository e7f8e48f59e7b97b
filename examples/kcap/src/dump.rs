//! `kcap dump`: the memory of a crashed machine, without the pages that a level leaves out.

use std::path::PathBuf;
use std::time::Instant;

use host::{IfExists, Output};
use page_filter::dump::{self, Format, Outcome, Split};
use page_filter::redact::Redaction;
use page_filter::{Kernel, Level, Sections};
use vmcore_format::WriteAt;
use vmcore_format::kdump::Compression;

use crate::args::DumpArgs;
use crate::count::Extent;
use crate::exit::{Exit, Failure, in_words};
use crate::facts::{Facts, input_json, map_version_words};
use crate::input::{Opened, with_opened};
use crate::messages::Messages;
use crate::ranges::Ranges;
use crate::redact::Secrecy;
use crate::report::{self, Context, dump_error};
use crate::save::{Readers, Saved, memory_size, save};
use crate::sink::Sink;
use crate::words;

impl DumpArgs {
    /// The options as the library takes them; `split` is this output's part.
    pub(crate) fn options(&self, split: Option<Split>) -> dump::Options {
        let compression = match (self.zlib, self.lzo, self.snappy, self.zstd) {
            (true, ..) => Compression::Zlib,
            (_, true, ..) => Compression::Lzo,
            (_, _, true, _) => Compression::Snappy,
            (.., true) => Compression::Zstd,
            _ => Compression::Raw,
        };
        let format = if self.elf { Format::Elf } else { Format::Kdump };
        dump::Options {
            level: Level::from_bits_truncate(self.level),
            compression,
            fast: self.fast,
            format,
            share_duplicates: self.dedup,
            split,
            limit: self.limit,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &DumpArgs) -> Result<Exit, Failure> {
    let started = Instant::now();
    host::watch_interrupts();
    let messages = Messages::new(args.message_level, args.flattened);
    let Some((inputs, outputs)) = args.paths() else {
        return Err(Failure::new("the number of files does not fit"));
    };
    with_opened(&inputs, |mut opened| {
        let sinks = open_sinks(args, outputs, &opened)?;
        match open_report(args, &sinks, &opened) {
            Ok(report) => run_opened(args, outputs, sinks, report, &mut opened, started, messages),
            Err(failure) => {
                sinks.into_iter().for_each(Sink::discard);
                Err(failure)
            }
        }
    })
}

/// Opens every output, so that one that exists is found before any work is done.
fn open_sinks(args: &DumpArgs, outputs: &[PathBuf], opened: &Opened<'_>) -> Result<Vec<Sink>, Failure> {
    if args.flattened {
        return Ok(vec![Sink::stream()?]);
    }
    let if_exists = if args.force { IfExists::Overwrite } else { IfExists::Refuse };
    let mut in_use = opened.identities.clone();
    let mut sinks: Vec<Sink> = Vec::new();
    for path in outputs {
        match Sink::file(path, if_exists, &in_use, args.no_sync) {
            Ok(sink) => {
                in_use.extend(sink.identity());
                sinks.push(sink);
            }
            Err(failure) => {
                sinks.into_iter().for_each(Sink::discard);
                return Err(failure);
            }
        }
    }
    Ok(sinks)
}

/// Opens the report's file, if there is to be one.
fn open_report(args: &DumpArgs, sinks: &[Sink], opened: &Opened<'_>) -> Result<Option<Output>, Failure> {
    let Some(path) = &args.report else { return Ok(None) };
    let in_use: Vec<_> =
        opened.identities.iter().copied().chain(sinks.iter().filter_map(Sink::identity)).collect();
    let report = Output::create(path, IfExists::Overwrite, &in_use);
    report.map(Some).map_err(|error| Failure::with_path(path, &error))
}

fn run_opened(
    args: &DumpArgs,
    outputs: &[PathBuf],
    sinks: Vec<Sink>,
    report: Option<Output>,
    opened: &mut Opened<'_>,
    started: Instant,
    messages: Messages,
) -> Result<Exit, Failure> {
    let mut kernel = opened.kernel();
    let facts = Facts::collect(&opened.machine, &mut kernel, &mut *opened.memory);
    let known = match Extent::collect(Ranges::known(), &mut *opened.memory) {
        Ok(known) => known,
        Err(fault) => {
            sinks.into_iter().for_each(Sink::discard);
            return Err(Failure::of_table(opened.path(), fault));
        }
    };
    if let Some(Err(error)) = &kernel {
        messages.debug(error);
    }
    let mut kernel = kernel.and_then(Result::ok);
    let secrecy = match Secrecy::find(&args.redact, opened, kernel.as_mut(), messages) {
        Ok(secrecy) => secrecy,
        Err(failure) => {
            sinks.into_iter().for_each(Sink::discard);
            return Err(failure);
        }
    };
    let mut slots = Vec::new();
    let redaction = match secrecy.redaction(&mut slots) {
        Ok(redaction) => redaction,
        Err(failure) => {
            sinks.into_iter().for_each(Sink::discard);
            return Err(failure);
        }
    };
    let context = Context {
        args,
        outputs,
        input: input_json(opened),
        kernel: facts.json(),
        page_size: opened.machine.page_size.bytes(),
        redaction,
        known: &known,
        opening: started.elapsed(),
    };
    let (saved, result) = save_all(args, sinks, opened, kernel.as_mut(), redaction, messages);
    let exit = *result.as_ref().unwrap_or(&Exit::Failed);
    if let Some(last) = saved.last() {
        report::print(&last.report, context.page_size, messages);
        messages.report(format_args!("{:<16}{}", "memory map", map_version_words(opened)));
    }
    if let Some(mut output) = report {
        let text = format!("{:#}\n", report::json(&context, &saved, exit));
        // The dump is what counts: its exit code stays.
        if let Err(code) = output.write_at(0, text.as_bytes()).and_then(|()| output.sync()) {
            messages.error(format_args!("{}: {}", output.path().display(), host::describe(code)));
        }
    }
    result
}

/// Saves each output in turn. What holds nothing of use is removed, and so is the rest of a set that failed.
fn save_all(
    args: &DumpArgs,
    sinks: Vec<Sink>,
    opened: &mut Opened<'_>,
    mut kernel: Option<&mut Kernel>,
    redaction: Redaction<'_>,
    messages: Messages,
) -> (Vec<Saved>, Result<Exit, Failure>) {
    let parts = u32::try_from(sinks.len()).unwrap_or(u32::MAX);
    let mut saved: Vec<Saved> = Vec::new();
    let mut exit = Exit::Done;
    let mut sinks = sinks.into_iter();
    for (mut sink, part) in sinks.by_ref().zip(0..) {
        let split = args.split.then_some(Split { part, parts });
        let name = sink.name();
        let memory = memory_size(&opened.machine, args.memory);
        let options = args.options(split);
        let readers = Readers {
            memory: &mut *opened.memory,
            lend_memory: &*opened.lend_memory,
            threads: args.threads(),
            redaction,
        };
        let kernel = kernel.as_deref_mut();
        let one = save(opened.machine, kernel, readers, options, memory, &mut sink, messages);
        let one = match one {
            Ok(one) => one,
            Err(error) => {
                sink.discard();
                let failure = Failure::new(format!("{name}: {}", unusable(error, args)));
                return (saved, Err(failure));
            }
        };
        let ended = end_output(sink, &one, &name, opened.machine.page_size.bytes(), messages);
        let of_use = saved.iter().any(Saved::is_of_use);
        saved.push(one);
        match ended {
            Ok(now) => exit = worse(exit, now),
            // The parts before this one hold pages: they stay, and the set is incomplete.
            Err(failure) if of_use => {
                messages.error(failure);
                exit = Exit::Incomplete;
            }
            Err(failure) => {
                sinks.for_each(Sink::discard);
                return (saved, Err(failure));
            }
        }
    }
    (saved, Ok(exit))
}

/// Finishes an output as its dump ended, and says so.
fn end_output(
    sink: Sink,
    saved: &Saved,
    name: &str,
    page_size: u64,
    messages: Messages,
) -> Result<Exit, Failure> {
    if let Some(error) = saved.error {
        let why = dump_error(error);
        // A stream that does not take what is held is of no use to its reader but by what `kcap merge` makes of it.
        let is_file = matches!(sink, Sink::File(_));
        let ends_well =
            matches!(error, dump::Error::Io { .. } | dump::Error::Limit) && (is_file || saved.marked);
        if !(ends_well && saved.is_of_use()) {
            sink.discard();
            return Err(Failure::new(format!("{name}: {why}")));
        }
        if let Err(error) = sink.leave(saved.marked) {
            return Err(Failure::new(format!("{name}: {}", in_words(error))));
        }
        let pages = saved.report.saved;
        messages.error(format_args!(
            "{name}: {why}: the dump is incomplete, and marked so; it has {pages} pages"
        ));
        return Ok(Exit::Incomplete);
    }
    if let Err(error) = sink.finish() {
        return Err(Failure::new(format!("{name}: {}", in_words(error))));
    }
    let report = &saved.report;
    if report.lost > 0 {
        messages.error(format_args!("{name}: {} pages could not be read", report.lost));
    }
    if report.incomplete {
        messages.error(format_args!("{name}: the input is incomplete, and so is the dump"));
    }
    if report.redacted_pages > 0 {
        let (bytes, pages) = (report.redacted_bytes, report.redacted_pages);
        messages.common(format_args!("{bytes} bytes in {pages} pages are hidden."));
    }
    if let Some(reason) = report.more_kept {
        let reason = words::reason(reason, report.findings.as_ref());
        messages.error(format_args!("{name}: more was kept than asked: {reason}"));
    }
    let tells = |found: &&Sections| {
        [&found.removed, &found.unreadable, &found.missing].iter().any(|ranges| !ranges.is_empty())
    };
    if let Some(found) = report.sections.as_ref().filter(tells) {
        for line in words::sections(found, page_size) {
            messages.common(line);
        }
    }
    messages.common(format_args!("The dumpfile is saved to {name}."));
    Ok(match saved.outcome() {
        Outcome::Complete => Exit::Done,
        Outcome::Incomplete => Exit::Incomplete,
        Outcome::MoreKept => Exit::KeptMore,
    })
}

/// Why a dump cannot even begin.
fn unusable(error: dump::Error, args: &DumpArgs) -> String {
    match error {
        dump::Error::BufferTooSmall { needed } if args.memory.is_some() => {
            format!("--memory: at least {} bytes are needed", needed.saturating_mul(8))
        }
        other => dump_error(other),
    }
}

/// The one to report of two outputs of a set: what is missing weighs more than what is too much.
fn worse(one: Exit, other: Exit) -> Exit {
    let weight = |exit| match exit {
        Exit::Done => 0,
        Exit::KeptMore => 1,
        Exit::Incomplete => 2,
        Exit::Failed | Exit::Usage | Exit::Warned | Exit::Blocked => 3,
    };
    if weight(other) > weight(one) { other } else { one }
}
