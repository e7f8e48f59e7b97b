//! Bytes that are hidden are in no form of a dump, as other readers see it; the log of what is hidden outlives filtering again.

use std::fs;

use super::Case;
use super::checks::{Checks, ensure, for_each_case, script};
use super::debuggers::ask_crash;
use super::kcap::{Kcap, makedumpfile};
use crate::kernels::Kernel;
use crate::run::{Outcome, command, output};

/// Options of `kcap dump`, and the name of the result.
const FORMS: [(&str, &str); 6] = [
    ("--raw", "raw"),
    ("-c", "zlib"),
    ("-l", "lzo"),
    ("-p", "snappy"),
    ("-z --num-threads 2", "zstd"),
    ("-E --num-threads 2", "elf"),
];

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for_each_case(cases.iter().filter(|case| case.for_kernel), |case| {
        let found = script("find_secret.py", &[&case.file("vmcore"), &case.level(31)]);
        let secret = found.and_then(|found| {
            let (start, end) = found.trim().split_once(' ').ok_or("find_secret.py: no blank")?;
            Ok((start.to_owned(), end.to_owned()))
        });
        match secret {
            Ok(secret) => forms(checks, kcap, case, &secret),
            Err(error) => checks.check(&format!("{}: a secret", case.name), Err(error)),
        }
    });
    Ok(())
}

fn forms(checks: &Checks, kcap: &Kcap, case: &Case, (start, end): &(String, String)) {
    let vmcore = case.file("vmcore");
    let log = format!("erase 0x{start} size 32\n");
    let redact = format!("--redact {start}-{end}");
    let judge = |files: &str, what: &str| script("check_redacted.py", &[&vmcore, files, start, end, what]);
    for (option, name) in FORMS {
        let (control, hidden) = (case.out("redact-control"), case.out(&format!("redact-{name}")));
        let finding = kcap
            .dump(&format!("-f {option} -d 31"), &[&vmcore, &control])
            .and_then(|()| kcap.dump(&format!("-f {option} {redact} -d 31"), &[&vmcore, &hidden]))
            .and_then(|()| Ok(judge(&control, "control")? + &judge(&hidden, "hidden")?));
        checks.check(&format!("{} redacted: {name}", case.name), finding);
        checks.check(&format!("{} redacted: {name}: the log", case.name), is_log(kcap, &hidden, &log));
    }
    for (option, name) in [("-l", "flattened"), ("-E", "flattened-elf")] {
        let hidden = case.out(&format!("redact-{name}"));
        let dumped = kcap.dump_stream(&format!("{option} {redact} -d 31"), &vmcore, &hidden);
        checks.check(
            &format!("{} redacted: {name}", case.name),
            dumped.and_then(|()| judge(&hidden, "hidden")),
        );
    }
    let parts = [1, 2, 3].map(|part| case.out(&format!("redact-part-{part}")));
    let [one, two, three] = &parts;
    let dumped = kcap.dump(&format!("--split -c {redact} -d 31"), &[&vmcore, one, two, three]);
    let finding = dumped.and_then(|()| judge(&parts.join(","), "hidden"));
    checks.check(&format!("{} redacted: split in three", case.name), finding);
    checks.check(&format!("{} redacted: filtered again", case.name), again(kcap, case, &log));
    if let Some(meta_package) = case.symbols_of.filter(|_| case.peer_is_right) {
        checks.check(&format!("{} redacted: crash", case.name), crash(case, meta_package));
    }
    checks.check(&format!("{} redacted: symbols", case.name), symbols(kcap, case));
}

/// What `kcap info` says of the log.
fn is_log(kcap: &Kcap, dump: &str, log: &str) -> Outcome<String> {
    let info = String::from_utf8(kcap.run(&["info", dump])?.expect(0)?)?;
    let lines = info.lines().filter_map(|line| line.strip_prefix("erased")).map(str::trim);
    let found: String = lines.map(|line| format!("erase {line}\n")).collect();
    ensure(found == log, || format!("{found:?}, not {log:?}"))?;
    Ok(String::new())
}

/// makedumpfile and kcap keep the log when they filter a dump that has one.
fn again(kcap: &Kcap, case: &Case, log: &str) -> Outcome<String> {
    let out = case.out("redact-again");
    let more = format!("{log}erase 0x100000 size 16\n");
    for input in ["redact-lzo", "redact-elf"].map(|name| case.out(name)) {
        for option in ["-l", "-E"] {
            kcap.dump(&format!("-f {option} -d 31 --redact 100000-100010"), &[&input, &out])?;
            is_log(kcap, &out, &more)?;
        }
        if case.peer_is_right {
            makedumpfile("-f -l -d 31", &[&input, &out])?;
            is_log(kcap, &out, log)?;
        }
    }
    Ok(String::new())
}

/// crash says of the dump with a hidden range what it says of the one without, and that something was erased.
fn crash(case: &Case, meta_package: &str) -> Outcome<String> {
    let vmlinux = Kernel::of(meta_package)?.vmlinux()?;
    let asked = |form: &str, commands: &str| -> Outcome<String> {
        ask_crash(&vmlinux, &[case.out(form)], commands, case.out("redact-crash.commands").as_ref())
    };
    let says = |form: &str| -> Outcome<String> {
        let says = asked(form, "sys\nbt\nps\nquit\n")?;
        // The warning comes first.
        let lines = says.lines().skip_while(|line| !line.contains("KERNEL:"));
        Ok(lines.filter(|line| !line.contains("DUMPFILE")).map(|line| format!("{line}\n")).collect())
    };
    let expected = says("level-31")?;
    ensure(expected.contains("PANIC:"), || expected.clone())?;
    for form in ["redact-lzo", "redact-elf"] {
        let says = says(form)?;
        ensure(says == expected, || format!("{form}: other than of the dump without"))?;
        let warning = asked(form, "quit\n")?;
        ensure(warning.contains("Kernel data has been erased"), || format!("{form}: {warning}"))?;
    }
    Ok(format!("{} lines alike", expected.lines().count()))
}

/// A symbol of VMCOREINFO is hidden where its virtual address points; one that nobody knows stops the dump.
fn symbols(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let (vmcore, hidden) = (case.file("vmcore"), case.out("redact-symbol"));
    kcap.dump("-f -l -d 31 --redact-symbol init_uts_ns:390", &[&vmcore, &hidden])?;
    let strings = |dump: &str| -> Outcome<usize> {
        let info = output(command(&["/usr/bin/python3", "-B", "-c", READ_NAMES, &vmcore, dump]))?;
        Ok(info.trim().parse()?)
    };
    let (before, after) = (strings(&case.out("redact-lzo"))?, strings(&hidden)?);
    ensure(before == 0 && after > 300, || format!("{before} and {after} bytes hidden"))?;
    let refused =
        kcap.run(&["dump", "-f", "--redact-symbol", "no_such_symbol:8", &vmcore, &case.out("none")])?;
    ensure(refused.code == Some(1) && fs::metadata(case.out("none")).is_err(), || format!("{refused:?}"))?;
    Ok(format!("{after} bytes hidden"))
}

/// How many bytes of `init_uts_ns` libkdumpfile reads as `X`. Data of the kernel lie `phys_base` above where they are linked to
/// (`__START_KERNEL_map`, `arch/x86/include/asm/page_64_types.h`).
const READ_NAMES: &str = "
import re, sys, kdumpfile
text = open(sys.argv[1], 'rb').read(1 << 20)
at = int(re.search(rb'SYMBOL\\(init_uts_ns\\)=([0-9a-f]+)', text)[1], 16)
base = int(re.search(rb'NUMBER\\(phys_base\\)=(-?[0-9]+)', text)[1])
context = kdumpfile.kdumpfile(sys.argv[2])
print(bytes(context.read(kdumpfile.KDUMP_MACHPHYSADDR, at - 0xffffffff80000000 + base, 390)).count(b'X'))
";
