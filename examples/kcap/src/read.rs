//! `kcap read`: bytes of physical memory, as they are.

use std::io::{self, BufWriter, Write};

use page_filter::Fault;
use vmcore_format::{Pfn, PhysAddr};

use crate::args::ReadArgs;
use crate::exit::{Exit, Failure};
use crate::input::with_opened;
use crate::words;

/// Runs the command. Bytes before a page that is not there are written.
pub(crate) fn run(args: &ReadArgs) -> Result<Exit, Failure> {
    with_opened(&args.file.paths(), |mut opened| {
        let page_size = opened.machine.page_size;
        let mut out = BufWriter::new(io::stdout().lock());
        let mut page = vec![0; page_size.len()];
        let mut addr = args.paddr;
        let mut left = args.len;
        while left > 0 {
            let in_page = page_size.bytes().saturating_sub(page_size.offset_in_page(PhysAddr(addr)));
            let len = in_page.min(left);
            let bytes = page.get_mut(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
            if let Err(fault) = opened.memory.read(PhysAddr(addr), bytes) {
                out.flush().map_err(|error| Failure::stdout(&error))?;
                return Err(missing(page_size.frame_of(PhysAddr(addr)), addr, fault));
            }
            out.write_all(bytes).map_err(|error| Failure::stdout(&error))?;
            left = left.saturating_sub(len);
            let Some(next) = addr.checked_add(len) else { break };
            addr = next;
        }
        if left > 0 {
            return Err(Failure::new("the range passes the end of the physical address space"));
        }
        out.flush().map_err(|error| Failure::stdout(&error))?;
        Ok(Exit::Done)
    })
}

fn missing(pfn: Pfn, addr: u64, fault: Fault) -> Failure {
    Failure::new(format!("page frame {pfn} (physical address {addr:#x}): {}", words::fault(fault)))
}
