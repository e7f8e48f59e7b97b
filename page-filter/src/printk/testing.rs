//! Kernel logs laid out by hand, for the tests of all three generations.

extern crate std;
use std::string::String;
use std::vec::Vec;

use vmcore_format::vmcoreinfo::VmcoreInfo;
use vmcore_format::{Layout, VirtAddr};

use super::{LogError, Record, Tally, for_each_record, write_line};
use crate::phys::Fault;

/// Where the memory of these machines starts.
pub(super) const BASE: u64 = 0xffff_8880_0000_0000;

/// A machine's memory and its VMCOREINFO.
pub(super) struct Machine {
    pub(super) memory: Vec<u8>,
    pub(super) info: String,
    pub(super) layout: Layout,
}

impl Machine {
    pub(super) fn new(layout: Layout, info: &str) -> Self {
        Self { memory: std::vec![0; 0x2000], info: String::from(info), layout }
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The log as text, and how the walk ended.
    pub(super) fn log(&self) -> (Vec<u8>, Result<Tally, LogError>) {
        let mut out = Vec::new();
        let tally = self.visit(0x400, |record| write_line(record, &mut |bytes| out.extend_from_slice(bytes)));
        (out, tally)
    }

    pub(super) fn visit(
        &self,
        text_len: usize,
        mut visit: impl FnMut(&Record<'_>),
    ) -> Result<Tally, LogError> {
        let mut text = std::vec![0; text_len];
        let mut read = |addr: VirtAddr, buf: &mut [u8]| {
            let start =
                usize::try_from(addr.0.checked_sub(BASE).ok_or(Fault::Hole)?).map_err(|_| Fault::Hole)?;
            let end = start.checked_add(buf.len()).ok_or(Fault::Hole)?;
            buf.copy_from_slice(self.memory.get(start..end).ok_or(Fault::Hole)?);
            Ok(())
        };
        let info = VmcoreInfo::new(self.info.as_bytes());
        for_each_record(&info, self.layout, &mut read, &mut text, &mut visit)
    }

    /// Runs the walk over every variant of the machine with a byte of `range` changed, and over every cut of its
    /// memory: it must end, and quietly.
    pub(super) fn survive_damage(&mut self, range: core::ops::Range<usize>) {
        for at in range {
            let before = self.memory[at];
            for value in [0, 1, 0x7f, 0x80, 0xff, before.wrapping_add(1), before.wrapping_sub(1)] {
                self.memory[at] = value;
                let _ = self.log();
            }
            self.memory[at] = before;
        }
        let whole = self.memory.clone();
        for len in (0..whole.len()).step_by(4) {
            self.memory.truncate(0);
            self.memory.extend_from_slice(&whole[..len]);
            let _ = self.log();
        }
        self.memory = whole;
    }
}
