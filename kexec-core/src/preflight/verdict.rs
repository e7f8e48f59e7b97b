//! What is about to be done, and what a finding means for it.

use core::fmt;

/// What the machine is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A crash: the kernel that was loaded for it captures the machine's memory.
    Kdump,
    /// Leaving the running kernel for another one; processes end.
    Kexec,
    /// The same, with memory and devices handed over (KHO and `/dev/liveupdate`, Linux 6.16 and 6.19).
    LiveUpdate,
}

impl Purpose {
    /// The name on command lines: `kdump`, `kexec`, `liveupdate`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kdump => "kdump",
            Self::Kexec => "kexec",
            Self::LiveUpdate => "liveupdate",
        }
    }
}

/// How bad a finding is; the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Verdict {
    /// As it should be.
    #[default]
    Ok,
    /// Worth knowing.
    Info,
    /// Something will be lost, or may go wrong.
    Warn,
    /// What is about to be done cannot work, or is not safe.
    Block,
}

impl Verdict {
    /// The name in reports: `ok`, `info`, `warn`, `block`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }

    /// The verdict on what the service manager can stop before and start again after: one step better, never good.
    pub(super) const fn if_managed(self) -> Self {
        match self {
            Self::Block => Self::Warn,
            Self::Warn | Self::Info => Self::Info,
            Self::Ok => Self::Ok,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A line of the table of verdicts: for a crash, a kexec, a live update. `None`: it does not matter.
pub(super) type Verdicts = [Option<Verdict>; 3];

/// The column of `purpose`.
pub(super) const fn of(verdicts: Verdicts, purpose: Purpose) -> Option<Verdict> {
    let [kdump, kexec, live_update] = verdicts;
    match purpose {
        Purpose::Kdump => kdump,
        Purpose::Kexec => kexec,
        Purpose::LiveUpdate => live_update,
    }
}
