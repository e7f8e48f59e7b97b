//! `kcap info`, `pages`, `read`, `dmesg`: their answers for each form of a dump.

use std::collections::BTreeSet;

use super::Case;
use super::checks::{Checks, ensure, for_each_case, script};
use super::kcap::{Kcap, makedumpfile};
use crate::run::{Outcome, command, output};

/// Forms of one dump that earlier checks left, each with the further parts.
const FORMS: [(&str, &[&str]); 6] = [
    ("level-31", &[]),
    ("zstd-31", &[]),
    ("elf", &[]),
    ("flattened", &[]),
    ("flattened-elf", &[]),
    ("part-1", &["part-2", "part-3"]),
];

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for_each_case(cases, |case| {
        let log = output(command(&["vmcore-dmesg", &case.file("vmcore")])).unwrap_or_default();
        let raw = case.file("vmcore");
        checks.check(&format!("{} vmcore: dmesg", case.name), dmesg(kcap, &[&raw], &log));
        checks.check(&format!("{} vmcore: info", case.name), info(kcap, case, &[&raw]));
        checks.check(&format!("{} vmcore: pages and read", case.name), pages(kcap, case, &raw, &[&raw]));
        for (form, further) in FORMS {
            let (file, arguments) = arguments(case, form, further);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            checks.check(&format!("{} {form}: dmesg", case.name), dmesg(kcap, &arguments, &log));
            checks.check(&format!("{} {form}: info", case.name), info(kcap, case, &arguments));
            let finding = pages(kcap, case, &file, &arguments);
            checks.check(&format!("{} {form}: pages and read", case.name), finding);
        }
        if case.peer_is_right {
            let finding = peers_files(kcap, case);
            checks.check(&format!("{}: makedumpfile's files are read", case.name), finding);
        }
    });
    Ok(())
}

/// What names the dump on the command line; and all its files, joined by commas, for the scripts.
fn arguments(case: &Case, form: &str, further: &[&str]) -> (String, Vec<String>) {
    let mut words = Vec::new();
    let mut files = case.out(form);
    for part in further {
        words.extend(["--input".to_owned(), case.out(part)]);
        files = format!("{files},{}", case.out(part));
    }
    words.push(case.out(form));
    (files, words)
}

fn dmesg(kcap: &Kcap, file: &[&str], expected: &str) -> Outcome<String> {
    let ours = String::from_utf8_lossy(&kcap.run(&[&["dmesg"], file].concat())?.expect(0)?).into_owned();
    ensure(!expected.is_empty() && ours == expected, || {
        let first = ours.lines().zip(expected.lines()).find(|(ours, expected)| ours != expected);
        let (ours, expected) = (ours.lines().count(), expected.lines().count());
        format!("{ours} lines, vmcore-dmesg prints {expected}; first difference: {first:?}")
    })?;
    Ok(String::new())
}

fn info(kcap: &Kcap, case: &Case, file: &[&str]) -> Outcome<String> {
    kcap.run(&[&["info"], file].concat())?.expect(0)?;
    let json = kcap.run(&[&["info", "--json"], file].concat())?.expect(0)?;
    script("check_info.py", &[&case.folder.display().to_string(), &String::from_utf8(json)?])
}

/// `pages` lists what an independent reader finds; `read` gives the vmcore's bytes of some of them, and an error for
/// a page that is not there.
fn pages(kcap: &Kcap, case: &Case, files: &str, arguments: &[&str]) -> Outcome<String> {
    let listed = String::from_utf8(kcap.run(&[&["pages"], arguments].concat())?.expect(0)?)?;
    let expected = script("list_pages.py", &[&case.file("vmcore"), files])?;
    let listed = frames(&listed)?;
    // Of a zero page an ELF dump may hold no bytes; every other page must be listed.
    let mut wanted = BTreeSet::new();
    for line in expected.lines() {
        let (pfn, bytes) = line.split_once(' ').ok_or("list_pages.py: no blank")?;
        wanted.insert((u64::from_str_radix(pfn, 16)?, bytes.to_owned()));
    }
    let missing: Vec<_> = wanted.iter().filter(|(pfn, _)| !in_ranges(&listed, *pfn)).collect();
    ensure(missing.is_empty(), || {
        format!("{} pages not listed, first {:?}", missing.len(), missing.first())
    })?;
    let total: u64 = listed.iter().map(|(start, end)| end - start).sum();
    let held = expected.lines().count() as u64;
    ensure(total == held, || format!("{total} pages listed, the file holds {held}"))?;
    for (pfn, first_bytes) in wanted.iter().step_by(wanted.len() / 8 + 1) {
        let bytes = read(kcap, arguments, pfn * 4096, 16)?.expect(0)?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        ensure(hex == *first_bytes, || {
            format!("read: page {pfn:#x} begins {hex}, in the vmcore {first_bytes}")
        })?;
    }
    let gap = listed.iter().map(|(_, end)| *end).find(|end| !in_ranges(&listed, *end)).ok_or("no gap")?;
    let ended = read(kcap, arguments, gap * 4096, 8)?;
    ensure(ended.code == Some(1) && ended.stdout.is_empty(), || format!("read: page {gap:#x}: {ended:?}"))?;
    ensure(ended.stderr.contains(&format!("{gap:x}")), || {
        format!("read does not name page {gap:#x}: {}", ended.stderr)
    })?;
    Ok(format!("{total} pages in {} ranges", listed.len()))
}

fn read(kcap: &Kcap, file: &[&str], address: u64, length: u64) -> Outcome<super::kcap::Ended> {
    let (address, length) = (format!("{address:#x}"), length.to_string());
    kcap.run(&[&["read"], file, &["--paddr", &address, "--len", &length]].concat())
}

/// Lines `start end`, hexadecimal, half-open.
fn frames(listed: &str) -> Outcome<Vec<(u64, u64)>> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16);
    let mut ranges = Vec::new();
    for line in listed.lines() {
        let (start, end) = line.split_once(' ').ok_or_else(|| format!("pages: '{line}'"))?;
        ranges.push((number(start)?, number(end)?));
    }
    Ok(ranges)
}

fn in_ranges(ranges: &[(u64, u64)], pfn: u64) -> bool {
    ranges.iter().any(|(start, end)| (*start..*end).contains(&pfn))
}

/// The peer's own dumps of the same vmcore, in each of its forms, keep the same pages when dumped again.
fn peers_files(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let (vmcore, input, ours, peers) = (
        case.file("vmcore"),
        case.out("peers-input"),
        case.out("from-peers-input"),
        case.out("peers-output"),
    );
    for options in ["-f -c -d 1", "-f -l -d 1", "-f -d 1", "-f -E -d 1"] {
        makedumpfile(options, &[&vmcore, &input])?;
        kcap.dump("-f -l -d 31", &[&input, &ours])?;
        script("check_pages.py", &[&vmcore, "peer", &ours])?;
        if options.contains("-E") {
            // The peer keeps some free pages when it filters its own ELF dumps: ours of the vmcore is the judge.
            // An ELF dump does not tell which of its missing pages are zero.
            script("compare_kept.py", &[&vmcore, &case.level(31), &ours, "zeros"])
        } else {
            makedumpfile("-f -l -d 31", &[&input, &peers])?;
            script("compare_kept.py", &[&vmcore, &ours, &peers])
        }
        .map_err(|error| format!("{options}: {error}"))?;
    }
    Ok(String::new())
}
