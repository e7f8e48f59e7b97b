//! Every page of every kind of output, decoded by others, equals the vmcore's bytes; every way to the same level
//! keeps the same pages.

use std::fs;

use super::Case;
use super::checks::{Checks, for_each_case, script};
use super::kcap::Kcap;
use crate::run::Outcome;

/// A way to write pages: options of `kcap dump`, and the name of the result.
const CODECS: [(&str, &str); 5] =
    [("--raw", "raw"), ("-c", "zlib"), ("-l", "lzo"), ("-p", "snappy"), ("-z", "zstd")];

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for_each_case(cases, |case| {
        for (option, name) in CODECS {
            for level in [1, 31] {
                let dump = case.out(&format!("{name}-{level}"));
                let dumped = kcap.dump(&format!("{option} -d {level}"), &[&case.file("vmcore"), &dump]);
                let finding = dumped.and_then(|()| pages(case, level, &dump));
                checks.check(&format!("{} level {level}: every page in {name}", case.name), finding);
                // The others are opened by debuggers later.
                if level != 31 {
                    let _ = fs::remove_file(dump);
                }
            }
        }
        for level in [0, 2, 4, 8, 16, 23] {
            let finding = pages(case, level, &case.level(level));
            checks.check(&format!("{} level {level}: every page", case.name), finding);
        }
        forms(checks, kcap, case);
        threads(checks, kcap, case);
        again(checks, kcap, case);
    });
    Ok(())
}

/// The pages of a dump, and that they are those of our dump of the level.
pub(super) fn pages(case: &Case, level: u32, dump: &str) -> Outcome<String> {
    script("check_pages.py", &[&case.file("vmcore"), &case.level(level), dump])
}

/// The formats, and little memory.
fn forms(checks: &Checks, kcap: &Kcap, case: &Case) {
    let vmcore = case.file("vmcore");
    let form = |name: &str, dump: &str, dumped: Outcome<()>| {
        let finding = dumped.and_then(|()| pages(case, 31, dump));
        checks.check(&format!("{} level 31: {name}", case.name), finding);
    };
    let elf = case.out("elf");
    form("ELF", &elf, kcap.dump("-E -d 31", &[&vmcore, &elf]));
    let flattened = case.out("flattened");
    form("flattened", &flattened, kcap.dump_stream("-l -d 31", &vmcore, &flattened));
    let flattened_elf = case.out("flattened-elf");
    form("flattened ELF", &flattened_elf, kcap.dump_stream("-E -d 31", &vmcore, &flattened_elf));
    let parts = [1, 2, 3].map(|part| case.out(&format!("part-{part}")));
    let split = kcap.dump("--split -l -d 31", &[&vmcore, &parts[0], &parts[1], &parts[2]]);
    form("split in three", &parts.join(","), split);
    let small = case.out("small-memory");
    form("1 MiB of memory", &small, kcap.dump("--memory 1M -l -d 31", &[&vmcore, &small]));
    let small_elf = case.out("small-memory-elf");
    form("1 MiB of memory, ELF", &small_elf, kcap.dump("--memory 1M -E -d 31", &[&vmcore, &small_elf]));
    let small_stream = case.out("small-memory-flattened");
    let streamed = kcap.dump_stream("--memory 1M -z -d 31", &vmcore, &small_stream);
    form("1 MiB of memory, flattened", &small_stream, streamed);
}

/// Threads and memory change no byte.
fn threads(checks: &Checks, kcap: &Kcap, case: &Case) {
    let (vmcore, one, other) = (case.file("vmcore"), case.out("one-thread"), case.out("threads"));
    for options in ["--raw -d 31", "-l -d 31", "-E -d 31"] {
        let dumped = kcap.dump(&format!("{options} -f"), &[&vmcore, &one]);
        let streamed = kcap.dump_stream(options, &vmcore, &case.out("one-stream"));
        let finding = dumped.and(streamed).and_then(|()| {
            for more in ["--num-threads 2", "--num-threads 3 --memory 1M", "--num-threads 8", "--memory 200K"]
            {
                kcap.dump(&format!("{options} {more} -f"), &[&vmcore, &other])?;
                same(&one, &other, more)?;
                kcap.dump_stream(&format!("{options} {more}"), &vmcore, &other)?;
                same(&case.out("one-stream"), &other, &format!("flattened, {more}"))?;
            }
            Ok(format!("{} bytes", fs::metadata(&one)?.len()))
        });
        checks.check(&format!("{} {options}: the same bytes on any number of threads", case.name), finding);
    }
    for name in ["one-thread", "one-stream", "threads"] {
        let _ = fs::remove_file(case.out(name));
    }
}

/// Whether two files are the same, the second one made with the options `more`.
pub(super) fn same(one: &str, other: &str, more: &str) -> Outcome<()> {
    if fs::read(one)? == fs::read(other)? { Ok(()) } else { Err(format!("{more}: other bytes").into()) }
}

/// Dumps of dumps.
fn again(checks: &Checks, kcap: &Kcap, case: &Case) {
    let form = |name: &str, dump: &str, dumped: Outcome<()>| {
        let finding = dumped.and_then(|()| pages(case, 31, dump));
        checks.check(&format!("{} level 31: {name}", case.name), finding);
    };
    let from = |name: &str, options: &str, input: &str| {
        let dump = case.out(&format!("from-{name}"));
        let dumped = kcap.dump(options, &[input, &dump]);
        (dump, dumped)
    };
    let (dump, dumped) = from("level-1", "-z -d 31", &case.level(1));
    form("level 1 filtered again", &dump, dumped);
    let (dump, dumped) = from("level-16", "-c -d 31", &case.level(16));
    form("level 16 filtered again", &dump, dumped);
    let (dump, dumped) = from("level-31", "-l -d 0", &case.level(31));
    form("level 31 filtered again at 0", &dump, dumped);
    let (dump, dumped) = from("level-1-elf", "-E -d 31", &case.level(1));
    form("level 1 filtered again as ELF", &dump, dumped);
    let (dump, dumped) = from("flattened", "-p -d 31", &case.out("flattened"));
    form("flattened, filtered again", &dump, dumped);
    let parts = [1, 2, 3].map(|part| case.out(&format!("part-{part}")));
    let dump = case.out("from-parts");
    let dumped = kcap
        .run(&["dump", "-l", "-d", "31", "--input", &parts[1], "--input", &parts[2], &parts[0], &dump])
        .and_then(|ended| ended.expect(0).map(|_| ()));
    form("split set, filtered again", &dump, dumped);
    let merged = case.out("merged");
    let done = kcap.run(&["merge", &merged, &parts[2], &parts[0], &parts[1]]);
    form("split set merged", &merged, done.and_then(|ended| ended.expect(0).map(|_| ())));
    let plain = case.out("plain");
    let done = kcap.run(&["merge", &plain, &case.out("flattened")]);
    form("flattened made plain", &plain, done.and_then(|ended| ended.expect(0).map(|_| ())));
}
