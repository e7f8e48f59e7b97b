//! `kcap preflight`: is the machine ready for what is about to be done?

pub(crate) mod args;
mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use host::preflight::{Machine, Memory, Wanted, may_be_folder};
use kexec_core::preflight::{Verdict, check};
use page_filter::Level;
use vmcore_format::kdump::Compression;

use crate::estimate::Live;
use crate::exit::{Exit, Failure};
use args::PreflightArgs;
use show::Told;

/// Where distributions put dumps.
const TARGET: &str = "/var/crash";

/// Looks, and says what was found.
pub(crate) fn run(args: &PreflightArgs) -> Result<Exit, Failure> {
    let (start, now) = (Instant::now(), SystemTime::now());
    let usual = PathBuf::from(TARGET);
    let root = Path::new("/");
    let memory = Memory::read(root);
    let live = Live::by_counters(root, &memory).ok();
    let dump = live.as_ref().map(dump_needs);
    let wanted = Wanted {
        crash_needs: live.as_ref().map(Live::crash_needs),
        dump_needs: dump,
        target: args.target.clone().or_else(|| may_be_folder(&usual).then_some(usual)),
        checkpoint: args.checkpoint,
    };
    let machine = Machine::collect(root, memory, wanted);
    let text = machine.with_snapshot(|snapshot| {
        let mut findings = Vec::new();
        let verdict = check(snapshot, args.purpose.into(), &mut |finding| findings.push(*finding));
        let told = Told {
            purpose: args.purpose.into(),
            checkpoint: args.checkpoint,
            verdict,
            findings: &findings,
            processes: snapshot.processes.len(),
            as_of: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            took: start.elapsed(),
        };
        (if args.json { show::json_text(&told) } else { show::plain_text(&told) }, verdict)
    });
    let (text, verdict) = text;
    told(io::stdout().write_all(text.as_bytes()), verdict)
}

/// The verdict holds whoever reads the text: a script may ask for the exit code alone.
fn told(written: io::Result<()>, verdict: Verdict) -> Result<Exit, Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::stdout(&error)),
        _ => Ok(exit(verdict)),
    }
}

/// A dump that leaves out all that can be: compressed, and as it is.
fn dump_needs(live: &Live) -> (u64, u64) {
    let level = Level::all();
    let (least, most) = (live.dump(level, Compression::Zstd), live.dump(level, Compression::Raw));
    (*least.bytes.start(), *most.bytes.end())
}

fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Ok | Verdict::Info => Exit::Done,
        Verdict::Warn => Exit::Warned,
        Verdict::Block => Exit::Blocked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_changes_no_verdict() {
        let gone = || Err(io::ErrorKind::BrokenPipe.into());
        assert_eq!(told(gone(), Verdict::Block).ok(), Some(Exit::Blocked));
        assert_eq!(told(gone(), Verdict::Warn).ok(), Some(Exit::Warned));
        assert_eq!(told(Ok(()), Verdict::Info).ok(), Some(Exit::Done));
        assert!(told(Err(io::ErrorKind::StorageFull.into()), Verdict::Ok).is_err());
    }
}
