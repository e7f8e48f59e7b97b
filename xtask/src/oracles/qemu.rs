//! QEMU's own dumps of a running machine: ELF with its odd headers, kdump-zlib flattened.

use super::Case;
use super::checks::{Checks, ensure, script};
use super::kcap::Kcap;
use crate::machines::MACHINES;
use crate::run::Outcome;

pub(crate) fn check(checks: &Checks, kcap: &Kcap, cases: &[Case]) -> Outcome<()> {
    for (machine, case) in MACHINES.iter().zip(cases).filter(|(machine, _)| machine.dump_guest_memory) {
        for file in ["qemu.elf", "qemu.kdump"] {
            let name = format!("{} {file}", machine.name);
            checks.check(&format!("{name}: info"), info(kcap, case, file));
            checks.check(&format!("{name}: pages"), pages(kcap, case, file));
            checks.check(&format!("{name}: read"), read(kcap, case, file));
            checks.check(&format!("{name}: dmesg"), dmesg(kcap, case, file));
            for level in [0, 31] {
                checks.check(&format!("{name}: dumped at level {level}"), dumped(kcap, case, file, level));
            }
        }
        let alike = script(
            "compare_kept.py",
            &[&case.file("qemu.elf"), &case.out("of-qemu.elf-31"), &case.out("of-qemu.kdump-31")],
        );
        checks.check(&format!("{}: QEMU's ELF and kdump keep the same", machine.name), alike);
    }
    Ok(())
}

fn info(kcap: &Kcap, case: &Case, file: &str) -> Outcome<String> {
    let json = kcap.run(&["info", "--json", &case.file(file)])?.expect(0)?;
    script("check_info.py", &[&case.folder.display().to_string(), &String::from_utf8(json)?])
}

fn pages(kcap: &Kcap, case: &Case, file: &str) -> Outcome<String> {
    let listed = String::from_utf8(kcap.run(&["pages", &case.file(file)])?.expect(0)?)?;
    // All of its memory is there: the first page, and one near the end of RAM.
    ensure(listed.lines().count() > 1, || listed.clone())?;
    Ok(format!("{} ranges", listed.lines().count()))
}

fn read(kcap: &Kcap, case: &Case, file: &str) -> Outcome<String> {
    let expected = script("list_pages.py", &[&case.file("qemu.elf"), &case.file("qemu.elf")])?;
    let lines: Vec<&str> = expected.lines().collect();
    for line in lines.iter().step_by(lines.len() / 16 + 1) {
        let (pfn, first_bytes) = line.split_once(' ').ok_or("list_pages.py: no blank")?;
        let address = format!("{:#x}", u64::from_str_radix(pfn, 16)? * 4096);
        let bytes = kcap.run(&["read", &case.file(file), "--paddr", &address, "--len", "16"])?.expect(0)?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        ensure(hex == first_bytes, || format!("page {pfn} begins {hex}, not {first_bytes}"))?;
    }
    Ok(String::new())
}

/// The log as the machine itself recorded it, after the dump and before the crash, begins with it.
fn dmesg(kcap: &Kcap, case: &Case, file: &str) -> Outcome<String> {
    let log = String::from_utf8(kcap.run(&["dmesg", &case.file(file)])?.expect(0)?)?;
    let lines = log.lines().count();
    ensure(lines > 100 && log.contains("Linux version") && log.contains("Run /init"), || log.clone())?;
    Ok(format!("{lines} lines"))
}

fn dumped(kcap: &Kcap, case: &Case, file: &str, level: u32) -> Outcome<String> {
    let out = case.out(&format!("of-{file}-{level}"));
    kcap.dump(&format!("-z -d {level}"), &[&case.file(file), &out])?;
    script("check_pages.py", &[&case.file("qemu.elf"), "-", &out])
}
