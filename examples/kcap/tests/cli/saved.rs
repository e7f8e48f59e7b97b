//! What kcap saves: every format and mode gives the same pages back.

use crate::machine::{Folder, PAGE, code, content, frames, kcap_in, read, stderr, stdout, vmcore};
use serde_json::Value;
use std::process::Command;

fn saved_folder() -> Folder {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    folder
}

/// What `dump` makes of the folder's vmcore, and its report.
fn dumped(folder: &Folder, options: &str) -> (Vec<u8>, Value) {
    let output = kcap_in(folder, &format!("dump {options} -f --report @report @vmcore @out"));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    (read(&folder.path("out")), serde_json::from_slice(&read(&folder.path("report"))).unwrap())
}

/// All pages of `file` (with its further parts in `more`) are those of the vmcore.
fn check(folder: &Folder, file: &str, more: &str) {
    let ranges = kcap_in(folder, &format!("pages @{file} {more}"));
    assert_eq!(stdout(&ranges), "10 20\n100 104\n", "{file}: {}", stderr(&ranges));
    for pfn in frames() {
        let output =
            kcap_in(folder, &format!("read @{file} {more} --paddr {:#x} --len 4096", pfn * PAGE as u64));
        assert_eq!((code(&output), output.stdout), (0, content(pfn)), "{file} {pfn:#x}");
    }
}

#[test]
fn every_codec_and_format_gives_the_pages_back() {
    let all = [
        "",
        "-c",
        "-l",
        "-p",
        "-z",
        "--raw",
        "-d 1",
        "-c -d 1",
        "-z -d 1 --memory 1M",
        "-E",
        "--dedup",
        "-z -d 1 --dedup",
    ];
    for options in all {
        let folder = saved_folder();
        let output = kcap_in(&folder, &format!("dump {options} @vmcore @out"));
        assert_eq!(code(&output), 0, "{options}: {}", stderr(&output));
        assert!(stdout(&output).contains("The dumpfile is saved to"), "{options}");
        check(&folder, "out", "");
    }
}

#[test]
fn a_stream_has_the_same_pages_and_becomes_the_same_file() {
    for options in ["-c -d 1", "-E"] {
        let folder = saved_folder();
        kcap_in(&folder, &format!("dump {options} @vmcore @plain"));
        let output = kcap_in(&folder, &format!("dump -F {options} @vmcore"));
        assert_eq!(code(&output), 0, "{options}: {}", stderr(&output));
        assert!(stderr(&output).contains("The dumpfile is saved to"), "{options}");
        folder.write("stream", &output.stdout);
        check(&folder, "stream", "");
        assert_eq!(code(&kcap_in(&folder, "merge @merged @stream")), 0);
        assert_eq!(read(&folder.path("merged")), read(&folder.path("plain")), "{options}");
    }
}

#[test]
fn a_split_set_has_the_same_pages_and_becomes_one_file() {
    for options in ["-l -d 1", "-z", "--raw -d 1", "--raw --dedup"] {
        let folder = Folder::new();
        folder.write("vmcore", &vmcore(Some("OSRELEASE=6.1.0-test\nPAGESIZE=4096\n")));
        let output = kcap_in(&folder, &format!("dump --split {options} @vmcore @a @b @c"));
        assert_eq!(code(&output), 0, "{options}: {}", stderr(&output));
        check(&folder, "b", "--input @c --input @a");
        let alone = kcap_in(&folder, "pages @b");
        assert_eq!(code(&alone), 0, "{options}");
        assert!(stderr(&alone).contains("missing part"), "{options}: {}", stderr(&alone));
        assert_eq!(code(&kcap_in(&folder, "merge @merged @c @a @b")), 0, "{options}");
        check(&folder, "merged", "");
    }
}

#[test]
fn a_dump_can_be_dumped_again() {
    let folder = saved_folder();
    kcap_in(&folder, "dump -z -d 1 @vmcore @direct");
    kcap_in(&folder, "dump -c @vmcore @first");
    assert_eq!(code(&kcap_in(&folder, "dump -z -d 1 @first @second")), 0);
    assert_eq!(read(&folder.path("second")), read(&folder.path("direct")));
}

#[test]
fn memory_that_would_lie_idle_is_not_taken() {
    let folder = saved_folder();
    let output = kcap_in(&folder, "dump --memory 16000000000G --report @report @vmcore @out");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&read(&folder.path("report"))).unwrap();
    assert!(report["options"]["memory"].as_u64().unwrap() < 8 << 20);
    check(&folder, "out", "");
}

#[test]
fn without_vmcoreinfo_all_is_kept_and_the_report_says_why() {
    let folder = saved_folder();
    let output = kcap_in(&folder, "dump -l -d 31 --report @report @vmcore @out");
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert!(stderr(&output).contains("no VMCOREINFO"), "{}", stderr(&output));
    check(&folder, "out", "");
    let report: Value = serde_json::from_slice(&read(&folder.path("report"))).unwrap();
    assert_eq!(report["schema"], "kcapture.report");
    assert_eq!(report["version"], 1);
    assert_eq!(report["exit_code"], 4);
    assert_eq!(report["outcome"], "kept_more");
    assert_eq!(report["verdict"]["kept_more"], "the input has no VMCOREINFO");
    assert_eq!(report["options"]["level"], 31);
    assert_eq!(report["options"]["compression"], "lzo");
    assert_eq!(report["pages"]["known"]["pages"], 20);
    assert_eq!(report["pages"]["kept"]["pages"], 20);
    assert_eq!(report["pages"]["zero"]["bytes"], 2 * PAGE);
    assert_eq!(report["holes"], serde_json::json!([["0x0", "0x10"], ["0x20", "0x100"]]));
    assert_eq!(report["outputs"][0]["complete"], true);
    assert!(report["peak_memory"].as_u64().unwrap() > 0);
    assert!(report["phases"].as_array().unwrap().iter().any(|phase| phase["name"] == "Copying data"));
}

#[test]
fn pages_that_are_the_same_are_written_once_and_counted() {
    let folder = Folder::new();
    let machine = testkit::Machine::x86_64(testkit::Era::V6_12).build();
    folder.write("vmcore", &machine.elf().to_vec());
    let (plain, report) = dumped(&folder, "-l");
    assert_eq!(
        (&report["options"]["dedup"], &report["pages"]["duplicates"]["pages"]),
        (&false.into(), &0.into())
    );
    let (less, report) = dumped(&folder, "-l --dedup");
    assert_eq!(report["options"]["dedup"], true);
    let bytes = report["outputs"][0]["duplicate_bytes"].as_u64().unwrap();
    let (plain, less) = (plain.len() as u64, less.len() as u64);
    assert!(bytes > 0 && less + bytes == plain, "{plain} {less} {bytes}");
    // Without level 1 zero pages are pages like others: all but the first are duplicates.
    let zero =
        machine.pfns().iter().filter(|&&pfn| machine.content(pfn).iter().all(|&byte| byte == 0)).count();
    assert!(zero > 1 && report["pages"]["duplicates"]["pages"].as_u64().unwrap() >= zero as u64 - 1);
    let refused = kcap_in(&folder, "dump -E --dedup @vmcore @elf");
    assert_eq!(code(&refused), 64);
}

#[test]
fn a_truncated_input_is_saved_as_far_as_it_goes() {
    let folder = saved_folder();
    let whole = vmcore(None);
    folder.write("vmcore", &whole[..whole.len() - 2 * PAGE - 100]);
    let output = kcap_in(&folder, "dump -c -d 1 --report @report @vmcore @out");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("incomplete"), "{}", stderr(&output));
    let info: Value = serde_json::from_slice(&kcap_in(&folder, "info --json @out").stdout).unwrap();
    assert_eq!(info["input"]["incomplete"], true);
    let there = kcap_in(&folder, "read @out --paddr 0x100000 --len 4096");
    assert_eq!((code(&there), there.stdout), (0, content(0x100)));
    assert_eq!(code(&kcap_in(&folder, "read @out --paddr 0x103000 --len 4096")), 1);
}

/// A machine of the test kit: 24 MiB of pages of every kind.
fn kit_folder() -> Folder {
    let folder = Folder::new();
    let machine = testkit::Machine::x86_64(testkit::Era::V6_12).build();
    folder.write("vmcore", &machine.elf().to_vec());
    folder
}

#[test]
fn the_output_is_the_same_on_any_number_of_threads_and_in_any_memory() {
    let folder = kit_folder();
    assert_eq!(code(&kcap_in(&folder, "dump -z -d 1 @vmcore @packed")), 0);
    for (options, input) in
        [("--raw -d 31", "vmcore"), ("-l -d 17", "vmcore"), ("-E -d 17", "vmcore"), ("-c -d 31", "packed")]
    {
        let output = kcap_in(&folder, &format!("dump {options} @{input} @alone -f"));
        assert_eq!(code(&output), 0, "{options}: {}", stderr(&output));
        let alone = read(&folder.path("alone"));
        let stream = kcap_in(&folder, &format!("dump -F {options} @{input}")).stdout;
        for threads in ["0", "1", "2", "3", "8 --memory 1M", "2 --memory 256K", "1 --memory 200K"] {
            let line = format!("{options} --num-threads {threads} --report @report @{input}");
            let output = kcap_in(&folder, &format!("dump {line} @out -f"));
            assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
            assert!(read(&folder.path("out")) == alone, "{line}");
            assert!(kcap_in(&folder, &format!("dump -F {line}")).stdout == stream, "{line}");
            let report: Value = serde_json::from_slice(&read(&folder.path("report"))).unwrap();
            let number: u64 = threads.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(report["options"]["threads_used"], number.max(1));
        }
    }
}

/// A limit on the size of files stands in for a full disk: the write fails, and the signal that would come with it is
/// ignored.
#[test]
fn a_full_disk_leaves_a_dump_that_says_it_is_incomplete() {
    for (options, kib, exit) in [
        ("--raw", 48, 3),
        ("-E", 48, 3),
        ("--raw --num-threads 3", 48, 3),
        ("-E --num-threads 3", 48, 3),
        ("--raw", 1, 1),
        ("-E", 1, 1),
        ("--raw --num-threads 3", 1, 1),
    ] {
        let folder = saved_folder();
        let (vmcore, out) = (folder.path("vmcore"), folder.path("out"));
        let line = format!(
            "trap '' XFSZ; ulimit -f {}; exec {} dump {options} {} {}",
            kib * 2,
            env!("CARGO_BIN_EXE_kcap"),
            vmcore.display(),
            out.display()
        );
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(code(&output), exit, "{options} {kib}: {}", stderr(&output));
        assert!(stderr(&output).contains("out: File too large"), "{options} {kib}: {}", stderr(&output));
        assert_eq!(out.exists(), exit == 3, "{options} {kib}");
        if exit == 3 {
            let info: Value = serde_json::from_slice(&kcap_in(&folder, "info --json @out").stdout).unwrap();
            assert_eq!(info["input"]["incomplete"], true, "{options}");
        }
    }
}

#[test]
fn a_stream_that_was_cut_off_is_saved_as_incomplete() {
    let folder = saved_folder();
    let stream = kcap_in(&folder, "dump -F -E @vmcore").stdout;
    folder.write("stream", &stream[..stream.len() - 16]);
    let output = kcap_in(&folder, "merge @merged @stream");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let info: Value = serde_json::from_slice(&kcap_in(&folder, "info --json @merged").stdout).unwrap();
    assert_eq!(info["input"]["incomplete"], true);
}

#[test]
fn info_says_what_a_file_is() {
    let folder = Folder::new();
    folder.write(
        "vmcore",
        &vmcore(Some("OSRELEASE=6.1.0-test\nPAGESIZE=4096\nBUILD-ID=c0ffee\nCRASHTIME=951782400\n")),
    );
    let text = stdout(&kcap_in(&folder, "info @vmcore"));
    for line in [
        "format        ELF core",
        "kernel        6.1.0-test",
        "build-id      c0ffee",
        "crash time    2000-02-29T00:00:00Z",
        "page size     4096",
        "memory        80.0 KiB (20 page frames)",
        "range         0x10000-0x20000 (64.0 KiB)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(code(&kcap_in(&folder, "dump -c @vmcore @out")), 0);
    let info: Value = serde_json::from_slice(&kcap_in(&folder, "info --json @out").stdout).unwrap();
    assert_eq!(info["schema"], "kcapture.info");
    assert_eq!(info["input"]["format"], "kdump");
    assert_eq!(info["input"]["compression"], "zlib");
    assert_eq!(info["kernel"]["release"], "6.1.0-test");
    assert_eq!(info["kernel"]["crash_time"], 951_782_400);
    assert_eq!(info["pages"]["held"]["pages"], 20);
}

#[test]
fn messages_obey_their_level() {
    let folder = saved_folder();
    let quiet = kcap_in(&folder, "dump -d 31 --message-level 0 @vmcore @quiet");
    assert_eq!((code(&quiet), quiet.stdout.len(), quiet.stderr.len()), (4, 0, 0));
    let table = kcap_in(&folder, "dump -d 31 --message-level 16 @vmcore @table");
    assert!(stdout(&table).contains("unknown") && table.stderr.is_empty());
    let progress = stderr(&kcap_in(&folder, "dump --message-level 1 @vmcore @progress"));
    assert!(progress.lines().any(|line| line == "Copying data: 100 %"), "{progress}");
    assert!(progress.lines().count() <= 20 && !progress.contains('\r'), "{progress}");
}

#[test]
fn a_dump_that_waits_for_no_storage_is_the_same() {
    let folder = Folder::new();
    let machine = testkit::Machine::x86_64(testkit::Era::V6_12).build();
    folder.write("vmcore", &machine.elf().to_vec());
    let (synced, report) = dumped(&folder, "-d 31");
    assert_eq!(report["options"]["sync"], true);
    let (unsynced, report) = dumped(&folder, "-d 31 --no-sync");
    assert_eq!(report["options"]["sync"], false);
    assert!(synced == unsynced);
    assert_eq!(code(&kcap_in(&folder, "dump -F --no-sync @vmcore")), 64);
}
