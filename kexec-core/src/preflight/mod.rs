//! Whether a machine is ready for what is about to be done: a crash, a kexec, a live update.
//!
//! Rules over a snapshot that the caller collects; they read nothing, open nothing and allocate nothing. On a live update of
//! AIX one process with `/dev/kmem` open is enough to make it fail, late; what its service manager (SRC) had started was exempt,
//! since that can stop it and start it again. Linux has systemd for that, and ends processes where AIX checkpoints them, so
//! most files are worth a warning at most: [`Snapshot::checkpoint`] says which of the two is meant.
//!
//! A snapshot is old the moment it was taken: a report says when that was.

mod verdict;

mod process;
mod special;

mod facts;
mod finding;
mod ram;

mod snapshot;

mod handover;
mod holders;
mod loading;
mod target;

#[cfg(test)]
mod tests;

pub use facts::{Facts, Kho, LiveUpdateDevice, Target};
pub use finding::{Check, Finding, Reason, Remedy};
pub use process::{Owner, Process};
pub use ram::ram_digest;
pub use snapshot::Snapshot;
pub use special::{FileClass, FileKind, OpenFile};
pub use verdict::{Purpose, Verdict};

/// Who takes findings.
type Sink<'f, 'a> = dyn FnMut(&Finding<'a>) + 'f;

/// Looks at a machine for `purpose`: gives each finding to `found`, and answers the worst verdict.
///
/// The time is that of the snapshot's size, times the logarithm of the number of processes; where units are not known, times
/// the depth of the tree of processes.
pub fn check<'a>(snapshot: &Snapshot<'a>, purpose: Purpose, found: &mut dyn FnMut(&Finding<'a>)) -> Verdict {
    let mut worst = Verdict::Ok;
    let mut found = |finding: &Finding<'a>| {
        worst = worst.max(finding.verdict);
        found(finding);
    };
    loading::crash_image(snapshot, purpose, &mut found);
    loading::memory_map(snapshot, purpose, &mut found);
    loading::removable_memory(snapshot, purpose, &mut found);
    loading::loading(snapshot, purpose, &mut found);
    target::dump_target(snapshot, purpose, &mut found);
    handover::live_update(snapshot, purpose, &mut found);
    handover::huge_pages(snapshot, purpose, &mut found);
    holders::open_files(snapshot, purpose, &mut found);
    holders::locked_memory(snapshot, purpose, &mut found);
    holders::unseen(snapshot, purpose, &mut found);
    worst
}
