//! The elfcorehdr of our plan beside that of kexec-tools, both made in one boot of one machine.

use serde_json::Value;

use super::CAPTURE;
use crate::run::Outcome;

/// In the first kernel: kexec-tools loads, and prints its elfcorehdr.
pub(super) fn peer_load() -> String {
    format!(
        "\
echo 'kcapture: peer'
/sbin/kexec -d -c -p /vmlinuz --initrd=/capture.gz --append='{CAPTURE}' > /tmp/peer 2>&1 || poweroff -f
grep '^Elf header\\|p_type' /tmp/peer
echo 'kcapture: end of peer'"
    )
}

/// A program header, without what differs by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    p_type: u64,
    p_offset: u64,
    p_paddr: u64,
    p_memsz: u64,
    p_vaddr: u64,
}

const PT_LOAD: u64 = 1;
const PT_NOTE: u64 = 4;
/// The map version with an empty note behind it.
const NOTE_LEN: u64 = 76;
const MIB_1: u64 = 1 << 20;
/// Here the kernel maps itself.
const KERNEL_MAPPING: u64 = 0xffff_ffff_8000_0000;

/// Compares what our load and that of kexec-tools said on the console; says how many headers agree.
///
/// Ours has one `PT_NOTE` more, of a note in the segment of the header itself, unless the kernel is to rewrite the header.
/// RAM that /proc/iomem lists in touching pieces may be one `PT_LOAD` or several. By design ours has no `PT_LOAD` below
/// 1 MiB where kexec-tools has one into its backup region.
pub(super) fn compare(ours: &[String], peers: &[String]) -> Outcome<String> {
    let theirs = between(peers, "kcapture: peer", "kcapture: end of peer")
        .filter_map(peers_line)
        .filter(|header| header.p_type != PT_LOAD || header.p_paddr >= MIB_1);
    let plan: String = between(ours, "kcapture: plan", "kcapture: end of plan").collect();
    let plan: Value = serde_json::from_str(&plan)?;
    let ours = our_headers(&plan).ok_or("the plan has no program headers")?;
    let segment = own_segment(&plan).ok_or("the plan has no elfcorehdr")?;
    let (own, ours): (Vec<Header>, Vec<Header>) =
        ours.into_iter().partition(|header| header.p_type == PT_NOTE && segment.contains(&header.p_paddr));
    let has_note = plan.pointer("/elfcorehdr/map_version").is_some_and(Value::is_object);
    if own.len() != usize::from(has_note) || own.iter().any(|note| note.p_memsz != NOTE_LEN) {
        return Err(format!("program headers of our own note: {own:x?}").into());
    }
    let (theirs, ours) = (joined(theirs.collect()), joined(ours));
    if theirs == ours && !ours.is_empty() {
        Ok(format!("{} program headers as kexec-tools has them, and {} of our note", ours.len(), own.len()))
    } else {
        Err(format!("program headers differ\nkexec-tools: {theirs:x?}\nkcap:        {ours:x?}").into())
    }
}

/// The lines between two others.
fn between<'a>(console: &'a [String], start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = console.iter().map(String::as_str);
    lines.skip_while(move |line| !line.contains(start)).skip(1).take_while(move |line| !line.contains(end))
}

/// In order; pieces of RAM that touch each other in physical and virtual memory are one.
fn joined(mut headers: Vec<Header>) -> Vec<Header> {
    headers.sort_by_key(|header| (header.p_type, header.p_vaddr >= KERNEL_MAPPING, header.p_paddr));
    let mut joined: Vec<Header> = Vec::new();
    for header in headers {
        match joined.last_mut() {
            Some(last)
                if (last.p_type, header.p_type) == (PT_LOAD, PT_LOAD)
                    && last.p_paddr + last.p_memsz == header.p_paddr
                    && last.p_vaddr + last.p_memsz == header.p_vaddr
                    && last.p_offset + last.p_memsz == header.p_offset =>
            {
                last.p_memsz += header.p_memsz;
            }
            _ => joined.push(header),
        }
    }
    joined
}

/// `Elf header: p_type = 1, p_offset = 0x.. p_paddr = 0x.. p_vaddr = 0x.. p_filesz = 0x.. p_memsz = 0x..`
fn peers_line(line: &str) -> Option<Header> {
    let field = |name: &str| {
        let value = line.split(&format!("{name} = ")).nth(1)?;
        let digits = value.split([' ', ',', '\r', '\n']).next()?;
        u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
    };
    let header = |p_type| {
        Some(Header {
            p_type,
            p_offset: field("p_offset")?,
            p_paddr: field("p_paddr")?,
            p_memsz: field("p_memsz")?,
            p_vaddr: field("p_vaddr")?,
        })
    };
    header(field("p_type")?)
}

/// Where the plan puts the header.
fn own_segment(plan: &Value) -> Option<core::ops::Range<u64>> {
    let segments = plan.get("segments")?.as_array()?;
    let segment =
        segments.iter().find(|segment| segment.get("kind").is_some_and(|kind| kind == "elfcorehdr"))?;
    let mem = segment.get("mem")?.as_u64()?;
    Some(mem..mem + segment.get("bufsz")?.as_u64()?)
}

fn our_headers(plan: &Value) -> Option<Vec<Header>> {
    let headers = plan.pointer("/elfcorehdr/program_headers")?.as_array()?;
    headers
        .iter()
        .map(|header| {
            let field = |name: &str| header.get(name)?.as_u64();
            Some(Header {
                p_type: field("p_type")?,
                p_offset: field("p_offset")?,
                p_paddr: field("p_paddr")?,
                p_memsz: field("p_memsz")?,
                p_vaddr: field("p_vaddr")?,
            })
        })
        .collect()
}
