//! The elfcorehdr of our plan beside that of kexec-tools, on the same machine in the same boot.

use serde_json::Value;

use crate::run::Outcome;

/// In the first kernel: what kexec-tools would load, as it prints it.
pub(super) const SHOW: &str = "\
echo 'kcapture: peer'
/sbin/kexec -d -c -p /vmlinuz --initrd=/capture.gz --append='console=ttyS0' 2>&1 | grep '^Elf header\\|p_type'
/sbin/kexec -p -u
echo 'kcapture: end of peer'";

/// A program header, without what differs by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    p_type: u64,
    p_paddr: u64,
    p_memsz: u64,
    p_vaddr: u64,
}

const PT_LOAD: u64 = 1;
const MIB_1: u64 = 1 << 20;
/// Here the kernel maps itself.
const KERNEL_MAPPING: u64 = 0xffff_ffff_8000_0000;

/// Compares the two; says how many headers agree.
///
/// RAM that /proc/iomem lists in touching pieces may be one `PT_LOAD` or several. By design ours has no `PT_LOAD` below
/// 1 MiB where kexec-tools has one into its backup region, and a range that begins below 1 MiB is cut there.
pub(super) fn compare(console: &[String]) -> Outcome<String> {
    let between = |start: &str, end: &str| -> Vec<&str> {
        let lines = console.iter().map(String::as_str).skip_while(|line| !line.contains(start)).skip(1);
        lines.take_while(|line| !line.contains(end)).collect()
    };
    let theirs = between("kcapture: peer", "kcapture: end of peer")
        .into_iter()
        .filter_map(peers_line)
        .filter(|header| header.p_type != PT_LOAD || header.p_paddr >= MIB_1)
        .collect::<Vec<_>>();
    let plan: Value = serde_json::from_str(&between("kcapture: plan", "kcapture: end of plan").concat())?;
    let mut ours = our_headers(&plan).ok_or("the plan has no program headers")?;
    ours.retain(|header| header.p_type != PT_LOAD || header.p_paddr >= MIB_1);
    let (theirs, ours) = (joined(theirs), joined(ours));
    let agreed = format!("{} program headers as kexec-tools has them", ours.len());
    if theirs == ours && !ours.is_empty() {
        Ok(agreed)
    } else {
        Err(format!("program headers differ\nkexec-tools: {theirs:x?}\nkcap:        {ours:x?}").into())
    }
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
                    && last.p_vaddr + last.p_memsz == header.p_vaddr =>
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
            p_paddr: field("p_paddr")?,
            p_memsz: field("p_memsz")?,
            p_vaddr: field("p_vaddr")?,
        })
    };
    header(field("p_type")?)
}

fn our_headers(plan: &Value) -> Option<Vec<Header>> {
    let headers = plan.pointer("/elfcorehdr/program_headers")?.as_array()?;
    headers
        .iter()
        .map(|header| {
            let field = |name: &str| header.get(name)?.as_u64();
            Some(Header {
                p_type: field("p_type")?,
                p_paddr: field("p_paddr")?,
                p_memsz: field("p_memsz")?,
                p_vaddr: field("p_vaddr")?,
            })
        })
        .collect()
}
