//! What was found: verdict, who, why, and what to do.

use core::fmt;

use super::process::{Owner, Process};
use super::special::FileClass;
use super::verdict::{Purpose, Verdict};
use crate::map::Span;

/// Which question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// Is a crash kernel loaded?
    CrashImage,
    /// Is enough memory set aside for it?
    Reservation,
    /// Does it know the memory that there is?
    MemoryMap,
    /// Can its own memory be taken away?
    RemovableMemory,
    /// May a kernel be loaded?
    Loading,
    /// Who has special files open?
    OpenFile,
    /// Who locks or pins memory?
    LockedMemory,
    /// How much memory is in pools of huge pages?
    HugePages,
    /// Is `/dev/liveupdate` free?
    LiveUpdate,
    /// Is kexec handover on?
    Kho,
    /// Can the dump be written?
    DumpTarget,
    /// Could every process be looked at?
    Unseen,
}

impl Check {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrashImage => "crash_image",
            Self::Reservation => "reservation",
            Self::MemoryMap => "memory_map",
            Self::RemovableMemory => "removable_memory",
            Self::Loading => "loading",
            Self::OpenFile => "open_file",
            Self::LockedMemory => "locked_memory",
            Self::HugePages => "huge_pages",
            Self::LiveUpdate => "live_update",
            Self::Kho => "kho",
            Self::DumpTarget => "dump_target",
            Self::Unseen => "unseen",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The question.
    pub check: Check,
    /// How bad it is.
    pub verdict: Verdict,
    /// The process, if it is about one.
    pub process: Option<Process<'a>>,
    /// The file or folder, if it is about one, or empty.
    pub path: &'a str,
    /// Who can stop the process and start it again.
    pub owner: Owner<'a>,
    /// Why.
    pub reason: Reason,
    /// What to do.
    pub remedy: Remedy<'a>,
}

impl Finding<'_> {
    /// About the machine, not a process.
    pub(super) const fn of_machine(check: Check, verdict: Verdict, reason: Reason) -> Self {
        let owner = Owner::Nobody;
        Self { check, verdict, process: None, path: "", owner, reason, remedy: Remedy::None }
    }
}

/// Why a finding is one. Its text is a line without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A crash kernel is loaded.
    CrashLoaded,
    /// None is.
    CrashNotLoaded,
    /// No memory is set aside for one.
    NoReservation,
    /// Less is set aside than one needs: bytes.
    ReservationSmall {
        /// What is set aside.
        reserved: u64,
        /// What is needed, by an estimate.
        needed: u64,
    },
    /// What is set aside is enough: bytes.
    ReservationEnough {
        /// What is set aside.
        reserved: u64,
        /// What is needed, by an estimate.
        needed: u64,
    },
    /// A part of the reservation is lent to user space.
    ReservationCma,
    /// The map of RAM is the one that was loaded.
    MapSame,
    /// It is not.
    MapStale,
    /// The kernel keeps it up to date.
    MapUpdated,
    /// Nobody left a note of what was loaded.
    MapUnknown,
    /// A kernel's segment lies in memory that may be taken away.
    InRemovableMemory(Span),
    /// The kernel has no kexec.
    NoKexec,
    /// Loading is switched off until the next boot.
    LoadDisabled {
        /// Whether the kernel that is needed is loaded already.
        loaded: bool,
    },
    /// The kernel was loaded as often as it may be.
    LoadLimit {
        /// Whether the kernel that is needed is loaded already.
        loaded: bool,
    },
    /// The kernel is locked down.
    LockedDown {
        /// Whether the kernel that is needed is loaded already.
        loaded: bool,
    },
    /// A process has a special file open.
    Holds {
        /// Of which class.
        class: FileClass,
        /// For what the machine is looked at.
        purpose: Purpose,
        /// Whether processes are to go on in the next kernel.
        checkpoint: bool,
        /// Whether the live update keeps it.
        preserved: bool,
        /// Whether the service manager can stop the process and start it again.
        managed: bool,
    },
    /// A process has memory locked or pinned.
    Locks {
        /// Bytes of `VmLck`.
        locked: u64,
        /// Bytes of `VmPin`.
        pinned: u64,
    },
    /// Pools of huge pages take much of RAM.
    HugePages {
        /// Their bytes.
        bytes: u64,
    },
    /// There is no `/dev/liveupdate`.
    LiveUpdateAbsent,
    /// Somebody has it.
    LiveUpdateBusy,
    /// Kexec handover is off, or this kernel does not have it.
    KhoOff,
    /// Nothing says whether it is on.
    KhoUnknown,
    /// What is handed over is not complete yet.
    KhoNotFinalized,
    /// The next kernel has no memory to start in.
    KhoNoScratch,
    /// The dump's folder cannot be reached.
    TargetUnreachable,
    /// It has less room than a dump takes: bytes.
    TargetSmall {
        /// Its free bytes.
        free: u64,
        /// What a dump takes, by an estimate.
        needed: u64,
    },
    /// It has room.
    TargetEnough {
        /// Its free bytes.
        free: u64,
        /// What a dump takes at most, by an estimate.
        needed: u64,
    },
    /// It is encrypted, and the crash kernel will not have the key.
    TargetLocked,
    /// Files of processes could not be looked at.
    Unseen {
        /// How many processes.
        processes: u64,
    },
}

/// Bytes in whole MiB, rounded up.
struct Mib(u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0.div_ceil(1 << 20))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let already =
            |loaded: bool| if loaded { "; the kernel that is needed is loaded already" } else { "" };
        match *self {
            Self::CrashLoaded => f.write_str("a crash kernel is loaded"),
            Self::CrashNotLoaded => f.write_str("no crash kernel is loaded: a crash would leave nothing"),
            Self::NoReservation => f.write_str("no memory is set aside for a crash kernel"),
            Self::ReservationSmall { reserved, needed } => {
                write!(
                    f,
                    "{} are set aside for the crash kernel, and it may need {}",
                    Mib(reserved),
                    Mib(needed)
                )
            }
            Self::ReservationEnough { reserved, needed } => {
                write!(f, "{} are set aside for the crash kernel, which needs {}", Mib(reserved), Mib(needed))
            }
            Self::ReservationCma => f.write_str(
                "a part of the reservation is lent to user space (cma): a dump lacks what is there",
            ),
            Self::MapSame => f.write_str("memory is as it was when kcap loaded the crash kernel"),
            Self::MapStale => {
                f.write_str("memory came or went since kcap loaded the crash kernel, which was not told")
            }
            Self::MapUpdated => {
                f.write_str("the kernel tells the loaded crash kernel of memory that comes and goes")
            }
            Self::MapUnknown => {
                f.write_str("nothing says which memory there was when the crash kernel was loaded")
            }
            Self::InRemovableMemory(span) => {
                write!(f, "a kernel is loaded at {span}, which can be taken away")
            }
            Self::NoKexec => f.write_str("this kernel has no kexec, or does not say what is loaded"),
            Self::LoadDisabled { loaded } => {
                write!(
                    f,
                    "loading is switched off until the next boot (kexec_load_disabled){}",
                    already(loaded)
                )
            }
            Self::LoadLimit { loaded } => {
                write!(f, "a kernel was loaded as often as it may be (kexec_load_limit){}", already(loaded))
            }
            Self::LockedDown { loaded } => {
                write!(f, "the kernel is locked down and takes signed kernels only{}", already(loaded))
            }
            Self::Holds { class, purpose, checkpoint, preserved, managed } => {
                let what = class.name();
                write!(f, "holds {what}: {}", consequence(class, purpose, checkpoint, preserved))?;
                f.write_str(if managed { "; the service manager can stop and start it again" } else { "" })
            }
            Self::Locks { locked, pinned } => {
                write!(f, "locks {} and pins {} of memory", Mib(locked), Mib(pinned))
            }
            Self::HugePages { bytes } => write!(f, "pools of huge pages take {}", Mib(bytes)),
            Self::LiveUpdateAbsent => {
                f.write_str("this kernel has no /dev/liveupdate: nothing is handed over for user space")
            }
            Self::LiveUpdateBusy => {
                f.write_str("/dev/liveupdate is taken, and one process at a time can have it")
            }
            Self::KhoOff => f.write_str("kexec handover is off, or this kernel does not have it"),
            Self::KhoUnknown => f.write_str("it is not known whether kexec handover is on"),
            Self::KhoNotFinalized => f.write_str("what is handed over is not complete yet"),
            Self::KhoNoScratch => f.write_str("no memory is set aside for the next kernel to start in"),
            Self::TargetUnreachable => f.write_str("the folder for dumps cannot be reached"),
            Self::TargetSmall { free, needed } => {
                write!(f, "{} are free, and a dump at -d 31 may take {}", Mib(free), Mib(needed))
            }
            Self::TargetEnough { free, needed } => {
                write!(f, "{} are free, and a dump at -d 31 takes {} at most", Mib(free), Mib(needed))
            }
            Self::TargetLocked => {
                f.write_str("the folder for dumps is encrypted, and the crash kernel has no key")
            }
            Self::Unseen { processes } => {
                write!(f, "the open files of {processes} processes could not be looked at")
            }
        }
    }
}

/// What becomes of a special file and its holder.
const fn consequence(class: FileClass, purpose: Purpose, checkpoint: bool, preserved: bool) -> &'static str {
    if preserved && matches!(purpose, Purpose::LiveUpdate) {
        return "the live update hands it over";
    }
    match (purpose, class) {
        (Purpose::Kdump, FileClass::UserDevice | FileClass::VirtualMachine) => {
            "the device may write to memory while it is captured"
        }
        (Purpose::Kdump, _) => "the dump shows what it made of it",
        (_, FileClass::Memfd) => "a live-update session can hand it over",
        (_, FileClass::LostMemfd) => "its content is lost",
        (_, FileClass::LiveUpdate) => "only one process at a time can have it",
        (Purpose::LiveUpdate, _) if checkpoint => "a process that has it open cannot be checkpointed",
        (_, FileClass::UserDevice | FileClass::VirtualMachine) => {
            "the process ends, and the device may go on writing to memory"
        }
        _ => "the process ends, and what it does there is cut off",
    }
}

/// What to do about a finding. Its text is a line without a full stop; empty where there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy<'a> {
    /// Nothing.
    None,
    /// Stop the unit before; the service manager starts it again after.
    StopUnit(&'a str),
    /// Have the service manager stop the process, and start it again after.
    StopByServiceManager,
    /// Stop the process, or run it under the service manager.
    StopOrManage(u32),
    /// Load a crash kernel.
    LoadCrashKernel,
    /// Load the crash kernel again, so that it knows the memory that there is.
    Reload,
    /// Boot with so much memory set aside: MiB.
    Reserve(u64),
    /// Load a signed kernel by `kexec_file_load`.
    LoadSigned,
    /// Boot again.
    Reboot,
    /// Boot a kernel that has kexec.
    BootWithKexec,
    /// Keep the memory where the kernel is loaded.
    KeepMemory,
    /// Boot with `kho=on`.
    TurnOnKho,
    /// Finalize what is handed over.
    Finalize,
    /// Make the folder reachable.
    MountTarget,
    /// Free so many bytes.
    FreeSpace(u64),
    /// Give the crash kernel the device's keys.
    GiveKeys,
    /// Look again as root.
    RunAsRoot,
}

impl fmt::Display for Remedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => Ok(()),
            Self::StopUnit(unit) => write!(f, "systemctl stop {unit}"),
            Self::StopByServiceManager => {
                f.write_str("have the service manager stop it, and start it again after")
            }
            Self::StopOrManage(pid) => write!(f, "stop it (kill {pid}) or run it under the service manager"),
            Self::LoadCrashKernel => f.write_str("kcap load -p KERNEL"),
            Self::Reload => f.write_str("load the crash kernel again: kcap load -p KERNEL"),
            Self::Reserve(mib) => write!(f, "boot with crashkernel={mib}M"),
            Self::LoadSigned => f.write_str("load a signed kernel: kcap load -s KERNEL"),
            Self::Reboot => f.write_str("boot again"),
            Self::BootWithKexec => f.write_str("boot a kernel with CONFIG_KEXEC_FILE and CONFIG_CRASH_DUMP"),
            Self::KeepMemory => {
                f.write_str("do not take that memory away, or boot with crashkernel= elsewhere")
            }
            Self::TurnOnKho => f.write_str("boot a kernel with kexec handover, with kho=on"),
            Self::Finalize => f.write_str("finalize the handover"),
            Self::MountTarget => f.write_str("make the folder reachable, or name another one"),
            Self::FreeSpace(bytes) => write!(f, "free {} there", Mib(bytes)),
            Self::GiveKeys => f.write_str(
                "give the crash kernel the keys by configfs crash_dm_crypt_keys, or dump elsewhere",
            ),
            Self::RunAsRoot => f.write_str("look again as root"),
        }
    }
}
