//! One output of a dump: the loop around the dumper.

use core::time::Duration;

use host::{LendMemory, finish_on_threads};
use page_filter::dump::{self, Dumper, Format, Options, Outcome, Phase, Source};
use page_filter::redact::Redaction;
use page_filter::{Kernel, PhysMemory};
use vmcore_format::WriteAt;
use vmcore_format::elf::Header;

use crate::messages::Messages;
use crate::progress::Progress;

/// The least memory to work in: 1 MiB.
const LEAST: u64 = 1 << 20;
/// Memory beyond the bitmap of all page frames that makes nothing faster.
const BEYOND_BITMAP: u64 = 2 << 20;
/// The most memory to take unasked: the bitmap of 2 TiB in pages of 4 KiB.
const MOST: u64 = 64 << 20;

/// How one output ended.
pub(crate) struct Saved {
    /// What the dumper did.
    pub(crate) report: dump::Report,
    /// Why it could not go on, if it could not.
    pub(crate) error: Option<dump::Error>,
    /// Whether an output that broke off has all that was held, and the mark of an incomplete dump.
    pub(crate) marked: bool,
    /// How long each phase took.
    pub(crate) phases: Vec<(&'static str, Duration)>,
    /// The memory it worked in, in bytes.
    pub(crate) memory: u64,
}

impl Saved {
    /// Whether the output is whole, as far as the input was.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.error.is_some() { Outcome::Incomplete } else { self.report.outcome() }
    }

    /// Whether an output that broke off holds pages, so that it is worth keeping.
    pub(crate) fn is_of_use(&self) -> bool {
        self.report.saved > 0
    }
}

/// The memory to work in: what the user `asked` for, or else no more than a quarter of what the machine has left; never
/// more than what the bitmap of all page frames needs and a little, for the rest would lie idle.
pub(crate) fn memory_size(machine: &Source<'_>, asked: Option<u64>) -> u64 {
    let loads = u64::try_from(machine.loads.len()).unwrap_or(u64::MAX);
    let tables = machine.end.0.div_ceil(8).saturating_add(loads.saturating_mul(4));
    let whole = tables.saturating_add(BEYOND_BITMAP);
    let unasked = || host::available_memory().map_or(MOST, |available| available / 4).clamp(LEAST, MOST);
    whole.min(asked.unwrap_or_else(unasked))
}

/// What a dump reads from.
pub(crate) struct Readers<'r, 'a> {
    /// That of this thread.
    pub(crate) memory: &'r mut (dyn PhysMemory + 'a),
    pub(crate) lend_memory: &'r LendMemory<'a>,
    /// How many threads there are, this one among them.
    pub(crate) threads: usize,
    /// What is hidden of it.
    pub(crate) redaction: Redaction<'r>,
}

/// Dumps the machine to `out` in `memory_size` bytes (more, if the caller did not choose them and they are too few).
pub(crate) fn save(
    machine: Source<'_>,
    kernel: Option<&mut Kernel>,
    readers: Readers<'_, '_>,
    options: Options,
    memory_size: u64,
    out: &mut dyn WriteAt,
    messages: Messages,
) -> Result<Saved, dump::Error> {
    let mut words = workspace(memory_size)?;
    let Readers { memory, lend_memory, threads, redaction } = readers;
    let mut dumper = Dumper::new(machine, kernel, options, &mut words)?;
    dumper.redact(redaction)?;
    let mut phases = Phases { done: Vec::new(), now: None, messages };
    phases.enter(Phase::Scan);
    let mut told = |now: dump::Progress| {
        phases.enter(now.phase);
        phases.update(now.done, now.total);
        if host::interrupted() { Err(dump::Error::Io { code: host::EINTR }) } else { Ok(()) }
    };
    let result = if threads > 1 {
        finish_on_threads(&mut dumper, memory, lend_memory, threads, out, &mut told)
    } else {
        finish(&mut dumper, memory, out, &mut told)
    };
    // A signal that came when all was written came too late.
    let error = result.err().filter(|_| dumper.progress().phase != Phase::Finished);
    // The first failure is the one to tell of. Processors with a use of their own for the bit leave no mark in ELF.
    let has_mark = options.format == Format::Kdump
        || Header::core(machine.layout, machine.e_machine, 1).has_incomplete_flag();
    let marked = error.is_some_and(|error| {
        matches!(dumper.abandon(out), Ok(()) | Err(dump::Error::Limit))
            && has_mark
            && error != dump::Error::Changed
    });
    let phases = phases.end(error.is_none());
    Ok(Saved { report: *dumper.report(), error, marked, phases, memory: memory_size })
}

/// Brings the dump to its end on this thread.
fn finish(
    dumper: &mut Dumper<'_>,
    memory: &mut dyn PhysMemory,
    out: &mut dyn WriteAt,
    told: &mut dyn FnMut(dump::Progress) -> Result<(), dump::Error>,
) -> Result<(), dump::Error> {
    loop {
        let now = dumper.step(memory, out)?;
        told(now)?;
        if now.phase == Phase::Finished {
            return Ok(());
        }
    }
}

/// Zeroed memory of `size` bytes, or the error that there is no such memory.
fn workspace(size: u64) -> Result<Vec<u64>, dump::Error> {
    let none = dump::Error::Io { code: host::ENOMEM };
    let len = usize::try_from(size / 8).map_err(|_| none)?;
    let mut words = Vec::new();
    words.try_reserve_exact(len).map_err(|_| none)?;
    words.resize(len, 0);
    Ok(words)
}

/// The phases that the user sees, with makedumpfile's names.
struct Phases {
    done: Vec<(&'static str, Duration)>,
    now: Option<(&'static str, Progress)>,
    messages: Messages,
}

impl Phases {
    fn enter(&mut self, phase: Phase) {
        let name = match phase {
            Phase::Scan => "Excluding unnecessary pages",
            Phase::Write | Phase::Written | Phase::Finished => "Copying data",
        };
        if self.now.as_ref().is_some_and(|(now, _)| *now == name) {
            return;
        }
        self.close(true);
        self.now = Some((name, Progress::start(name, self.messages)));
    }

    fn update(&mut self, done: u64, total: u64) {
        if let Some((_, progress)) = &mut self.now {
            progress.update(done, total);
        }
    }

    fn close(&mut self, whole: bool) {
        if let Some((name, progress)) = self.now.take() {
            let took = progress.elapsed();
            self.done.push((name, took));
            if whole {
                progress.finish();
            } else {
                progress.abandon();
            }
        }
    }

    fn end(mut self, whole: bool) -> Vec<(&'static str, Duration)> {
        self.close(whole);
        self.done
    }
}
