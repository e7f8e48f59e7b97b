//! The command line.

use core::ops::Range;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::estimate::args::{self as estimate, EstimateArgs};
use crate::load::args::{self as load, ExecArgs, LoadArgs, PlanArgs, StatusArgs, UnloadArgs};
use crate::messages;
use crate::numbers::{parse_number, parse_range, parse_size};
use crate::preflight::args::{self as preflight, PreflightArgs};
use crate::watch::{self, WatchArgs};

/// Saves, reads and inspects Linux crash dumps.
///
/// FILE and IN are an ELF core (/proc/vmcore, a saved vmcore, QEMU's dump-guest-memory), a kdump-compressed file, or
/// a flattened stream of either: the content tells.
#[derive(Debug, Parser)]
#[command(name = "kcap", version, after_help = EXIT_STATUS, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0   done
  1   failed: there is no usable output
  3   saved, but incomplete: the storage was full, or memory could not be read
  4   saved, but more was kept than asked: a rule could not run (the report says which and why)
  64  wrong usage";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Save a dump: leave out the pages of a dump level, compress the rest
    #[command(override_usage = DUMP_USAGE, after_help = DUMP_HELP)]
    Dump(DumpArgs),
    /// Join the parts of a split dump, or make a plain file of a flattened stream
    #[command(after_help = EXIT_STATUS)]
    Merge(MergeArgs),
    /// Look at every descriptor and every page of a dump
    #[command(after_help = VERIFY_HELP)]
    Verify(InfoArgs),
    /// Say what a file is: format, kernel, crash time, memory, pages of each kind
    Info(InfoArgs),
    /// List the page frames that a file holds, one half-open range `start end` (hexadecimal) a line
    Pages(FileArgs),
    /// Copy bytes of physical memory to standard output
    Read(ReadArgs),
    /// Print the kernel's log, as vmcore-dmesg does
    Dmesg(FileArgs),
    /// Load a kernel: one that a panic starts (-p), or one that `kcap exec` starts (-l)
    #[command(after_help = load::LOAD_HELP)]
    Load(LoadArgs),
    /// Keep a loaded crash kernel up to date: load it again when memory or CPUs come or go
    #[command(after_help = watch::HELP)]
    Watch(WatchArgs),
    /// Forget a loaded kernel
    Unload(UnloadArgs),
    /// Leave the running kernel for the loaded one, at once: nothing is shut down first
    Exec(ExecArgs),
    /// Say what is loaded
    Status(StatusArgs),
    /// Print what `load` would do, for a machine described by files, on any host
    Plan(PlanArgs),
    /// Say what is in the way of a crash dump, a kexec or a live update
    #[command(after_help = preflight::HELP)]
    Preflight(PreflightArgs),
    /// Say how large a dump of this machine would be, how long it would take, and what crashkernel= should be
    #[command(after_help = estimate::HELP)]
    Estimate(EstimateArgs),
}

const VERIFY_HELP: &str = "\
Exit status:
  0   the dump is whole: every page is there and decodes
  1   not a dump, or it cannot be read at all
  3   the dump is incomplete or damaged; the first pages are named
  64  wrong usage";

const DUMP_USAGE: &str = "\
kcap dump [OPTIONS] IN OUT
       kcap dump -F [OPTIONS] IN
       kcap dump --split [OPTIONS] IN OUT1 OUT2...";

const DUMP_HELP: &str = "\
Dump level: the sum of what to leave out.
  1   pages full of zeros
  2   page cache without private data
  4   page cache (implies 2)
  8   memory of user processes
  16  free pages
A page is kept whenever its kind is in doubt. Less memory takes more passes over the
input, never a temporary file; 1M is enough for any machine with pages of 4 KiB.

What is hidden (--redact...) is so in the pages of the dump, in every format; which pages are
kept does not change. The notes (the registers of each CPU, VMCOREINFO) are copied as they are.
Nothing is saved if something to be hidden cannot be found.

Examples:
  kcap dump -l -d 31 /proc/vmcore /var/crash/vmcore
  kcap dump -F -z -d 31 /proc/vmcore | ssh host 'cat > vmcore.flat'

Exit status:
  0   done
  1   failed: there is no usable output
  3   saved, but incomplete: the storage was full, the size limit was reached, SIGINT or
      SIGTERM came, or memory could not be read
  4   saved, but more was kept than asked: a rule could not run (the report says which and why)
  64  wrong usage";

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// What to leave out: 0 (nothing) to 31 (zero, cache, user and free pages)
    #[arg(short = 'd', long = "dump-level", value_name = "LEVEL", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) level: u8,
    /// Compress each page with zlib
    #[arg(short = 'c', long, overrides_with_all = ["lzo", "snappy", "zstd", "raw"])]
    pub(crate) zlib: bool,
    /// Compress each page with LZO
    #[arg(short = 'l', long, overrides_with_all = ["zlib", "snappy", "zstd", "raw"])]
    pub(crate) lzo: bool,
    /// Compress each page with snappy
    #[arg(short = 'p', long, overrides_with_all = ["zlib", "lzo", "zstd", "raw"])]
    pub(crate) snappy: bool,
    /// Compress each page with zstd
    #[arg(short = 'z', long, overrides_with_all = ["zlib", "lzo", "snappy", "raw"])]
    pub(crate) zstd: bool,
    /// Do not compress (the default); of several such options the last counts
    #[arg(long, overrides_with_all = ["zlib", "lzo", "snappy", "zstd"])]
    pub(crate) raw: bool,
    /// Take less time and write more (about 6 %) where there is a choice: with -c
    #[arg(long)]
    pub(crate) fast: bool,
    /// Write pages that are the same once: smaller, and takes longer; kdump-compressed output only
    #[arg(long, conflicts_with = "elf")]
    pub(crate) dedup: bool,
    /// Write an ELF core file, which is never compressed
    #[arg(short = 'E', long, conflicts_with_all = ["zlib", "lzo", "snappy", "zstd", "split"])]
    pub(crate) elf: bool,
    /// Write a flattened stream to standard output, messages to standard error
    #[arg(short = 'F', long, conflicts_with_all = ["split", "force"])]
    pub(crate) flattened: bool,
    /// Write a set of files that together are the dump
    #[arg(long)]
    pub(crate) split: bool,
    /// Overwrite an output that exists
    #[arg(short = 'f', long)]
    pub(crate) force: bool,
    /// Do not wait until OUT is on storage, as for a copy to work with: it would be lost, or look whole and not be, if the power failed
    #[arg(long, conflicts_with = "flattened")]
    pub(crate) no_sync: bool,
    /// Write no more than this to each OUT (K, M, G), with -F to the dump inside the stream: it breaks off there, is marked as
    /// incomplete, and kcap exits with 3
    #[arg(short = 'L', long = "limit", value_name = "SIZE", value_parser = parse_size)]
    pub(crate) limit: Option<u64>,
    /// Work in this much memory (K, M, G) [default: what suits the machine]; each thread besides the first takes its own
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) memory: Option<u64>,
    /// Read and compress on this many threads; the output is the same on any number (0: as 1)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(..=1024))]
    pub(crate) num_threads: u16,
    /// What to say, the sum of: 1 progress, 2 common, 4 error, 8 debug, 16 report
    #[arg(long, value_name = "N", default_value_t = messages::DEFAULT,
          value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) message_level: u8,
    /// Write a report of the dump as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) redact: RedactArgs,
    /// A further part of the split set that is read (repeatable)
    #[arg(long = "input", value_name = "FILE")]
    pub(crate) inputs: Vec<PathBuf>,
    /// IN, then OUT; with --split several of them; with -F none
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// What a dump hides. Hidden bytes become `X`; the dump's log of erased data names them.
#[derive(Debug, Args)]
pub(crate) struct RedactArgs {
    /// Hide physical memory: hexadecimal addresses, the end not included (repeatable)
    #[arg(long, value_name = "START-END", value_parser = parse_range)]
    pub(crate) redact: Vec<Range<u64>>,
    /// Hide the physical memory that FILE lists: `start-end [name]` on each line, as for --redact
    #[arg(long, value_name = "FILE")]
    pub(crate) redact_file: Option<PathBuf>,
    /// Hide each page frame whose bit is set in FILE: bit N % 8 (from the lowest) of byte N / 8 is frame N
    #[arg(long, value_name = "FILE")]
    pub(crate) redact_bitmap: Option<PathBuf>,
    /// Hide a symbol of the kernel, or what stands at an address 0xADDR; LEN as for --memory (repeatable)
    #[arg(long, value_name = "NAME[:LEN]")]
    pub(crate) redact_symbol: Vec<String>,
    /// System.map or a copy of /proc/kallsyms, for symbols and their lengths; without it VMCOREINFO is asked
    #[arg(long, value_name = "FILE", requires = "redact_symbol")]
    pub(crate) symbols: Option<PathBuf>,
    /// Save the dump even if a symbol cannot be found, so that it is NOT hidden
    #[arg(long)]
    pub(crate) redact_found: bool,
}

impl Cli {
    /// What the parser cannot check.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let Command::Dump(args) = &self.command else { return Ok(()) };
        if args.paths().is_some() {
            return Ok(());
        }
        let wanted = match (args.flattened, args.split) {
            (true, _) => "-F takes IN and no OUT: the stream goes to standard output",
            (_, true) => "--split takes IN and at least two OUTs",
            _ => "IN and one OUT are needed",
        };
        let mut command = Self::command();
        command.build();
        let dump = command
            .find_subcommand_mut("dump")
            .map(|dump| dump.error(ErrorKind::WrongNumberOfValues, wanted));
        Err(dump.unwrap_or_else(|| command.error(ErrorKind::WrongNumberOfValues, wanted)))
    }
}

impl DumpArgs {
    /// IN with its further parts, and the outputs; `None` if their number does not fit the other options.
    pub(crate) fn paths(&self) -> Option<(Vec<PathBuf>, &[PathBuf])> {
        let (first, outputs) = self.files.split_first()?;
        let fits = match outputs {
            [] => self.flattened,
            [_] => !self.flattened && !self.split,
            _ => self.split,
        };
        fits.then(|| (with_parts(first, &self.inputs), outputs))
    }

    /// The number of threads, at least one.
    pub(crate) fn threads(&self) -> usize {
        usize::from(self.num_threads.max(1))
    }
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Overwrite an output that exists
    #[arg(short = 'f', long)]
    pub(crate) force: bool,
    /// What to say, the sum of: 1 progress, 2 common, 4 error, 8 debug
    #[arg(long, value_name = "N", default_value_t = messages::DEFAULT,
          value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) message_level: u8,
    /// The file to write
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// The parts of a split set in any order, or one flattened file
    #[arg(value_name = "IN", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The dump
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A further part of a split set (repeatable)
    #[arg(long = "input", value_name = "FILE")]
    inputs: Vec<PathBuf>,
}

impl FileArgs {
    /// All parts.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        with_parts(&self.file, &self.inputs)
    }
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// The physical address of the first byte, decimal or 0x hexadecimal
    #[arg(long, value_name = "A", value_parser = parse_number)]
    pub(crate) paddr: u64,
    /// How many bytes, decimal or 0x hexadecimal; K, M and G may follow
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) len: u64,
}

fn with_parts(first: &PathBuf, more: &[PathBuf]) -> Vec<PathBuf> {
    core::iter::once(first).chain(more).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(line: &str) -> Option<DumpArgs> {
        match Cli::try_parse_from(line.split_whitespace()).ok()?.command {
            Command::Dump(args) => Some(args),
            _ => None,
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_line_of_the_kdump_service_works() {
        let args = dump("kcap dump -l --message-level 7 -d 31 /proc/vmcore /out/vmcore").unwrap();
        assert_eq!((args.lzo, args.level, args.message_level), (true, 31, 7));
        let (inputs, outputs) = args.paths().unwrap();
        assert_eq!((inputs, outputs), (vec!["/proc/vmcore".into()], &["/out/vmcore".into()][..]));
    }

    #[test]
    fn of_several_codecs_the_last_counts() {
        let args = dump("kcap dump -c -z -l in out").unwrap();
        assert_eq!((args.zlib, args.zstd, args.lzo, args.raw), (false, false, true, false));
        let args = dump("kcap dump -c --raw in out").unwrap();
        assert_eq!((args.zlib, args.raw), (false, true));
    }

    #[test]
    fn the_number_of_files_fits_the_mode() {
        for (line, fits) in [
            ("kcap dump in", false),
            ("kcap dump in out", true),
            ("kcap dump in out more", false),
            ("kcap dump -F in", true),
            ("kcap dump -F in out", false),
            ("kcap dump --split in out", false),
            ("kcap dump --split in out more", true),
        ] {
            assert_eq!(dump(line).unwrap().paths().is_some(), fits, "{line}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "-E -c in out",
            "-E --split in a b",
            "-F --split in",
            "-d 32 in out",
            "-d -1 in out",
            "--num-threads -1 in out",
            "--num-threads 1025 in out",
            "--message-level 32 in out",
            "--memory 1T in out",
            "--nonsense in out",
        ] {
            assert!(dump(&format!("kcap dump {line}")).is_none(), "{line}");
        }
    }
}
