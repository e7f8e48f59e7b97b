//! The report of a dump: JSON for machines, a table for people.

use core::time::Duration;
use std::path::PathBuf;

use page_filter::dump::{self, Format, Outcome};
use page_filter::redact::Redaction;
use page_filter::{Findings, FrameRanges, PageKind, Sections};
use serde_json::{Map, Value, json};
use vmcore_format::PageSize;

use crate::args::DumpArgs;
use crate::count::{self, Extent};
use crate::exit::Exit;
use crate::messages::Messages;
use crate::redact;
use crate::save::Saved;
use crate::words;

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// What a report is made of, besides what the dumper says.
pub(crate) struct Context<'a> {
    pub(crate) args: &'a DumpArgs,
    pub(crate) outputs: &'a [PathBuf],
    /// The `input` object.
    pub(crate) input: Map<String, Value>,
    /// The `kernel` object.
    pub(crate) kernel: Value,
    pub(crate) page_size: u64,
    pub(crate) redaction: Redaction<'a>,
    /// The page frames that the machine had.
    pub(crate) known: &'a Extent,
    pub(crate) opening: Duration,
}

/// The report as JSON. `saved` are the outputs in order: several for a split set.
pub(crate) fn json(context: &Context<'_>, saved: &[Saved], exit: Exit) -> Value {
    let last = saved.last();
    let report = last.map(|saved| &saved.report);
    json!({
        "schema": "kcapture.report",
        "version": VERSION,
        "tool": { "name": "kcap", "version": env!("CARGO_PKG_VERSION") },
        "exit_code": exit.code(),
        "outcome": outcome(exit),
        "error": saved.iter().find_map(|saved| saved.error).map(dump_error),
        "input": context.input,
        "kernel": context.kernel,
        "options": options(context, last),
        "pages": report.map(|report| pages(report, saved, context.page_size)),
        "kinds": report.map(|report| count::kinds_json(&report.counts, context.page_size)),
        "ranges": count::ranges_json(context.known.ranges.iter().cloned()),
        "range_count": context.known.count,
        "holes": count::ranges_json(context.known.holes()),
        "faults": faults(saved),
        "sections": report.and_then(|report| report.sections.as_ref()).map(|found| sections(found, context.page_size)),
        "redacted": redacted(context, saved),
        "verdict": report.map(verdict),
        "outputs": outputs(context, saved),
        "phases": phases(context, saved),
        "peak_memory": host::peak_memory(),
    })
}

fn outcome(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "complete",
        Exit::Failed | Exit::Usage | Exit::Warned | Exit::Blocked => "failed",
        Exit::Incomplete => "incomplete",
        Exit::KeptMore => "kept_more",
    }
}

/// A dumper's error in words.
pub(crate) fn dump_error(error: dump::Error) -> String {
    match error {
        dump::Error::Io { code: host::EINTR } => "interrupted".into(),
        dump::Error::Io { code } => host::describe(code),
        dump::Error::Frames(fault) => format!("the table of page frames: {}", words::fault(fault)),
        other => other.to_string(),
    }
}

fn options(context: &Context<'_>, saved: Option<&Saved>) -> Value {
    let args = context.args;
    let options = args.options(None);
    json!({
        "level": args.level,
        "format": if options.format == Format::Elf { "elf" } else { "kdump" },
        "compression": words::compression(options.compression),
        "dedup": args.dedup,
        "flattened": args.flattened,
        "split": args.split.then_some(context.outputs.len()),
        "sync": !args.no_sync,
        "memory": saved.map(|saved| saved.memory),
        "limit": args.limit,
        "num_threads": args.num_threads,
        "threads_used": args.threads(),
    })
}

fn pages(report: &dump::Report, saved: &[Saved], page_size: u64) -> Value {
    let sum = |count: fn(&dump::Report) -> u64| {
        saved.iter().map(|saved| count(&saved.report)).fold(0, u64::saturating_add)
    };
    json!({
        "level_used": report.level.bits(),
        "known": count::pages_json(report.known, page_size),
        "held": count::pages_json(report.held, page_size),
        "kept": count::pages_json(report.kept, page_size),
        "saved": count::pages_json(sum(|report| report.saved), page_size),
        "zero": count::pages_json(sum(|report| report.zero), page_size),
        "duplicates": count::pages_json(sum(|report| report.duplicates), page_size),
        "lost": count::pages_json(sum(|report| report.lost), page_size),
    })
}

fn redacted(context: &Context<'_>, saved: &[Saved]) -> Option<Value> {
    let sum = |count: fn(&dump::Report) -> u64| {
        saved.iter().map(|saved| count(&saved.report)).fold(0, u64::saturating_add)
    };
    let (pages, bytes) = (sum(|report| report.redacted_pages), sum(|report| report.redacted_bytes));
    let page_size = PageSize::new(context.page_size)?;
    let any = !context.redaction.is_none();
    any.then(|| redact::json(&context.redaction, pages, bytes, page_size))
}

fn faults(saved: &[Saved]) -> Value {
    let all = saved.iter().flat_map(|saved| saved.report.faults).flatten();
    let first: Vec<Value> =
        all.map(|(pfn, fault)| json!({ "pfn": format!("{pfn}"), "reason": words::fault(fault) })).collect();
    let lost = saved.iter().map(|saved| saved.report.lost).fold(0, u64::saturating_add);
    let sum = |count: fn(&dump::Report) -> u64| {
        saved.iter().map(|saved| count(&saved.report)).fold(0, u64::saturating_add)
    };
    json!({
        "pages": lost,
        "holes": sum(|report| report.holes),
        "poisoned": sum(|report| report.poisoned),
        "first": first,
    })
}

/// Where the input's table of memory and the kernel's sections disagree.
fn sections(found: &Sections, page_size: u64) -> Value {
    let list = |ranges: &FrameRanges| {
        json!({
            "pages": ranges.frames(),
            "bytes": ranges.frames().saturating_mul(page_size),
            "ranges": count::ranges_json(ranges.named()),
            "range_count": ranges.count(),
        })
    };
    json!({
        "removed": list(&found.removed),
        "offline": list(&found.offline),
        "unreadable": list(&found.unreadable),
        "missing": list(&found.missing),
        "tells_online": found.tells_online,
        "believed": found.believed,
        "whole": found.whole,
    })
}

fn verdict(report: &dump::Report) -> Value {
    let findings = report.findings.as_ref();
    let rules_off: Vec<Value> = findings
        .into_iter()
        .flat_map(Findings::missing)
        .map(|missing| {
            let matters = findings.is_some_and(|findings| findings.keeps_more().any(|more| more == missing));
            json!({ "rule": missing.rule.name(), "key": missing.key.name(), "matters": matters })
        })
        .collect();
    json!({
        "kept_more": report.more_kept.map(|reason| words::reason(reason, findings)),
        "no_mem_map": findings.and_then(Findings::no_mem_map).map(|why| why.to_string()),
        "doubt": findings.and_then(Findings::doubt).map(words::doubt),
        "rules_off": rules_off,
        "bad_orders": report.counts.bad_orders(),
    })
}

fn outputs(context: &Context<'_>, saved: &[Saved]) -> Value {
    let names =
        context.outputs.iter().map(|path| Some(path.display().to_string())).chain(core::iter::repeat(None));
    let outputs = names.zip(saved).map(|(path, saved)| {
        let complete = saved.error.is_none() && saved.report.outcome() != Outcome::Incomplete;
        json!({
            "path": path,
            "complete": complete,
            "saved": saved.report.saved,
            "bytes_written": saved.report.written,
            "duplicate_bytes": saved.report.duplicate_bytes,
        })
    });
    outputs.collect()
}

fn phases(context: &Context<'_>, saved: &[Saved]) -> Value {
    let opening = core::iter::once(("Opening", context.opening));
    let all = opening.chain(saved.iter().flat_map(|saved| saved.phases.iter().copied()));
    all.map(|(name, took)| json!({ "name": name, "seconds": took.as_secs_f64() })).collect()
}

/// The pages of each kind, as a table of message level 16.
pub(crate) fn print(report: &dump::Report, page_size: u64, messages: Messages) {
    let line = |name: &str, pages: u64, left_out: Option<u64>| {
        let size = words::size(pages.saturating_mul(page_size));
        let left_out = left_out.map_or(String::new(), |pages| format!("{pages:>12} left out"));
        messages.report(format_args!("{name:<16}{pages:>12} pages {size:>14}{left_out}"));
    };
    line("known", report.known, None);
    line("held", report.held, None);
    for kind in PageKind::ALL.into_iter().filter(|kind| *kind != PageKind::Zero) {
        line(words::kind(kind), report.counts.pages(kind), Some(report.counts.left_out(kind)));
    }
    line("kept", report.kept, None);
    line("zero", report.zero, None);
    if report.options.share_duplicates {
        line("duplicate", report.duplicates, None);
    }
    line("lost", report.lost, None);
    if report.redacted_pages > 0 {
        let (pages, bytes) = (report.redacted_pages, report.redacted_bytes);
        messages.report(format_args!("{:<16}{pages:>12} pages {bytes:>8} bytes", "hidden in"));
    }
    messages.report(format_args!("{:<16}{:>12} bytes", "written", report.written));
    for line in report.sections.iter().flat_map(|found| words::sections(found, page_size)) {
        messages.report(line);
    }
}
