//! Notes of the Xen hypervisor.

use crate::fields::FieldReader;
use crate::{Error, Field, Layout};

/// What the Xen hypervisor says about itself: "Xen", `XEN_ELFNOTE_CRASH_INFO`, once in a dump.
///
/// Words of the hypervisor: eight on Arm, and on x86 one or two more by its age. Source: `crash_xen_info_t`, `xen/include/xen/elfcore.h` (Xen 4.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XenCrashInfo {
    /// Xen's major version.
    pub major_version: u64,
    /// Xen's minor version.
    pub minor_version: u64,
    /// Physical address of the text after the version numbers, in bytes.
    pub extra_version: u64,
    /// Physical address of the text that names the source revision, in bytes.
    pub changeset: u64,
    /// Physical address of the text that names the compiler, in bytes.
    pub compiler: u64,
    /// Physical address of the text that says when Xen was built, in bytes.
    pub compile_date: u64,
    /// Physical address of the text that says at which time, in bytes.
    pub compile_time: u64,
    /// Taint bits of the hypervisor.
    pub tainted: u64,
    /// Physical address at which Xen was loaded, in bytes; the ninth word where there are ten.
    pub xen_phys_start: Option<u64>,
    /// Machine frame of the list of lists of dom0's frames; the last word where there are more than eight.
    pub dom0_pfn_to_mfn_frame_list_list: Option<u64>,
}

impl XenCrashInfo {
    /// Reads the descriptor `desc`; words have the size and byte order of `layout`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it ends before `tainted` does; its offset counts from the start of `desc`.
    pub fn parse(desc: &[u8], layout: Layout) -> Result<Self, Error> {
        let mut words = FieldReader::new(desc, layout, Field::XenCrashInfo, 0);
        let mut info = Self {
            major_version: words.word()?,
            minor_version: words.word()?,
            extra_version: words.word()?,
            changeset: words.word()?,
            compiler: words.word()?,
            compile_date: words.word()?,
            compile_time: words.word()?,
            tainted: words.word()?,
            xen_phys_start: None,
            dom0_pfn_to_mfn_frame_list_list: None,
        };
        // `xen_phys_start` was put in before the list that had been the last word.
        (info.xen_phys_start, info.dom0_pfn_to_mfn_frame_list_list) =
            match (words.word().ok(), words.word().ok()) {
                (ninth, Some(tenth)) => (ninth, Some(tenth)),
                (ninth, None) => (None, ninth),
            };
        Ok(info)
    }
}

/// A CPU's control registers under Xen on x86: "Xen", `XEN_ELFNOTE_CRASH_REGS`, four words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XenCrashRegs {
    /// CR0.
    pub cr0: u64,
    /// CR2, a virtual address.
    pub cr2: u64,
    /// CR3, a physical address and flags.
    pub cr3: u64,
    /// CR4.
    pub cr4: u64,
}

impl XenCrashRegs {
    /// Reads the descriptor `desc`; words have the size and byte order of `layout`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it ends early; its offset counts from the start of `desc`.
    pub fn parse(desc: &[u8], layout: Layout) -> Result<Self, Error> {
        let mut words = FieldReader::new(desc, layout, Field::XenCrashRegs, 0);
        Ok(Self { cr0: words.word()?, cr2: words.word()?, cr3: words.word()?, cr4: words.word()? })
    }
}
