//! A plan, for people and as JSON.

use host::kexec::Kind;
use kexec_core::elfcorehdr::Omitted;
use kexec_core::segment::SegmentKind;
use serde_json::{Value, json};
use vmcore_format::elf::{Header, ProgramHeaders};

use super::planning::Planned;
use crate::words;

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// Lines.
pub(crate) fn plain_text(planned: &Planned<'_>) -> String {
    let mut text: String = planned.plan.explain().map(|line| format!("{line}\n")).collect();
    if let Some(version) = &planned.elfcorehdr.map_version {
        text.push_str(&format!("elfcorehdr: of map {}\n", words::map_version(version)));
    }
    text.push_str(&left_out(planned));
    text.push_str(&format!("sha256: {}\n", words::hex(&planned.digest)));
    text
}

/// What the elfcorehdr lacks, a line each.
pub(crate) fn left_out(planned: &Planned<'_>) -> String {
    planned
        .elfcorehdr
        .omitted
        .into_iter()
        .flat_map(lacks)
        .map(|what| format!("elfcorehdr: without {what}\n"))
        .collect()
}

/// The plan as one object.
pub(crate) fn json_text(planned: &Planned<'_>, kind: Kind, loaded: bool) -> String {
    let plan = planned.plan;
    let segments: Vec<Value> = plan
        .segments()
        .iter()
        .map(|segment| {
            json!({
                "kind": segment.kind.name(),
                "mem": segment.extent.mem.0,
                "memsz": segment.extent.memsz,
                "bufsz": segment.extent.bufsz,
                "in_digest": matches!(segment.kind, SegmentKind::Fixed(_)),
                "placement": segment.placement.to_string(),
            })
        })
        .collect();
    let told: Vec<Value> = plan
        .told()
        .map(|range| json!({ "start": range.start.0, "end": range.end.0, "kind": range.kind.name() }))
        .collect();
    let elfcorehdr = (kind == Kind::Crash).then(|| {
        json!({
            "program_headers": program_headers(&planned.elfcorehdr.bytes),
            "map_version": planned.elfcorehdr.map_version.as_ref().map(words::map_version_json),
            "without": planned.elfcorehdr.omitted.map_or_else(Vec::new, lacks),
        })
    });
    let object = json!({
        "schema": "kcapture.plan",
        "version": VERSION,
        "kind": if kind == Kind::Crash { "crash" } else { "ordinary" },
        "loaded": loaded,
        "entry": plan.entry().0,
        "kernel_entry": plan.kernel_entry().0,
        "flags": plan.flags(),
        "command_line": String::from_utf8_lossy(plan.command_line()),
        "sha256": words::hex(&planned.digest),
        "segments": segments,
        "memory": told,
        "elfcorehdr": elfcorehdr,
        "explanation": plan.explain().map(|line| line.to_string()).collect::<Vec<_>>(),
    });
    format!("{object:#}\n")
}

/// The program headers, read back from the bytes that are loaded.
fn program_headers(elfcorehdr: &[u8]) -> Vec<Value> {
    let read = || {
        let header = Header::read(&elfcorehdr).ok()?;
        let table = ProgramHeaders::new(&elfcorehdr, header, 0).ok()?;
        let phdr = |(phdr, _): (vmcore_format::elf::ProgramHeader, u64)| {
            json!({
                "p_type": phdr.p_type,
                "p_offset": phdr.p_offset,
                "p_vaddr": phdr.p_vaddr,
                "p_paddr": phdr.p_paddr,
                "p_memsz": phdr.p_memsz,
            })
        };
        Some(table.map_while(Result::ok).map(phdr).collect())
    };
    read().unwrap_or_default()
}

fn lacks(omitted: Omitted) -> Vec<&'static str> {
    let all = [
        (omitted.cpu_notes, "notes of CPUs: the dump will have no registers"),
        (omitted.vmcoreinfo, "VMCOREINFO: tools will have to be told the kernel's layouts"),
        (omitted.direct_map, "virtual addresses of RAM"),
        (omitted.text, "the kernel's text mapping"),
    ];
    all.into_iter().filter_map(|(lacks, what)| lacks.then_some(what)).collect()
}
