//! `kcap watch`: loads the crash kernel again when memory or CPUs come or go, where the running kernel does not bring the
//! elfcorehdr up to date itself.

use core::time::Duration;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use clap::Args;
use host::kexec::{CrashNotes, FirmwareEntry, MemoryBlock, Running};
use host::uevents::Uevents;
use kexec_core::burst::Burst;

use crate::exit::{Exit, Failure};
use crate::load::args::LoadingArgs;
use crate::load::{is_crash_loaded, is_kept, is_possible, load_if};

/// Memory that is removed leaves the memory map after the last event that tells of it: so the machine is looked at without one, too.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

pub(crate) const HELP: &str = "\
Loads the crash kernel at once, then listens to the kernel's events of memory and CPUs, and looks every 10 seconds. Where
what a crash kernel is told has changed, or none is loaded any more, it is loaded again, once for many events, and never
while a memory block changes its state. It ends only
where the running kernel keeps a loaded crash kernel up to date itself, as with --hotplug one does that can, and where a
load fails: the service manager may start it again.

Example:
  kcap watch --hotplug /boot/vmlinuz --initrd /boot/kdump.img --reuse-cmdline --append 'nr_cpus=1 reset_devices'

Exit status:
  0   nothing to watch: the running kernel keeps the loaded crash kernel up to date itself
  1   failed: a crash kernel could not be loaded
  64  wrong usage";

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    loading: LoadingArgs,
    /// Load when no event came for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600))]
    settle: u32,
    /// Wait for that no longer than so many seconds from the first event on
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    settle_max: u32,
}

/// Watches until there is no need to, or a load fails.
pub(crate) fn run(args: &WatchArgs) -> Result<Exit, Failure> {
    let events = Uevents::listen().map_err(|error| Failure::new(format!("the kernel's events: {error}")))?;
    let mut loading = args.loading.clone();
    // Where the kernel cannot, this program does.
    loading.planning.hotplug &= is_possible();
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let millis = |seconds: u32| u64::from(seconds).saturating_mul(1000);
    let mut burst = Burst::new(millis(args.settle), millis(args.settle_max));
    let mut count = 0_u64;
    let mut loaded = None;
    // What came before is in no event: the first load waits for none.
    let mut is_due = true;
    loop {
        if is_due {
            // Someone else may have unloaded it.
            let known = loaded.as_ref().filter(|_| is_crash_loaded());
            match load_anew(known, Machine::read, |is_current| load_if(&loading, is_current))? {
                Outcome::Loaded(seen) => {
                    if is_kept() {
                        return Ok(nothing_to_do());
                    }
                    seen.say(loaded.is_some(), count);
                    loaded = Some(seen);
                    count = 0;
                }
                Outcome::Same => count = 0,
                Outcome::Changing => burst.event(now()),
            }
        }
        let time = burst.due().map_or(LOOK_AGAIN, |due| Duration::from_millis(due.saturating_sub(now())));
        let event =
            events.wait(Some(time)).map_err(|error| Failure::new(format!("the kernel's events: {error}")))?;
        if event {
            burst.event(now());
            count = count.saturating_add(1);
        }
        let is_quiet = !event && burst.due().is_none();
        is_due = burst.ends(now()) || is_quiet;
    }
}

fn nothing_to_do() -> Exit {
    say("nothing to watch: the running kernel keeps the loaded crash kernel up to date itself");
    Exit::Done
}

fn say(line: &str) {
    // Nothing to read it is no reason to stop.
    let _ = writeln!(io::stdout(), "{line}");
}

/// What became of a load.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The crash kernel knows this machine.
    Loaded(Machine),
    /// What it would be told is what it was told.
    Same,
    /// The machine is still changing.
    Changing,
}

/// Loads unless the machine is as it was when what is `loaded` was, and not while it changes: `load` does it if the question
/// that it is given, once all is planned, is answered with yes, and says whether it did.
fn load_anew(
    loaded: Option<&Machine>,
    mut read: impl FnMut() -> Result<Machine, Failure>,
    load: impl FnOnce(&mut dyn FnMut() -> Result<bool, Failure>) -> Result<bool, Failure>,
) -> Result<Outcome, Failure> {
    let seen = read()?;
    if seen.is_changing() {
        return Ok(Outcome::Changing);
    }
    if loaded.is_some_and(|loaded| loaded.told == seen.told) {
        return Ok(Outcome::Same);
    }
    let is_loaded = load(&mut || Ok(read()? == seen))?;
    Ok(if is_loaded { Outcome::Loaded(seen) } else { Outcome::Changing })
}

/// Memory and CPUs at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    told: Told,
    blocks: Vec<MemoryBlock>,
}

/// What a load reads of them.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    iomem: Vec<u8>,
    firmware: Vec<FirmwareEntry>,
    notes: Vec<CrashNotes>,
}

impl Machine {
    fn read() -> Result<Self, Failure> {
        let running = Running::here();
        let iomem = running.iomem().map_err(|error| Failure::with_path(Path::new("/proc/iomem"), &error))?;
        let told = Told { iomem, firmware: running.firmware_memmap(), notes: running.crash_notes() };
        Ok(Self { told, blocks: running.memory_blocks() })
    }

    /// Whether a memory block is between two states: it is in the memory map still, or already.
    fn is_changing(&self) -> bool {
        self.blocks.iter().any(MemoryBlock::is_going)
    }

    fn say(&self, again: bool, events: u64) {
        let machine = format!("{} memory blocks, {} CPUs", self.blocks.len(), self.told.notes.len());
        say(&if again {
            format!("loaded again after {events} events: {machine}")
        } else {
            format!("loaded: {machine}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(iomem: &str, states: &[&str]) -> Machine {
        let block = |(number, state): (u32, &&str)| MemoryBlock { number, state: state.as_bytes().to_vec() };
        Machine {
            told: Told { iomem: iomem.into(), firmware: Vec::new(), notes: Vec::new() },
            blocks: (0..).zip(states).map(block).collect(),
        }
    }

    /// What becomes of a load on a machine that is seen like this at each look, and how often was looked.
    fn outcome(loaded: Option<&Machine>, looks: [(&str, &[&str]); 2]) -> (Outcome, usize) {
        let mut seen = 0_usize;
        let mut looks = looks.into_iter();
        let read = || {
            seen = seen.saturating_add(1);
            looks.next().map(|(iomem, states)| machine(iomem, states)).ok_or(Failure::new("a third look"))
        };
        let outcome = load_anew(loaded, read, |is_current| is_current()).unwrap();
        (outcome, seen)
    }

    #[test]
    fn a_machine_that_stays_as_it_is_is_loaded_once() {
        let now = ("ram", &["online\n", "offline\n"][..]);
        let loaded = machine(now.0, now.1);
        assert_eq!(outcome(None, [now, now]), (Outcome::Loaded(machine(now.0, now.1)), 2));
        assert_eq!(outcome(Some(&loaded), [now, now]), (Outcome::Same, 1));
        // Onlined memory was in the map already.
        assert_eq!(outcome(Some(&loaded), [("ram", &["online\n"; 2]), now]), (Outcome::Same, 1));
        let more = ("more ram", &["online\n"; 3][..]);
        assert_eq!(outcome(Some(&loaded), [more, more]), (Outcome::Loaded(machine(more.0, more.1)), 2));
    }

    #[test]
    fn nothing_is_loaded_while_memory_comes_or_goes() {
        let now = ("ram", &["online\n"; 2][..]);
        for going in ["going-offline\n", ""] {
            assert_eq!(outcome(None, [("ram", &["online\n", going]), now]), (Outcome::Changing, 1));
        }
        // While it was planned.
        for other in [("more ram", now.1), ("ram", &["online\n", "going-offline\n"]), ("ram", &["online\n"])]
        {
            assert_eq!(outcome(None, [now, other]), (Outcome::Changing, 2));
        }
    }

    #[test]
    fn a_load_that_fails_ends_the_watch() {
        let read = || Ok(machine("ram", &[]));
        let failed = load_anew(None, read, |_| Err(Failure::new("no room")));
        assert!(failed.is_err());
    }
}
