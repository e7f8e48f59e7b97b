//! `kcap info`: what a file is.

use std::io::{self, BufWriter, Write};

use page_filter::dump::NoteBytes;
use page_filter::{Counts, PageKind};
use serde_json::{Value, json};
use vmcore_format::eraseinfo::EraseLine;

use crate::args::InfoArgs;
use crate::count::{self, Extent};
use crate::exit::{Exit, Failure};
use crate::facts::{Facts, input_json, map_version_words};
use crate::input::{Format, Opened, with_opened};
use crate::ranges::Ranges;
use crate::redact;
use crate::words;

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// The most of a log of erased data that is shown, in bytes.
const MOST_ERASED: usize = 1 << 20;

/// Everything that is said.
struct Info {
    facts: Facts,
    known: Extent,
    held: Extent,
    counts: Option<Counts>,
    /// The lines of the log of erased data.
    erased: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &InfoArgs) -> Result<Exit, Failure> {
    with_opened(&args.file.paths(), |mut opened| {
        let info = collect(&mut opened)?;
        let text = if args.json { json_text(&opened, &info) } else { plain_text(&opened, &info) };
        let mut out = BufWriter::new(io::stdout().lock());
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::stdout(&error))?;
        Ok(Exit::Done)
    })
}

fn collect(opened: &mut Opened<'_>) -> Result<Info, Failure> {
    let mut kernel = opened.kernel();
    let facts = Facts::collect(&opened.machine, &mut kernel, &mut *opened.memory);
    let table =
        |fault| Failure::of_table(opened.paths.first().map_or("".as_ref(), |path| path.as_path()), fault);
    let known = Extent::collect(Ranges::known(), &mut *opened.memory).map_err(table)?;
    let held = Extent::collect(Ranges::held(), &mut *opened.memory).map_err(table)?;
    let counts = match &mut kernel {
        Some(Ok(kernel)) if kernel.no_mem_map().is_none() => {
            count::by_kind(&opened.machine, kernel, &mut *opened.memory).ok().map(|(counts, _)| counts)
        }
        _ => None,
    };
    let erased = erased(&opened.machine.erased);
    Ok(Info { facts, known, held, counts, erased })
}

/// The lines of the log of erased data. One that cannot be read has none; after as much as anyone reads comes `...`.
fn erased(log: &NoteBytes<'_>) -> Vec<String> {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    // Where its place in the file cannot be told there is no text.
    let _ = log.for_each(&mut bytes, |piece| {
        text.extend_from_slice(piece);
        // Any error ends the reading.
        if text.len() > MOST_ERASED {
            Err(vmcore_format::Error::BufferTooSmall { needed: 0 })
        } else {
            Ok(())
        }
    });
    let more = text.len() > MOST_ERASED;
    text.truncate(MOST_ERASED);
    let text = String::from_utf8_lossy(&text);
    let lines = text.split(['\n', '\0']).filter(|line| !line.is_empty()).map(visible);
    lines.chain(more.then(|| "...".to_owned())).collect()
}

/// A line without what a terminal would obey.
fn visible(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A line of the log: what it says, and its text where that is not known.
fn erased_json(line: &str) -> Value {
    match EraseLine::parse(line.as_bytes()) {
        Some(line) => redact::line_json(&line),
        None => json!({ "text": line }),
    }
}

fn json_text(opened: &Opened<'_>, info: &Info) -> String {
    let page_size = opened.machine.page_size.bytes();
    let object = json!({
        "schema": "kcapture.info",
        "version": VERSION,
        "input": Value::Object(input_json(opened)),
        "kernel": info.facts.json(),
        "pages": {
            "known": count::pages_json(info.known.frames, page_size),
            "held": count::pages_json(info.held.frames, page_size),
        },
        "ranges": count::ranges_json(info.known.ranges.iter().cloned()),
        "range_count": info.known.count,
        "holes": count::ranges_json(info.known.holes()),
        "erased": info.erased.iter().map(|line| erased_json(line)).collect::<Vec<_>>(),
        "kinds": info.counts.as_ref().map(|counts| count::kinds_json(counts, page_size)),
    });
    format!("{object:#}\n")
}

fn plain_text(opened: &Opened<'_>, info: &Info) -> String {
    let page_size = opened.machine.page_size;
    let bytes = |frames: u64| words::size(frames.saturating_mul(page_size.bytes()));
    let mut lines = format_lines(opened);
    lines.extend(info.facts.lines());
    lines.push(("memory map", map_version_words(opened)));
    lines.push(("memory", format!("{} ({} page frames)", bytes(info.known.frames), info.known.frames)));
    lines.push(("held", format!("{} ({} page frames)", bytes(info.held.frames), info.held.frames)));
    for range in &info.known.ranges {
        let addr = |pfn| page_size.start_of(pfn).map_or(u64::MAX, |addr| addr.0);
        let frames = range.end.0.saturating_sub(range.start.0);
        lines.push(("range", format!("{:#x}-{:#x} ({})", addr(range.start), addr(range.end), bytes(frames))));
    }
    if let Some(counts) = &info.counts {
        for kind in PageKind::ALL.into_iter().filter(|kind| *kind != PageKind::Zero) {
            let pages = counts.pages(kind);
            lines.push((words::kind(kind), format!("{pages} pages ({})", bytes(pages))));
        }
    }
    lines.extend(info.erased.iter().map(|line| ("erased", line.trim_start_matches("erase ").to_owned())));
    lines.into_iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect()
}

fn format_lines(opened: &Opened<'_>) -> Vec<(&'static str, String)> {
    let flattened = if opened.flattened { ", flattened" } else { "" };
    let mut lines = Vec::new();
    match opened.format {
        Format::Elf => lines.push(("format", format!("ELF core{flattened}"))),
        Format::Kdump { compression, header_version } => {
            lines.push(("format", format!("kdump-compressed, version {header_version}{flattened}")));
            lines.push(("level", opened.machine.left_out.bits().to_string()));
            lines.push(("compression", compression.map_or("contradictory", words::compression).into()));
        }
    }
    if opened.paths.len() > 1 {
        lines.push(("parts", opened.paths.len().to_string()));
    }
    if opened.machine.incomplete {
        lines.push(("incomplete", "yes: pages are missing".into()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmcore_format::note::NoteRegion;

    fn lines_of(text: &[u8]) -> Vec<String> {
        let region = NoteRegion { offset: 0, len: u64::try_from(text.len()).unwrap(), align: 4 };
        erased(&NoteBytes::Region(&text, region))
    }

    #[test]
    fn a_long_log_of_erased_data_is_cut_and_says_so() {
        assert_eq!(lines_of(b"erase a\nerase b\n\0\0"), ["erase a", "erase b"]);
        let line = b"erase 123456789\n";
        let most = line.repeat((1 << 20) / line.len());
        assert_eq!(
            (lines_of(&most).len(), lines_of(&most).last().unwrap().as_str()),
            (1 << 16, "erase 123456789")
        );
        let more = line.repeat(1 << 18);
        let lines = lines_of(&more);
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), ((1 << 16) + 1, "..."));
    }
}
