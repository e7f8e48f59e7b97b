//! Damaged input, wrong usage, a full disk: a clear message, the right exit code, and no file that claims to be whole.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::Case;
use super::checks::{Checks, ensure, script};
use super::kcap::{Ended, Kcap};
use crate::run::{Outcome, command, run};

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    let Some(case) = cases.first() else { return Ok(()) };
    checks.check("not a vmcore", not_a_vmcore(kcap, case));
    checks.check("no input", refused(kcap, case, &case.out("missing"), 1));
    checks.check("truncated vmcore", truncated(kcap, case, &case.file("vmcore")));
    for form in ["lzo-31", "elf", "flattened", "flattened-elf"] {
        checks.check(&format!("truncated {form}"), truncated(kcap, case, &case.out(form)));
    }
    checks.check("split set with a part missing", part_missing(kcap, case));
    checks.check("unknown codec", unknown_codec(kcap, case));
    checks.check("existing output", existing_output(kcap, case));
    for form in ["flattened", "flattened-elf"] {
        checks.check(&format!("cut {form}, merged"), cut_stream(kcap, case, form));
    }
    for options in ["-l -d 1", "-z -d 0 --memory 256K", "-E -d 0"] {
        checks.check(&format!("size limit, {options}"), size_limit(kcap, case, options));
    }
    for form in ["level-31", "zstd-31", "elf", "flattened", "flattened-elf"] {
        let verified = kcap.run(&["verify", &case.out(form)]).and_then(|ended| ended.expect(0));
        checks.check(
            &format!("verify {form}"),
            verified.map(|said| String::from_utf8_lossy(&said).into_owned()),
        );
    }
    checks.check("full disk", full_disk(kcap, case, "-l -d 1"));
    checks.check("full disk, ELF", full_disk(kcap, case, "-E -d 1"));
    checks.check("full stream", full_stream(kcap, case));
    for wrong in
        ["dump", "dump -d 32 in out", "dump --no-such-option in out", "no-such-command", "read in", ""]
    {
        let words: Vec<&str> = wrong.split_whitespace().collect();
        let finding = kcap.run(&words).and_then(|ended| says_why(&ended, 64));
        checks.check(&format!("wrong usage: kcap {wrong}"), finding);
    }
    for case in cases {
        checks.check(&format!("{}: no VMCOREINFO", case.name), no_vmcoreinfo(kcap, case));
    }
    Ok(())
}

/// The exit code, and a message on stderr that is no panic.
fn says_why(ended: &Ended, code: i32) -> Outcome<String> {
    let message = ended.stderr.trim();
    ensure(ended.code == Some(code) && !message.is_empty() && !message.contains("panicked"), || {
        format!("exit code {:?}, wanted {code}: '{message}'", ended.code)
    })?;
    Ok(message.lines().last().unwrap_or_default().to_owned())
}

/// A file that cannot be dumped: every command says so, none leaves a file.
fn refused(kcap: &Kcap, case: &Case, input: &str, code: i32) -> Outcome<String> {
    let out = case.out("refused");
    let said = says_why(&kcap.run(&["dump", "-d", "31", input, &out])?, code)?;
    ensure(!Path::new(&out).exists(), || "an output file was left".to_owned())?;
    for command in ["info", "pages", "dmesg"] {
        says_why(&kcap.run(&[command, input])?, 1)?;
    }
    Ok(said)
}

fn not_a_vmcore(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let input = case.out("bad-input");
    let mut said = String::new();
    for content in
        ["", "a", "KDUMP   ", "\x7fELF\x02\x01\x01", "makedumpfile\0\0\0\0", &"text\n".repeat(4000)]
    {
        fs::write(&input, content)?;
        said = refused(kcap, case, &input, 1)?;
    }
    Ok(said)
}

/// Half a file: what is left of it is saved and the dump marked incomplete, or it is refused without a trace.
fn truncated(kcap: &Kcap, case: &Case, whole: &str) -> Outcome<String> {
    let half = case.out("half");
    run(command(&["cp", "--sparse=always", whole, &half]))?;
    File::options().write(true).open(&half)?.set_len(fs::metadata(whole)?.len() / 2)?;
    // Zeros stand for some excluded pages of an ELF dump: it is its own judge.
    let judge = if whole.ends_with("elf") { plain_elf(kcap, case, whole)? } else { case.file("vmcore") };
    let out = case.out("of-half");
    let _ = fs::remove_file(&out);
    let ended = kcap.run(&["dump", "-d", "31", "-l", &half, &out])?;
    if ended.code == Some(3) {
        let said = says_why(&ended, 3)?;
        let pages = script("check_incomplete.py", &[&judge, &out])?;
        return Ok(format!("{said}\n{pages}"));
    }
    let said = says_why(&ended, 1)?;
    ensure(!Path::new(&out).exists(), || format!("an output file was left: {said}"))?;
    Ok(said)
}

/// A stream of which the last third never came: what came before is there.
fn cut_stream(kcap: &Kcap, case: &Case, form: &str) -> Outcome<String> {
    let (cut, merged) = (case.out("cut-stream"), case.out("of-cut-stream"));
    let judge =
        if form.ends_with("elf") { plain_elf(kcap, case, &case.out(form))? } else { case.file("vmcore") };
    fs::copy(case.out(form), &cut)?;
    let len = fs::metadata(&cut)?.len();
    File::options().write(true).open(&cut)?.set_len(len - len / 3)?;
    let said = says_why(&kcap.run(&["merge", "-f", &merged, &cut])?, 3)?;
    says_why(&kcap.run(&["dump", "-f", "-l", &cut, &case.out("of-cut")])?, 3)?;
    let pages = script("check_incomplete.py", &[&judge, &merged])?;
    Ok(format!("{said}\n{pages}"))
}

/// A dump that ends at a limit: an independent reader, libkdumpfile and `kcap verify` see what is there.
fn size_limit(kcap: &Kcap, case: &Case, options: &str) -> Outcome<String> {
    let (vmcore, out) = (case.file("vmcore"), case.out("limited"));
    let mut words = vec!["dump", "-f", "-L", "12M"];
    words.extend(options.split_whitespace());
    words.extend([vmcore.as_str(), &out]);
    let said = says_why(&kcap.run(&words)?, 3)?;
    let len = fs::metadata(&out)?.len();
    ensure(len <= 12 << 20 && len > 11 << 20, || format!("{len} bytes"))?;
    let pages = script("check_incomplete.py", &[&vmcore, &out])?;
    let judged =
        if options.contains("-E") { String::new() } else { script("check_cut.py", &[&vmcore, &out])? };
    kcap.run(&["verify", &out])?.expect(3)?;
    Ok(format!("{said}\n{pages}{judged}"))
}

/// An ELF dump, or what a flattened one becomes.
fn plain_elf(kcap: &Kcap, case: &Case, elf: &str) -> Outcome<String> {
    if !elf.ends_with("flattened-elf") {
        return Ok(elf.to_owned());
    }
    let plain = case.out("plain-elf");
    kcap.run(&["merge", "-f", &plain, elf])?.expect(0)?;
    Ok(plain)
}

fn part_missing(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let out = case.out("of-part");
    let ended = kcap.run(&["dump", "-d", "31", "-l", &case.out("part-2"), &out])?;
    let code = if ended.code == Some(3) { 3 } else { 1 };
    let said = says_why(&ended, code)?;
    if code == 3 {
        script("check_incomplete.py", &[&case.file("vmcore"), &out])?;
    } else {
        ensure(!Path::new(&out).exists(), || "an output file was left".to_owned())?;
    }
    Ok(said)
}

/// A `page_desc` whose flags name no codec: that page is a fault, the others are saved.
fn unknown_codec(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let (input, out) = (case.out("unknown-codec"), case.out("of-unknown-codec"));
    fs::copy(case.out("lzo-31"), &input)?;
    let page = script("break_codec.py", &[&input])?;
    let page = page.trim();
    let address = format!("{:#x}", u64::from_str_radix(page, 16)? * 4096);
    says_why(&kcap.run(&["read", &input, "--paddr", &address, "--len", "8"])?, 1)?;
    let said = says_why(&kcap.run(&["dump", "-l", "-d", "31", &input, &out])?, 3)?;
    script("check_incomplete.py", &[&case.file("vmcore"), &out])?;
    Ok(said)
}

fn existing_output(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let out = case.out("existing");
    fs::write(&out, "precious")?;
    let said = says_why(&kcap.run(&["dump", "-d", "31", &case.file("vmcore"), &out])?, 1)?;
    ensure(fs::read(&out)? == b"precious", || "the existing file was touched".to_owned())?;
    kcap.dump("-f -l -d 31", &[&case.file("vmcore"), &out])?;
    ensure(fs::read(&out)? != b"precious", || "-f did not replace the file".to_owned())?;
    Ok(said)
}

/// A file system with room for a part of the dump, in a mount namespace of its own.
fn full_disk(kcap: &Kcap, case: &Case, options: &str) -> Outcome<String> {
    let (folder, out) = (case.out("small-disk"), case.out("of-full-disk"));
    fs::create_dir_all(&folder)?;
    let script_text = "mount -t tmpfs -o size=12M small \"$1\" || exit 99
        \"$2\" dump $3 \"$4\" \"$1/dump\"; code=$?
        cp --sparse=always \"$1/dump\" \"$5\"; exit $code";
    let output = command(&["unshare", "--map-root-user", "--mount", "bash", "-c", script_text, "full"])
        .args([&folder, &kcap.program(), options, &case.file("vmcore"), &out])
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = says_why(&Ended { code: output.status.code(), stdout: output.stdout, stderr }, 3)?;
    let pages = script("check_incomplete.py", &[&case.file("vmcore"), &out])?;
    Ok(format!("{said}\n{pages}"))
}

fn full_stream(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let output = command(&[kcap.program()])
        .args(["dump", "-F", "-l", "-d", "31", &case.file("vmcore")])
        .stdout(File::options().write(true).open("/dev/full")?)
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let ended = Ended { code: output.status.code(), stdout: Vec::new(), stderr };
    // Nothing at all was saved: failed, or incomplete to the last page.
    says_why(&ended, 3).or_else(|_| says_why(&ended, 1))
}

/// Without kernel knowledge everything is kept, zero pages are found, the report says why.
fn no_vmcoreinfo(kcap: &Kcap, case: &Case) -> Outcome<String> {
    let (input, out, report) = (case.out("no-vmcoreinfo"), case.out("of-no-vmcoreinfo"), case.out("report"));
    run(command(&["cp", "--sparse=always", &case.file("vmcore"), &input]))?;
    rename_note(&input)?;
    let ended = kcap.run(&["dump", "-l", "-d", "31", "--report", &report, &input, &out])?;
    let said = says_why(&ended, 4)?;
    let report = fs::read_to_string(report)?;
    ensure(report.contains("VMCOREINFO"), || format!("the report does not say why: {report}"))?;
    let pages = script("check_pages.py", &[&input, "all", &out])?;
    let _ = fs::remove_file(input);
    let _ = fs::remove_file(out);
    Ok(format!("{said}\n{pages}"))
}

/// Gives the VMCOREINFO note a name that nobody knows.
fn rename_note(core: &str) -> Outcome<()> {
    let mut file = File::options().read(true).write(true).open(core)?;
    let mut start = vec![0; 1 << 16];
    file.read_exact(&mut start)?;
    let at = start.windows(11).position(|window| window == b"VMCOREINFO\0").ok_or("no VMCOREINFO note")?;
    file.seek(SeekFrom::Start(at as u64))?;
    Ok(file.write_all(b"XMCOREINFO\0")?)
}
