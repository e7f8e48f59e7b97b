//! `kcap dmesg`: the crashed kernel's log.

use std::io::{self, BufWriter, Write};

use page_filter::printk::{self, LONGEST_TEXT, LogError};
use page_filter::{Fault, Kernel, PhysMemory, VirtFault};
use vmcore_format::elf::ProgramHeader;
use vmcore_format::{PhysAddr, VirtAddr};

use crate::args::FileArgs;
use crate::exit::{Exit, Failure};
use crate::input::with_opened;
use crate::messages::{ERROR, Messages};

/// Runs the command. What stands before the point where a log breaks off is printed.
pub(crate) fn run(args: &FileArgs) -> Result<Exit, Failure> {
    let messages = Messages::new(ERROR, true);
    with_opened(&args.paths(), |mut opened| {
        let name = opened.path().display().to_string();
        let Some(info) = opened.machine.vmcoreinfo else {
            return Err(Failure::new(format!("{name}: no VMCOREINFO, so where the log stands is not known")));
        };
        let layout = opened.machine.machine_layout();
        let mut kernel = opened.kernel().and_then(Result::ok);
        let (memory, loads) = (&mut *opened.memory, opened.machine.loads);
        let mut read = |addr: VirtAddr, buf: &mut [u8]| read_virt(kernel.as_mut(), memory, loads, addr, buf);
        let mut out = BufWriter::new(io::stdout().lock());
        let mut written = Ok(());
        let mut text = vec![0; LONGEST_TEXT];
        let tally = printk::for_each_record(&info, layout, &mut read, &mut text, &mut |record| {
            printk::write_line(record, &mut |bytes| {
                if written.is_ok() {
                    written = out.write_all(bytes);
                }
            });
        });
        written.and_then(|()| out.flush()).map_err(|error| Failure::stdout(&error))?;
        let tally = tally.map_err(|error: LogError| Failure::new(format!("{name}: {error}")))?;
        if tally.lost > 0 {
            messages.error(format_args!("{name}: {} records of the log could not be had", tally.lost));
        }
        Ok(Exit::Done)
    })
}

/// Reads through the kernel's page tables; for a machine whose page tables are not understood, through the virtual
/// addresses of each PT_LOAD, which cover the log of every Linux.
fn read_virt(
    kernel: Option<&mut Kernel>,
    memory: &mut dyn PhysMemory,
    loads: &[ProgramHeader],
    addr: VirtAddr,
    buf: &mut [u8],
) -> Result<(), Fault> {
    if let Some(kernel) = kernel {
        return kernel.read_virt(memory, addr, buf).map_err(|fault| match fault {
            VirtFault::Memory(fault) => fault,
            _ => Fault::Hole,
        });
    }
    // Hypervisors write no virtual addresses; s390 has memory from 0 on at its physical addresses.
    let holds = |load: &&ProgramHeader| {
        (load.p_vaddr != 0 || load.p_paddr == 0)
            && addr.0.checked_sub(load.p_vaddr).is_some_and(|into| into < load.p_memsz)
    };
    let load = loads.iter().find(holds).ok_or(Fault::Hole)?;
    let into = addr.0.wrapping_sub(load.p_vaddr);
    memory.read(PhysAddr(load.p_paddr.checked_add(into).ok_or(Fault::Hole)?), buf)
}
