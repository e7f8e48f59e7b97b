//! Files through which a process has hold of memory or devices that a new kernel takes from it.

use super::verdict::Verdict::{Block, Info, Ok, Warn};
use super::verdict::Verdicts;

/// A file that a process has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFile<'a> {
    /// The process.
    pub pid: u32,
    /// Its path, as `/proc/PID/fd/*` links to it: also `anon_inode:kvm-vm` and `/memfd:name (deleted)`.
    pub path: &'a str,
    /// What it is, and its number.
    pub kind: FileKind,
    /// Whether a live-update session keeps it (`LIVEUPDATE_SESSION_PRESERVE_FD`): whoever holds the session knows it.
    pub preserved: bool,
}

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A character device, by its number.
    CharDevice {
        /// The driver's number.
        major: u32,
        /// The device's.
        minor: u32,
    },
    /// A file on `hugetlbfs` (`HUGETLBFS_MAGIC`), where memory of `MFD_HUGETLB` lies too.
    Hugetlb,
    /// Anything else.
    Other,
}

/// A class of special files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileClass {
    /// The machine's memory or ports as a file.
    KernelMemory,
    /// A device that user space drives, which may write to memory on its own.
    UserDevice,
    /// A virtual machine.
    VirtualMachine,
    /// Memory without a file system, in pages that a live update can hand over.
    Memfd,
    /// The same in huge pages or hidden from the kernel, which none can.
    LostMemfd,
    /// A device's memory mapped past the page cache.
    Dax,
    /// `/dev/liveupdate` itself, which one process at a time can have.
    LiveUpdate,
}

impl FileClass {
    /// The class in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KernelMemory => "the machine's memory",
            Self::UserDevice => "a device that user space drives",
            Self::VirtualMachine => "a virtual machine",
            Self::Memfd => "a memfd",
            Self::LostMemfd => "a memfd that no live update hands over",
            Self::Dax => "memory of a device (DAX)",
            Self::LiveUpdate => "the live-update device",
        }
    }

    /// Whether a live update can be told to keep such a file.
    const fn can_be_preserved(self) -> bool {
        matches!(self, Self::UserDevice | Self::VirtualMachine | Self::Memfd)
    }

    /// The table's line: what an open file of the class means where nobody can stop its holder and start it again.
    pub(super) const fn verdicts(self) -> Verdicts {
        match self {
            Self::KernelMemory | Self::Dax => [Some(Info), Some(Warn), Some(Warn)],
            Self::UserDevice | Self::VirtualMachine => [Some(Info), Some(Warn), Some(Block)],
            Self::Memfd => [None, None, Some(Ok)],
            Self::LostMemfd | Self::LiveUpdate => [None, None, Some(Block)],
        }
    }
}

/// How a special file is known.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// A character device of this number.
    Device(u32, u32),
    /// A character device of this driver.
    Driver(u32),
    /// Exactly this path.
    Path(&'static str),
    /// A path that begins so.
    Below(&'static str),
    /// A path that begins so, on `hugetlbfs`.
    HugetlbBelow(&'static str),
}

/// The classes, as of Linux 6.19; the first mark that fits decides.
///
/// Source: `Documentation/admin-guide/devices.txt` for the numbers; misc devices (major 10) have minors of their own on each
/// machine, and are known by their paths. `anon_inode` names: `virt/kvm`, `drivers/vfio`. What a live update hands over:
/// `mm/memfd_luo.c` (shmem, not `MFD_HUGETLB`).
const MARKS: &[(Mark, FileClass)] = &[
    (Mark::Device(1, 1), FileClass::KernelMemory),
    (Mark::Device(1, 2), FileClass::KernelMemory),
    (Mark::Device(1, 4), FileClass::KernelMemory),
    (Mark::Path("/dev/mem"), FileClass::KernelMemory),
    (Mark::Path("/dev/kmem"), FileClass::KernelMemory),
    (Mark::Path("/dev/port"), FileClass::KernelMemory),
    (Mark::Path("/dev/crash"), FileClass::KernelMemory),
    (Mark::Path("/proc/kcore"), FileClass::KernelMemory),
    (Mark::Below("/dev/vfio/"), FileClass::UserDevice),
    (Mark::Below("anon_inode:[vfio-device]"), FileClass::UserDevice),
    (Mark::Path("/dev/iommu"), FileClass::UserDevice),
    (Mark::Driver(231), FileClass::UserDevice),
    (Mark::Below("/dev/infiniband/uverbs"), FileClass::UserDevice),
    (Mark::Below("/dev/uio"), FileClass::UserDevice),
    (Mark::Path("anon_inode:kvm-vm"), FileClass::VirtualMachine),
    (Mark::Path("anon_inode:[kvm-gmem]"), FileClass::LostMemfd),
    (Mark::HugetlbBelow("/memfd:"), FileClass::LostMemfd),
    (Mark::Path("/secretmem (deleted)"), FileClass::LostMemfd),
    (Mark::Below("/memfd:"), FileClass::Memfd),
    (Mark::Below("/dev/dax"), FileClass::Dax),
    (Mark::Path("/dev/liveupdate"), FileClass::LiveUpdate),
];

impl OpenFile<'_> {
    /// The class of the file, if it is a special one: others need not be in a snapshot.
    #[must_use]
    pub fn class(&self) -> Option<FileClass> {
        MARKS.iter().find(|(mark, _)| self.has(*mark)).map(|(_, class)| *class)
    }

    /// Whether a live update hands it over.
    pub(super) fn is_handed_over(&self, class: FileClass) -> bool {
        self.preserved && class.can_be_preserved()
    }

    fn has(&self, mark: Mark) -> bool {
        match mark {
            Mark::Device(major, minor) => self.kind == FileKind::CharDevice { major, minor },
            Mark::Driver(wanted) => {
                matches!(self.kind, FileKind::CharDevice { major, .. } if major == wanted)
            }
            Mark::Path(path) => self.path == path,
            Mark::Below(start) => self.path.starts_with(start),
            Mark::HugetlbBelow(start) => self.kind == FileKind::Hugetlb && self.path.starts_with(start),
        }
    }
}
