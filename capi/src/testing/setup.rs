//! What most tests start from: the objects that an ELF core is read by.

use core::ptr::null_mut;

use super::{Memory, Room, sized};
use crate::callback::kcap_read_at;
use crate::dump::{kcap_dump_options, kcap_dumper, kcap_dumper_init};
use crate::elf::{kcap_elf_core, kcap_elf_core_init};
use crate::kernel::{kcap_kernel, kcap_kernel_init};
use crate::memory::{kcap_memory, kcap_memory_elf_work, kcap_memory_init_elf};
use crate::source::{kcap_source, kcap_source_init_elf};
use crate::status::KCAP_OK;

/// A dumper's memory in bytes: Miri takes a second to clear a MiB.
pub(crate) const WORK: usize = if cfg!(miri) { 1 << 17 } else { 1 << 20 };

/// Everything that a dump of an ELF core is made of.
pub(crate) struct Setup {
    pub(crate) core: Room<kcap_elf_core>,
    pub(crate) table: Memory,
    pub(crate) source: Room<kcap_source>,
    pub(crate) text: Memory,
    pub(crate) memory: Room<kcap_memory>,
    pub(crate) slots: Memory,
    pub(crate) kernel: Room<kcap_kernel>,
}

impl Setup {
    pub(crate) fn new(file: &'static kcap_read_at) -> Self {
        let mut setup = Self {
            core: Room::new(),
            table: Memory::new(64 * 64),
            source: Room::new(),
            text: Memory::new(0x2000),
            memory: Room::new(),
            slots: Memory::new(64 * 64),
            kernel: Room::new(),
        };
        let core = setup.core.at();
        // SAFETY: all pointers are to what they say.
        unsafe {
            let opened = kcap_elf_core_init(
                core,
                Room::<kcap_elf_core>::LEN,
                file,
                setup.table.at(),
                setup.table.len(),
                null_mut(),
            );
            assert_eq!(opened, KCAP_OK);
            let (text, text_len) = (setup.text.at().cast(), setup.text.len());
            let source = setup.source.at();
            assert_eq!(
                kcap_source_init_elf(source, Room::<kcap_source>::LEN, core, text, text_len, null_mut()),
                KCAP_OK
            );
            let memory = setup.memory.at();
            let work_len = kcap_memory_elf_work(core);
            let work = setup.slots.at();
            let len = Room::<kcap_memory>::LEN;
            assert_eq!(kcap_memory_init_elf(memory, len, core, 4096, work, work_len, null_mut()), KCAP_OK);
            let kernel = setup.kernel.at();
            assert_eq!(
                kcap_kernel_init(kernel, Room::<kcap_kernel>::LEN, source, memory, null_mut()),
                KCAP_OK
            );
        }
        setup
    }

    /// A dumper at `level`, and its memory.
    pub(crate) fn dumper(&mut self, level: u32) -> (Room<kcap_dumper>, Memory) {
        let (mut dumper, mut work) = (Room::<kcap_dumper>::new(), Memory::new(WORK));
        let options = kcap_dump_options { level, ..sized() };
        let (at, len) = (dumper.at(), Room::<kcap_dumper>::LEN);
        let (source, kernel) = (self.source.at(), self.kernel.at());
        // SAFETY: all pointers are to what they say.
        let status = unsafe {
            kcap_dumper_init(at, len, source, kernel, &raw const options, work.at(), work.len(), null_mut())
        };
        assert_eq!(status, KCAP_OK);
        (dumper, work)
    }
}
