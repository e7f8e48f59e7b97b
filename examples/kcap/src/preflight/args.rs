//! `kcap preflight` on the command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kexec_core::preflight::Purpose;

pub(crate) const HELP: &str = "\
Nothing is changed. What is found is as of one moment: a process may open a file the next.
A holder of a special file that a systemd service started is less severe than one that was
started by hand: systemd can stop it before and start it again after.
The kernel does not tell where an ordinary kernel (kcap load -l) is to lie: whether memory of a
loaded kernel can be taken away is looked at for the crash kernel's reservation alone.

Exit status:
  0   nothing in the way
  1   something will be lost, or may go wrong
  2   it cannot work, or is not safe
  64  wrong usage";

#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    /// What is about to be done
    #[arg(long = "for", value_name = "PURPOSE", value_enum)]
    pub(crate) purpose: PurposeArg,
    /// The folder for dumps, for kdump [default: /var/crash, if it is there]
    #[arg(long, value_name = "DIR")]
    pub(crate) target: Option<PathBuf>,
    /// Processes are to go on in the next kernel (CRIU): each must be one that can be checkpointed
    #[arg(long)]
    pub(crate) checkpoint: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PurposeArg {
    /// A crash, and the dump after it
    Kdump,
    /// Another kernel, started from this one
    Kexec,
    /// The same, with memory and devices handed over
    Liveupdate,
}

impl From<PurposeArg> for Purpose {
    fn from(purpose: PurposeArg) -> Self {
        match purpose {
            PurposeArg::Kdump => Self::Kdump,
            PurposeArg::Kexec => Self::Kexec,
            PurposeArg::Liveupdate => Self::LiveUpdate,
        }
    }
}
