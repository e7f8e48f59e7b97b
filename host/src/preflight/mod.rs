//! What a machine is doing before it is left: collected from `/proc` and `/sys` for the rules of
//! [`kexec_core::preflight`].
//!
//! Nothing is changed, and of the devices only `/dev/liveupdate` is opened, which tells in no other way whether somebody has it.
//! Processes come and go meanwhile: one that is gone is left out.

mod blocks;
mod facts;
mod files;
mod in_time;
mod mounts;
mod processes;
mod stamp;
mod target;

use std::path::{Path, PathBuf};

use kexec_core::preflight::{Facts, Snapshot, Target};

pub use blocks::Memory;
pub use stamp::{forget_map, note_map};
pub use target::may_be_folder;

use facts::Told;
use processes::Found;

/// What the caller adds: estimates, and where the dump goes.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The bytes that a crash kernel needs: at least, and to be safe.
    pub crash_needs: Option<(u64, u64)>,
    /// The bytes of a dump that leaves out all that can be (`-d 31`): at least and at most.
    pub dump_needs: Option<(u64, u64)>,
    /// The folder for dumps.
    pub target: Option<PathBuf>,
    /// Whether processes are to go on in the next kernel.
    pub checkpoint: bool,
}

/// A machine at one moment.
#[derive(Debug)]
pub struct Machine {
    processes: Vec<processes::Collected>,
    files: Vec<files::Collected>,
    memory: Memory,
    told: Told,
    unseen: u64,
    has_systemd: bool,
    target: Option<target::Collected>,
    wanted: Wanted,
}

impl Machine {
    /// Looks at the machine whose `/proc`, `/sys`, `/dev` and `/run` are below `root`; `memory` is what was read of it there.
    #[must_use]
    pub fn collect(root: &Path, memory: Memory, wanted: Wanted) -> Self {
        let Found { processes, files, unseen } = processes::collect(root);
        let target = wanted.target.as_deref().map(|folder| target::collect(root, folder));
        Self {
            processes,
            files,
            unseen,
            memory,
            told: facts::collect(root),
            has_systemd: root.join("run/systemd/system").is_dir(),
            target,
            wanted,
        }
    }

    /// How many processes there are.
    #[must_use]
    pub fn process_count(&self) -> usize {
        self.processes.len()
    }

    /// Calls `work` with what was found.
    pub fn with_snapshot<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> T) -> T {
        let processes: Vec<_> = self.processes.iter().map(processes::Collected::as_process).collect();
        let files: Vec<_> = self.files.iter().map(files::Collected::as_file).collect();
        let target = self.target.as_ref().map(|target| Target {
            path: &target.path,
            free: target.free,
            needs: self.wanted.dump_needs,
            encrypted: target.encrypted,
            keys: target.keys,
        });
        let facts = Facts {
            crash_needs: self.wanted.crash_needs,
            map_now: self.memory.digest,
            crash_segments: &self.memory.crash_kernel,
            removable: &self.memory.removable,
            target,
            unseen: self.unseen,
            ..self.told.as_facts()
        };
        work(&Snapshot {
            facts: &facts,
            processes: &processes,
            files: &files,
            service_manager: self.has_systemd.then_some(1),
            checkpoint: self.wanted.checkpoint,
        })
    }
}

#[cfg(test)]
mod tests;
