//! What kcap refuses: wrong usage, bad input, output that exists.

use crate::machine::{Folder, code, kcap, kcap_in, page, read, stderr, stdout, vmcore};

#[test]
fn wrong_usage_is_64_and_says_what_is_wrong() {
    for (line, says) in [
        ("", "Usage"),
        ("dump", "required"),
        ("dump in", "OUT"),
        ("dump a b c", "OUT"),
        ("dump -F a b", "standard output"),
        ("dump --split a b", "two OUTs"),
        ("dump -d 32 a b", "32"),
        ("dump -d x a b", "invalid"),
        ("dump -E -c a b", "cannot be used with"),
        ("dump -F --split a b c", "cannot be used with"),
        ("dump --num-threads 1025 a b", "1025"),
        ("dump --memory much a b", "much"),
        ("dump -L much a b", "much"),
        ("verify", "required"),
        ("dump --message-level 99 a b", "99"),
        ("dump --no-such-option a b", "--no-such-option"),
        ("merge out", "required"),
        ("read file --len 1", "--paddr"),
        ("read file --paddr zz --len 1", "zz"),
        ("no-such-command", "no-such-command"),
    ] {
        let output = kcap(line.split_whitespace());
        assert_eq!(code(&output), 64, "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{line}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn help_and_version_are_asked_for() {
    for line in ["--help", "--version", "help", "dump --help", "merge --help", "info -h", "dmesg --help"] {
        let output = kcap(line.split_whitespace());
        assert_eq!(code(&output), 0, "{line}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{line}");
    }
    assert!(stdout(&kcap(["--help"])).contains("64  wrong usage"));
}

#[test]
fn missing_input_is_named() {
    let folder = Folder::new();
    for line in [
        "dump @none @out",
        "info @none",
        "pages @none",
        "read @none --paddr 0 --len 1",
        "dmesg @none",
        "merge @out @none",
    ] {
        let output = kcap_in(&folder, line);
        assert_eq!(code(&output), 1, "{line}");
        assert!(stderr(&output).contains("none: No such file"), "{line}: {}", stderr(&output));
    }
    assert!(folder.names().is_empty());
}

#[test]
fn what_is_not_a_dump_is_said_to_be_none() {
    let folder = Folder::new();
    folder.write("empty", b"");
    folder.write("text", b"This is not a dump.\n");
    folder.write(
        "program",
        &vmcore(None)
            .into_iter()
            .enumerate()
            .map(|(at, byte)| if at == 16 { 2 } else { byte })
            .collect::<Vec<_>>(),
    );
    folder.write("elf-start", &vmcore(None)[..40]);
    folder.write("kdump-start", b"KDUMP   \x06\0\0\0");
    folder.write("flat-start", b"makedumpfile\0\0\0\0");
    for name in ["empty", "text", "program", "elf-start", "kdump-start", "flat-start"] {
        for command in
            ["dump -d 31 FILE @out", "info FILE", "pages FILE", "read FILE --paddr 0 --len 1", "dmesg FILE"]
        {
            let output = kcap_in(&folder, &command.replace("FILE", &format!("@{name}")));
            assert_eq!(code(&output), 1, "{command} {name}: {}", stderr(&output));
            assert!(stderr(&output).contains(name), "{command} {name}: {}", stderr(&output));
            assert!(output.stdout.is_empty(), "{command} {name}");
        }
    }
    assert!(!folder.path("out").exists());
    assert!(stderr(&kcap_in(&folder, "info @text")).contains("not a dump"));
    assert!(stderr(&kcap(["info", "/"])).contains("directory"));
}

#[test]
fn an_existing_output_stays_as_it_is() {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    folder.write("out", b"precious");
    for line in ["dump @vmcore @out", "dump --split @vmcore @new @out", "merge @out @stream"] {
        let flattened = kcap_in(&folder, "dump -F @vmcore");
        folder.write("stream", &flattened.stdout);
        let output = kcap_in(&folder, line);
        assert_eq!(code(&output), 1, "{line}");
        assert!(stderr(&output).contains("out: File exists"), "{line}: {}", stderr(&output));
        assert_eq!(read(&folder.path("out")), b"precious", "{line}");
        assert_eq!(folder.names(), ["out", "stream", "vmcore"], "{line}");
    }
    assert_eq!(code(&kcap_in(&folder, "dump -f @vmcore @out")), 0);
    assert_eq!(code(&kcap_in(&folder, "info @out")), 0);
}

#[test]
fn the_input_is_never_overwritten() {
    let folder = Folder::new();
    let vmcore = vmcore(None);
    folder.write("vmcore", &vmcore);
    for line in ["dump -f @vmcore @vmcore", "merge -f @vmcore @vmcore", "dump --report @vmcore @vmcore @out"]
    {
        assert_eq!(code(&kcap_in(&folder, line)), 1, "{line}");
        assert_eq!(read(&folder.path("vmcore")), vmcore, "{line}");
        assert_eq!(folder.names(), ["vmcore"], "{line}");
    }
}

#[test]
fn one_file_is_not_two_outputs() {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    for line in [
        "dump -f --split @vmcore @out @./out",
        "dump --report @out @vmcore @./out",
        "dump --report @./out @vmcore @out",
    ] {
        let output = kcap_in(&folder, line);
        assert_eq!(code(&output), 1, "{line}");
        assert!(stderr(&output).contains("another output"), "{line}: {}", stderr(&output));
        assert_eq!(folder.names(), ["vmcore"], "{line}");
    }
}

#[test]
fn what_needs_no_merging_is_refused() {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    kcap_in(&folder, "dump @vmcore @whole");
    for line in
        ["merge @out @vmcore", "merge @out @whole", "merge @out @whole @vmcore", "merge @out @whole @whole"]
    {
        let output = kcap_in(&folder, line);
        assert_eq!(code(&output), 1, "{line}");
        assert!(!stderr(&output).is_empty() && !folder.path("out").exists(), "{line}");
    }
    let output = kcap_in(&folder, "info @vmcore --input @whole");
    assert!(stderr(&output).contains("parts"), "{}", stderr(&output));
}

#[test]
fn a_page_that_is_not_there_is_named() {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    let output = kcap_in(&folder, "read @vmcore --paddr 0x1f800 --len 4K");
    assert_eq!(code(&output), 1);
    assert_eq!(output.stdout, page(0x1f)[..0x800]);
    assert!(stderr(&output).contains("page frame 0x20 (physical address 0x20000)"), "{}", stderr(&output));
    assert_eq!(code(&kcap_in(&folder, "read @vmcore --paddr 0xfffffffffffffff0 --len 32")), 1);
}

#[test]
fn too_little_memory_is_refused_with_the_least() {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    let output = kcap_in(&folder, "dump --memory 1K @vmcore @out");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("--memory: at least"), "{}", stderr(&output));
    assert!(!folder.path("out").exists());
}

#[test]
fn a_log_without_vmcoreinfo_cannot_be_found() {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    let output = kcap_in(&folder, "dmesg @vmcore");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no VMCOREINFO"), "{}", stderr(&output));
}
