//! Whole dumps of real vmcores, by kcap and by makedumpfile, in turns.

use std::fmt::Write as _;
use std::path::Path;

use super::measure::{Cost, Program, interleaved};
use crate::run::Outcome;

/// Where the outputs are when the programs end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// kcap's on stable storage, makedumpfile's with the kernel.
    Own,
    /// Both with the kernel.
    Kernel,
    /// Both on stable storage.
    Storage,
}

/// One kind of dump.
#[derive(Debug)]
struct Dump {
    level: u32,
    /// The option of both programs for the codec or the format.
    option: &'static str,
    /// What makedumpfile is asked for where it has no such option.
    peer_option: &'static str,
    flattened: bool,
    end: End,
    /// Whether pages that are the same are written once; makedumpfile has no such option.
    dedup: bool,
    /// Whether more threads have anything to share.
    threads: &'static [u32],
}

const fn dump(level: u32, option: &'static str) -> Dump {
    let (flattened, dedup) = (false, false);
    Dump { level, option, peer_option: option, flattened, end: End::Own, dedup, threads: &[1, 2] }
}

const DUMPS: &[Dump] = &[
    dump(31, "-c"),
    dump(1, "-c"),
    Dump { dedup: true, ..dump(31, "-c") },
    Dump { dedup: true, ..dump(1, "-c") },
    dump(31, "-l"),
    dump(1, "-l"),
    Dump { peer_option: "-c", ..dump(31, "-z") },
    Dump { peer_option: "-c", ..dump(1, "-z") },
    Dump { peer_option: "-l", ..dump(31, "-p") },
    dump(31, ""),
    Dump { end: End::Kernel, ..dump(31, "") },
    Dump { end: End::Storage, ..dump(31, "") },
    dump(1, ""),
    Dump { dedup: true, ..dump(31, "") },
    dump(31, "-E"),
    dump(1, "-E"),
    Dump { flattened: true, ..dump(31, "-l") },
    Dump { flattened: true, ..dump(31, "") },
];

impl Dump {
    fn words(&self, option: &str, input: &str) -> Vec<String> {
        let level = self.level.to_string();
        let mut words: Vec<String> = ["-d", &level].map(str::to_owned).to_vec();
        words.extend([option].iter().filter(|option| !option.is_empty()).map(|&option| option.to_owned()));
        if self.flattened {
            words.extend(["-F".to_owned(), input.to_owned()]);
        } else {
            words.extend([input.to_owned(), "OUT".to_owned()]);
        }
        words
    }

    fn ours(&self, kcap: &Path, input: &str, threads: u32) -> Program {
        let mut words = vec!["dump".to_owned(), "--num-threads".to_owned(), threads.to_string()];
        words.extend(self.dedup.then(|| "--dedup".to_owned()));
        words.extend((self.end == End::Kernel).then(|| "--no-sync".to_owned()));
        words.extend(self.words(self.option, input));
        Program { path: kcap.display().to_string(), words, to_stdout: self.flattened }
    }

    fn peers(&self, input: &str) -> Program {
        let words = self.words(self.peer_option, input);
        if self.end != End::Storage {
            return Program { path: "makedumpfile".to_owned(), words, to_stdout: self.flattened };
        }
        // The last word is the output.
        let script = r#"makedumpfile "$@" && for out; do :; done && sync -d "$out""#;
        let words = ["-c", script, "sh"].map(str::to_owned).into_iter().chain(words).collect();
        Program { path: "sh".to_owned(), words, to_stdout: false }
    }

    fn name(&self) -> String {
        let option = if self.option.is_empty() { "raw" } else { self.option };
        let flattened = if self.flattened { " -F" } else { "" };
        let dedup = if self.dedup { " --dedup" } else { "" };
        let no_sync = if self.end == End::Kernel { " --no-sync" } else { "" };
        let peer = match self.peer_option {
            _ if self.end == End::Storage => " (peer: and `sync -d`)".to_owned(),
            same if same == self.option => String::new(),
            other => format!(" (peer: {other})"),
        };
        format!("{option}{flattened}{dedup}{no_sync} -d {}{peer}", self.level)
    }
}

/// The rows of the table for one vmcore.
pub(super) fn rows(kcap: &Path, input: &str, rounds: usize, out: &Path, table: &mut String) -> Outcome<()> {
    for dump in DUMPS {
        let peer = dump.peers(input);
        let ours: Vec<Program> =
            dump.threads.iter().map(|&threads| dump.ours(kcap, input, threads)).collect();
        let programs: Vec<&Program> = std::iter::once(&peer).chain(&ours).collect();
        let costs = interleaved(&programs, rounds, out)?;
        let Some((peer_cost, our_costs)) = costs.split_first() else { continue };
        for (cost, threads) in our_costs.iter().zip(dump.threads) {
            let row = row(&dump.name(), *threads, cost, peer_cost);
            println!("{row}");
            writeln!(table, "{row}")?;
        }
    }
    Ok(())
}

/// What it takes to begin: little is read, so what is left is the start of the program.
pub(super) fn first_use(
    kcap: &Path,
    input: &str,
    rounds: usize,
    out: &Path,
    table: &mut String,
) -> Outcome<()> {
    let program = |path: String, words: &[&str], to_stdout| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Program { path, words, to_stdout }
    };
    let ours = program(kcap.display().to_string(), &["dmesg", input], true);
    let peer = program("makedumpfile".to_owned(), &["--dump-dmesg", input, "OUT"], false);
    let costs = interleaved(&[&ours, &peer], rounds, out)?;
    if let [ours, peer] = costs.as_slice() {
        writeln!(table, "{}", row("dmesg", 1, ours, peer))?;
    }
    Ok(())
}

pub(super) const HEADING: &str = "\
| dump | threads | CPU ms | peer | ratio | wall ms | peer | ratio | peak MiB | peer | MB | peer |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
";

fn row(name: &str, threads: u32, ours: &Cost, peer: &Cost) -> String {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mb = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "| {name} | {threads} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} | **{:.2}** | {:.1} | {:.1} | {:.2} | {:.2} |",
        ms(ours.cpu),
        ms(peer.cpu),
        ms(peer.cpu) / ms(ours.cpu),
        ms(ours.wall),
        ms(peer.wall),
        ms(peer.wall) / ms(ours.wall),
        mib(ours.peak),
        mib(peer.peak),
        mb(ours.size),
        mb(peer.size),
    )
}
