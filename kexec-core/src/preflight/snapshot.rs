//! A machine at one moment.

use super::facts::Facts;
use super::process::Process;
use super::special::OpenFile;

/// What a machine was at one moment, as far as the rules need it. The caller owns everything.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// What the machine says of itself.
    pub facts: &'a Facts<'a>,
    /// All processes, in the order of their numbers.
    pub processes: &'a [Process<'a>],
    /// Files that processes have open, in any order. Those that are not special may be left out.
    pub files: &'a [OpenFile<'a>],
    /// The process that starts and stops services: 1 where systemd runs, `srcmstr` on AIX. It is asked for where a process has
    /// no unit.
    pub service_manager: Option<u32>,
    /// Whether processes are to go on in the next kernel (CRIU; AIX's live kernel update), so that each must be one that can be
    /// checkpointed. Else a live update ends them, and keeps only what it is given.
    pub checkpoint: bool,
}
