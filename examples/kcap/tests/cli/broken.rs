//! Dumps that broke off, and what `kcap verify` and `kcap merge` say of them.

use core::time::Duration;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::machine::{Folder, PAGE, code, content, frames, kcap_in, read, stderr, stdout, vmcore};

fn saved_folder() -> Folder {
    let folder = Folder::new();
    folder.write("vmcore", &vmcore(None));
    folder
}

fn json(folder: &Folder, line: &str) -> Value {
    serde_json::from_slice(&kcap_in(folder, line).stdout).unwrap()
}

/// How many pages of `files` are there; none is another than the vmcore's.
fn there(folder: &Folder, files: &str) -> u64 {
    let mut there = 0;
    for pfn in frames() {
        let output = kcap_in(folder, &format!("read {files} --paddr {:#x} --len 4096", pfn * PAGE as u64));
        if code(&output) == 0 {
            assert_eq!(output.stdout, content(pfn), "{files} {pfn:#x}");
            there += 1;
        } else {
            assert!(stderr(&output).contains("page frame"), "{}", stderr(&output));
        }
    }
    there
}

/// `info` and `verify` say that a dump is incomplete, and how much of it is there.
fn check_incomplete(folder: &Folder, files: &str, pages: u64) {
    let info = json(folder, &format!("info --json {files}"));
    assert_eq!(info.pointer("/input/incomplete"), Some(&true.into()), "{files}");
    let verified = json(folder, &format!("verify --json {files}"));
    let expected: [(&str, Value); 4] = [
        ("/whole", false.into()),
        ("/exit_code", 3.into()),
        ("/pages/right", pages.into()),
        ("/pages/damaged", 0.into()),
    ];
    for (key, value) in expected {
        assert_eq!(verified.pointer(key), Some(&value), "{key}: {verified:#}");
    }
    assert_eq!(code(&kcap_in(folder, &format!("dump -f {files} @again"))), 3);
    assert_eq!(there(folder, "@again"), pages);
}

#[test]
fn a_size_limit_leaves_a_dump_that_says_it_is_incomplete() {
    for options in ["", "-E", "--num-threads 3", "-E --num-threads 3"] {
        let folder = saved_folder();
        let output = kcap_in(&folder, &format!("dump {options} -L 48K @vmcore @out"));
        assert_eq!(code(&output), 3, "{options}: {}", stderr(&output));
        assert!(stderr(&output).contains("the size limit is reached"), "{}", stderr(&output));
        let len = read(&folder.path("out")).len();
        assert!(len <= 48 << 10 && len > 40 << 10, "{options} {len}");
        let pages = there(&folder, "@out");
        assert!(pages > 4, "{options} {pages}");
        assert!(stderr(&output).contains(&format!("it has {pages} pages")), "{}", stderr(&output));
        check_incomplete(&folder, "@out", pages);
        let none = kcap_in(&folder, &format!("dump {options} -L 3K @vmcore @none"));
        assert_eq!((code(&none), folder.path("none").exists()), (1, false), "{}", stderr(&none));
        assert_eq!(code(&kcap_in(&folder, &format!("dump {options} -L 1G @vmcore @whole"))), 0);
    }
}

#[test]
fn a_limited_stream_is_whole_and_the_dump_in_it_is_not() {
    for options in ["", "-E"] {
        let folder = saved_folder();
        let output = kcap_in(&folder, &format!("dump -F {options} -L 48K @vmcore"));
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        folder.write("stream", &output.stdout);
        assert_eq!(output.stdout[output.stdout.len() - 16..], [0xff; 16]);
        let pages = there(&folder, "@stream");
        assert!(pages > 4);
        check_incomplete(&folder, "@stream", pages);
        let merged = kcap_in(&folder, "merge @merged @stream");
        assert_eq!(code(&merged), 3, "{}", stderr(&merged));
        assert!(stderr(&merged).contains("marked as incomplete"), "{}", stderr(&merged));
        check_incomplete(&folder, "@merged", pages);
        let whole = kcap_in(&folder, &format!("dump -F {options} @vmcore"));
        folder.write("whole", &whole.stdout);
        assert_eq!((code(&whole), code(&kcap_in(&folder, "merge -f @merged @whole"))), (0, 0));
    }
}

#[test]
fn parts_that_broke_off_are_a_set_and_so_are_those_that_are_left() {
    let folder = saved_folder();
    let output = kcap_in(&folder, "dump --split -L 40K @vmcore @a @b");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let pages = there(&folder, "@b --input @a");
    assert!(pages > 4 && pages < 20, "{pages}");
    check_incomplete(&folder, "@b --input @a", pages);
    assert_eq!(code(&kcap_in(&folder, "merge @merged @a @b")), 3);
    check_incomplete(&folder, "@merged", pages);

    assert_eq!(code(&kcap_in(&folder, "dump --split -l @vmcore @c @d")), 0);
    let alone = kcap_in(&folder, "pages @d");
    assert!(code(&alone) == 0 && stderr(&alone).contains("missing part"), "{}", stderr(&alone));
    let pages = there(&folder, "@d");
    assert!(pages > 0 && pages < 20);
    check_incomplete(&folder, "@d", pages);
    let merged = kcap_in(&folder, "merge -f @merged @d --message-level 4");
    assert_eq!(code(&merged), 1, "one file needs no merging: {}", stderr(&merged));
    assert_eq!(code(&kcap_in(&folder, "verify @c --input @d")), 0);
}

#[test]
fn a_cut_stream_gives_what_was_sent() {
    for options in ["", "-l -d 1", "-E"] {
        let folder = saved_folder();
        let stream = kcap_in(&folder, &format!("dump -F {options} @vmcore")).stdout;
        let mut last = 0;
        for less in [17, 3000, 30_000] {
            let cut = stream.len().saturating_sub(less);
            // Its tables take five pages.
            if cut < 21_000 {
                continue;
            }
            folder.write("stream", &stream[..cut]);
            let pages = there(&folder, "@stream");
            check_incomplete(&folder, "@stream", pages);
            let merged = kcap_in(&folder, "merge -f @merged @stream");
            assert_eq!(code(&merged), 3, "{}", stderr(&merged));
            let said = stderr(&merged);
            let amount = if options == "-E" {
                " of 81920 bytes of segments".into()
            } else {
                format!(" {pages} of 20 pages")
            };
            assert!(said.contains(&amount), "{options} {cut} {pages}: {said}");
            check_incomplete(&folder, "@merged", pages);
            last += pages;
        }
        assert!(last > 0, "{options}");
    }
}

#[test]
fn verify_tells_whole_dumps_from_others() {
    for options in ["", "-c -d 1", "-l", "-z -d 1", "-p", "-E", "-E -d 1"] {
        let folder = saved_folder();
        assert_eq!(code(&kcap_in(&folder, &format!("dump {options} @vmcore @out"))), 0);
        let output = kcap_in(&folder, "verify @out");
        assert_eq!(code(&output), 0, "{options}: {}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).ends_with("0 lost, 0 damaged\nwhole\n"), "{}", stdout(&output));
        let stream = kcap_in(&folder, &format!("dump -F {options} @vmcore")).stdout;
        folder.write("stream", &stream);
        assert_eq!(code(&kcap_in(&folder, "verify @stream")), 0, "{options}");
        let mut bytes = read(&folder.path("out"));
        bytes.pop();
        folder.write("cut", &bytes);
        let output = kcap_in(&folder, "verify @cut");
        assert_eq!(code(&output), 3, "{options}: {}", stdout(&output));
        assert!(stdout(&output).contains("1 lost, 0 damaged\nnot whole"), "{options}: {}", stdout(&output));
        assert!(stdout(&output).contains("page frame 0x103: lost"), "{options}: {}", stdout(&output));
    }
    let folder = saved_folder();
    assert_eq!(code(&kcap_in(&folder, "verify @vmcore")), 0);
    folder.write("text", &b"text\n".repeat(1000));
    assert_eq!(code(&kcap_in(&folder, "verify @text")), 1);
    assert_eq!(code(&kcap_in(&folder, "verify @none")), 1);
    // The last byte of the last page of a dump with checksums.
    assert_eq!(code(&kcap_in(&folder, "dump -c @vmcore @out")), 0);
    let mut bytes = read(&folder.path("out"));
    *bytes.last_mut().unwrap() ^= 1;
    folder.write("flipped", &bytes);
    let verified = json(&folder, "verify --json @flipped");
    assert_eq!((&verified["pages"]["damaged"], &verified["pages"]["right"]), (&1.into(), &19.into()));
    assert_eq!(verified["flaws"][0]["pfn"], "0x103");
}

#[test]
fn a_stream_that_nobody_takes_is_a_failure() {
    let folder = Folder::new();
    let machine = testkit::Machine::x86_64(testkit::Era::V6_12).build();
    let input = folder.write("vmcore", &machine.elf().to_vec());
    let closed = format!("exec {} dump -F {} >&-", env!("CARGO_BIN_EXE_kcap"), input.display());
    let output = Command::new("sh").args(["-c", &closed]).output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));
    let mut child = dump(&["-F", input.to_str().unwrap()]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("Broken pipe"), "{}", stderr(&output));
    let null = Command::new(env!("CARGO_BIN_EXE_kcap"))
        .args(["dump", "-F"])
        .arg(&input)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(code(&null), 0, "{}", stderr(&null));
}

/// What the tests were started with may ignore signals, as a shell does for what it starts in the background: kcap is not to.
fn dump(args: &[&str]) -> Child {
    let mut command = Command::new("env");
    command
        .args(["--default-signal", env!("CARGO_BIN_EXE_kcap"), "dump"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A vmcore whose pages take a second or more to pack.
fn large() -> Folder {
    const ADDED: u64 = 128 << 20;
    let folder = Folder::new();
    let mut bytes = vmcore(None);
    let size = ADDED + 4 * PAGE as u64;
    // p_filesz and p_memsz of the last segment.
    for at in [64 + 2 * 56 + 32, 64 + 2 * 56 + 40] {
        bytes.splice(at..at + 8, size.to_le_bytes());
    }
    bytes.extend((0..ADDED / 8).flat_map(|at| ((at * at) >> 5).to_le_bytes()));
    folder.write("vmcore", &bytes);
    folder
}

/// A dump that gets a signal when it writes pages, unless it is faster.
fn signalled(folder: &Folder, signal: &str, options: &str) -> Output {
    let (input, out) = (folder.path("vmcore"), folder.path("out"));
    let mut args: Vec<&str> = options.split_whitespace().collect();
    args.extend(["-f", input.to_str().unwrap(), out.to_str().unwrap()]);
    let mut child = dump(&args);
    // Tables take less than 2 MiB: beyond them are pages.
    let started = Instant::now();
    while std::fs::metadata(&out).map_or(0, |metadata| metadata.len()) < 4 << 20 {
        assert!(started.elapsed() < Duration::from_secs(200));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child.wait_with_output().unwrap()
}

#[test]
fn a_signal_ends_a_dump_as_an_incomplete_one() {
    for (signal, options) in [("-TERM", "-c"), ("-INT", "-c --num-threads 2")] {
        let folder = large();
        // On a busy machine the signal may come when all is written.
        let mut tries = (0..5).map(|_| signalled(&folder, signal, options));
        let output = tries.find(|output| code(output) != 0).expect("no signal came in time");
        assert_eq!(code(&output), 3, "{signal}: {}", stderr(&output));
        assert!(stderr(&output).contains("interrupted"), "{}", stderr(&output));
        assert_eq!(json(&folder, "info --json @out")["input"]["incomplete"], true);
        let first = kcap_in(&folder, "read @out --paddr 0x10000 --len 4096");
        assert_eq!((code(&first), first.stdout), (0, content(0x10)));
    }
}
