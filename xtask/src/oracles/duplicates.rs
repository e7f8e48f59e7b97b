//! Dumps whose pages share places: every reader finds the vmcore's bytes, and nothing but the pages decides which they share.

use std::fs;

use super::Case;
use super::bytes::{pages, same};
use super::checks::{Checks, ensure, for_each_case, script};
use super::kcap::{Kcap, makedumpfile};
use crate::run::{Outcome, command, run};

/// A codec's option, the level, and the name of the dump with duplicates shared.
const DUMPS: [(&str, u32, &str); 5] = [
    ("-l", 31, "shared-31"),
    ("--raw", 31, "shared-raw"),
    ("-c", 31, "shared-zlib"),
    ("-z", 31, "shared-zstd"),
    ("-c", 1, "shared-1"),
];

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for_each_case(cases.iter().filter(|case| case.for_kernel), |case| {
        for (codec, level, name) in DUMPS {
            let finding = smaller(kcap, case, codec, level, name);
            checks.check(&format!("{} {name}: smaller, and every page", case.name), finding);
            checks.check(
                &format!("{} {name}: the same bytes", case.name),
                alike(kcap, case, codec, level, name),
            );
        }
        forms(checks, kcap, case);
        for (options, input) in [
            ("-l -d 31", "shared-1"),
            ("-c -d 31 --dedup", "shared-1"),
            ("-E -d 31", "shared-1"),
            ("-l -d 0", "shared-31"),
        ] {
            let out = case.out("shared-again");
            let dumped = kcap.dump(&format!("-f {options}"), &[&case.out(input), &out]);
            let finding = dumped.and_then(|()| pages(case, 31, &out));
            checks.check(&format!("{} {input}: filtered again with {options}", case.name), finding);
        }
        peer(checks, case);
    });
    Ok(())
}

/// Sharing takes bytes away, and no page.
fn smaller(kcap: &Kcap, case: &Case, codec: &str, level: u32, name: &str) -> Outcome<String> {
    let (plain, shared) = (case.out("not-shared"), case.out(name));
    kcap.dump(&format!("-f {codec} -d {level}"), &[&case.file("vmcore"), &plain])?;
    kcap.dump(&format!("{codec} -d {level} --dedup"), &[&case.file("vmcore"), &shared])?;
    let (before, after) = (fs::metadata(&plain)?.len(), fs::metadata(&shared)?.len());
    ensure(after < before, || format!("{after} bytes, without sharing {before}"))?;
    Ok(format!("{before} bytes, shared {after}\n{}", pages(case, level, &shared)?))
}

/// Threads and memory change no byte.
fn alike(kcap: &Kcap, case: &Case, codec: &str, level: u32, name: &str) -> Outcome<String> {
    let (vmcore, one, other) = (case.file("vmcore"), case.out(name), case.out("shared-otherwise"));
    for more in [
        "--num-threads 2 --memory 256K",
        "--num-threads 3 --memory 1M",
        "--num-threads 8 --memory 8M",
        "--memory 1M",
        "--memory 256K",
    ] {
        kcap.dump(&format!("-f {codec} -d {level} --dedup {more}"), &[&vmcore, &other])?;
        same(&one, &other, more)?;
    }
    Ok(format!("{} bytes", fs::metadata(&one)?.len()))
}

/// Streams and sets, and what is merged of them.
fn forms(checks: &Checks, kcap: &Kcap, case: &Case) {
    let vmcore = case.file("vmcore");
    let form = |name: &str, dump: &str, dumped: Outcome<()>| {
        let finding = dumped.and_then(|()| pages(case, 31, dump));
        checks.check(&format!("{} duplicates shared: {name}", case.name), finding);
    };
    let flattened = case.out("shared-flattened");
    form("flattened", &flattened, kcap.dump_stream("-l -d 31 --dedup", &vmcore, &flattened));
    let merge = |out: &str, inputs: &[String]| {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        kcap.run(&[&["merge", out], &inputs[..]].concat()).and_then(|ended| ended.expect(0).map(|_| ()))
    };
    let plain = case.out("shared-plain");
    let merged = merge(&plain, std::slice::from_ref(&flattened))
        .and_then(|()| same(&case.out("shared-31"), &plain, "made plain"));
    form("flattened made plain", &plain, merged);
    let parts = [1, 2, 3].map(|part| case.out(&format!("shared-part-{part}")));
    let split = kcap.dump("--split -l -d 31 --dedup", &[&vmcore, &parts[0], &parts[1], &parts[2]]);
    form("split in three", &parts.join(","), split);
    let whole = case.out("shared-merged");
    form("split set merged", &whole, merge(&whole, &parts));
    let peers = case.out("shared-reassembled");
    let done = makedumpfile("-f --reassemble", &[&parts[0], &parts[1], &parts[2], &peers]);
    form("split set reassembled by makedumpfile", &peers, done);
}

/// makedumpfile filters such a dump again, copies it, and makes a plain file of a stream.
fn peer(checks: &Checks, case: &Case) {
    let (vmcore, out) = (case.file("vmcore"), case.out("shared-by-peer"));
    // Where it is wrong about the kernel, it copies the pages all the same.
    let filtered: &[&str] = if case.peer_is_right {
        &["-f -l -d 31", "-f -c -d 31", "-f -d 31", "-f -l -d 1"]
    } else {
        &["-f -l -d 1", "-f -d 1"]
    };
    for options in filtered {
        let level = if options.contains("31") { 31 } else { 1 };
        let finding = makedumpfile(options, &[&case.out("shared-1"), &out])
            .and_then(|()| script("check_pages.py", &[&vmcore, &case.level(level), &out]));
        checks.check(&format!("{} shared-1: makedumpfile {options}", case.name), finding);
    }
    let stream = case.out("shared-peers-stream");
    let finding = fs::File::create(&stream).map_err(Into::into).and_then(|file| {
        let mut peer = command(&["makedumpfile", "-F", "-l", "-d", "1", "--message-level", "0"]);
        peer.arg(case.out("shared-1")).stdout(file);
        run(peer)?;
        script("check_pages.py", &[&vmcore, &case.level(1), &stream])
    });
    checks.check(&format!("{} shared-1: makedumpfile -F", case.name), finding);
    let finding = fs::File::open(case.out("shared-flattened")).map_err(Into::into).and_then(|file| {
        let mut peer = command(&["makedumpfile", "-f", "-R", &out]);
        peer.stdin(file);
        run(peer)?;
        script("check_pages.py", &[&vmcore, &case.level(31), &out])
    });
    checks.check(&format!("{} shared-flattened: makedumpfile -R", case.name), finding);
    let log = case.out("shared-log");
    let finding = makedumpfile("-f --dump-dmesg", &[&case.out("shared-31"), &log])
        .and_then(|()| makedumpfile("-f --dump-dmesg", &[&vmcore, &out]))
        .and_then(|()| same(&out, &log, "--dump-dmesg"))
        .map(|()| String::new());
    checks.check(&format!("{} shared-31: makedumpfile --dump-dmesg", case.name), finding);
}
