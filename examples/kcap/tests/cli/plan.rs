//! `kcap plan` on a machine and a kernel laid out by hand; what `kcap load` refuses before it asks the kernel.

use serde_json::Value;

use crate::machine::{Folder, code, kcap, kcap_in, stderr, stdout};

pub(crate) const IOMEM: &str = "\
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
0009fc00-0009ffff : Reserved
00100000-1ffdbfff : System RAM
  01000000-01bfffff : Kernel code
  01c00000-01ffffff : Kernel data
  0f000000-16ffffff : Crash kernel
fffc0000-ffffffff : Reserved
";

/// A bzImage of protocol 2.15: one sector of setup, 64 KiB of kernel. The offsets are those of boot.rst.
pub(crate) fn bzimage() -> Vec<u8> {
    let mut image = vec![0_u8; 1024 + 65_536];
    let mut put = |offset: usize, bytes: &[u8]| {
        image.get_mut(offset..offset + bytes.len()).unwrap().copy_from_slice(bytes);
    };
    put(0x1f1, &[1]);
    put(0x1f4, &4096_u32.to_le_bytes());
    put(0x1fe, &0xaa55_u16.to_le_bytes());
    put(0x200, &[0xeb, 0x6a]);
    put(0x202, b"HdrS");
    put(0x206, &0x020f_u16.to_le_bytes());
    put(0x211, &[1]);
    put(0x230, &0x0020_0000_u32.to_le_bytes());
    put(0x234, &[1, 21]);
    put(0x236, &0x7f_u16.to_le_bytes());
    put(0x238, &255_u32.to_le_bytes());
    put(0x258, &0x0100_0000_u64.to_le_bytes());
    put(0x260, &0x0040_0000_u32.to_le_bytes());
    image
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("iomem", IOMEM.as_bytes());
    folder.write("kernel", &bzimage());
    folder.write("initrd", &[0x5a; 5000]);
    folder.write("notes", b"2e23d800 368\n2e33d800 368\n");
    folder
}

#[test]
fn a_crash_kernel_is_planned_from_files() {
    let folder = folder();
    let line = "plan -p --json --iomem @iomem --notes @notes --initrd @initrd --append quiet @kernel";
    let output = kcap_in(&folder, line);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let plan: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let segments = plan["segments"].as_array().unwrap();
    let mut spans: Vec<(u64, u64)> = segments
        .iter()
        .map(|segment| {
            let start = segment["mem"].as_u64().unwrap();
            (start, start + segment["memsz"].as_u64().unwrap())
        })
        .collect();
    spans.sort_unstable();
    assert_eq!(spans.len(), 5);
    assert!(spans.iter().all(|(start, end)| *start >= 0x0f00_0000 && *end <= 0x1700_0000));
    assert!(spans.iter().all(|(start, end)| start % 4096 == 0 && end % 4096 == 0));
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:x?}");
    // KEXEC_ARCH_X86_64 << 16 | KEXEC_ON_CRASH
    assert_eq!(plan["flags"], 0x003e_0001);
    assert_eq!(plan["loaded"], false);
    let header = segments.iter().find(|segment| segment["kind"] == "elfcorehdr").unwrap();
    let address = header["mem"].as_u64().unwrap();
    let words = plan["command_line"].as_str().unwrap();
    assert!(words.contains(&format!("elfcorehdr={address:#x}")) && words.contains("quiet"), "{words}");
    let phdrs = plan["elfcorehdr"]["program_headers"].as_array().unwrap();
    let listed: Vec<(u64, u64, u64)> = phdrs
        .iter()
        .map(|phdr| {
            let field = |name: &str| phdr[name].as_u64().unwrap();
            (field("p_type"), field("p_paddr"), field("p_memsz"))
        })
        .collect();
    assert_eq!(
        listed,
        [
            (4, 0x2e23_d800, 368),
            (4, 0x2e33_d800, 368),
            (4, address + header["bufsz"].as_u64().unwrap() - 76, 76),
            (1, 0x0010_0000, 0x0ef0_0000),
            (1, 0x1700_0000, 0x08fd_c000),
        ]
    );
}

/// The digest by Python's hashlib, of 1 MiB to the crash region and from there to the end of RAM.
#[test]
fn a_plan_says_of_which_map_its_elfcorehdr_is() {
    let folder = folder();
    let line = "plan -p --json --iomem @iomem --notes @notes @kernel";
    let plan: Value = serde_json::from_str(&stdout(&kcap_in(&folder, line))).unwrap();
    let version = &plan["elfcorehdr"]["map_version"];
    assert_eq!(version["sha256"], "025f8ce1e6e22f20936064a7b41ed0026b075a57f005b24b63d6ea2dfc1797a3");
    let epoch = version["epoch"].as_u64().unwrap();
    // 2020
    assert!(epoch > 1_577_836_800_000_000_000, "{epoch}");
    let text = stdout(&kcap_in(&folder, "plan -p --iomem @iomem --notes @notes @kernel"));
    let line = text.lines().find_map(|line| line.strip_prefix("elfcorehdr: of map epoch ")).unwrap();
    let (later, digest) = line.split_once(", sha256 ").unwrap();
    assert!(later.parse::<u64>().unwrap() > epoch && digest == "025f8ce1e6e22f20", "{line}");
}

#[test]
fn a_plan_says_what_its_elfcorehdr_lacks() {
    let folder = folder();
    let text = stdout(&kcap_in(&folder, "plan -p --iomem @iomem --notes @notes @kernel"));
    assert!(text.contains("\nelfcorehdr: without VMCOREINFO") && !text.contains("without notes"), "{text}");
}

#[test]
fn an_ordinary_kernel_is_planned_from_files() {
    let folder = folder();
    let output = kcap_in(&folder, "plan --iomem @iomem --append quiet @kernel");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("\nentry: ") && text.contains("sha256: ") && !text.contains("elfcorehdr"),
        "{text}"
    );
}

/// What `plan --json` says of segments (name, first byte, length) and of memory (first byte, end, kind).
type Told = (Vec<(String, u64, u64)>, Vec<(u64, u64, String)>);

fn planned(folder: &Folder, line: &str) -> Told {
    let output = kcap_in(folder, line);
    assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
    let plan: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap().to_owned();
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap();
    let list = |key: &str| plan.get(key).and_then(Value::as_array).unwrap().iter();
    let (segments, memory) = (list("segments"), list("memory"));
    (
        segments.map(|s| (text(s, "kind"), number(s, "mem"), number(s, "memsz"))).collect(),
        memory.map(|r| (number(r, "start"), number(r, "end"), text(r, "kind"))).collect(),
    )
}

#[test]
fn an_ordinary_kernel_is_told_what_firmware_says() {
    let folder = folder();
    // The machine was started with mem=512M, less what ACPI has, and a driver made RAM of what firmware set aside.
    // Tables of EFI lie in what firmware calls RAM.
    let tables = "00100000-1fef0fff : System RAM\n1fef1000-1fef1fff : Reserved\n1fef2000-1ffdbfff";
    let kmem = "100000000-13fffffff : System RAM (kmem)\nfffc0000";
    let iomem = IOMEM.replace("00100000-1ffdbfff", tables).replace("fffc0000", kmem);
    folder.write("iomem", iomem.as_bytes());
    for (number, (start, end, kind)) in [
        ("0x100000000\n", "0x13fffffff\n", "Soft Reserved\n"),
        ("0x1000\n", "0x9fbff\n", "System RAM\n"),
        ("0x100000\n", "0x3ffdbfff\n", "System RAM\n"),
    ]
    .into_iter()
    .enumerate()
    {
        for (file, text) in [("start", start), ("end", end), ("type", kind)] {
            folder.write(&format!("sys/firmware/memmap/{number}/{file}"), text.as_bytes());
        }
    }
    let firmware = [
        (0x1000, 0x9_fc00, "System RAM".to_owned()),
        (0x10_0000, 0x1fef_1000, "System RAM".into()),
        (0x1fef_1000, 0x1fef_2000, "Reserved".into()),
        (0x1fef_2000, 0x3ffd_c000, "System RAM".into()),
        (0x1_0000_0000, 0x1_4000_0000, "Soft Reserved".into()),
    ];
    // An ordinary user has no proc/iomem to copy.
    let given = "plan --json --iomem @iomem --firmware-memmap @sys/firmware/memmap @kernel";
    for line in [given, "plan --json --root @. --iomem @iomem @kernel"] {
        let (segments, memory) = planned(&folder, line);
        assert_eq!(memory, firmware);
        assert!(segments.iter().all(|(_, start, len)| start + len <= 0x1ffd_c000), "{segments:x?}");
    }
    folder.write("proc/cmdline", b"quiet add_efi_memmap\n");
    for line in ["plan --json --iomem @iomem @kernel", "plan --json --root @. --iomem @iomem @kernel"] {
        assert_eq!(planned(&folder, line).1.len(), 7, "{line}");
    }
}

#[test]
fn an_old_kernel_has_its_low_memory_copied() {
    let folder = folder();
    folder.write("proc/iomem", IOMEM.as_bytes());
    let low = |release: &[u8]| {
        folder.write("proc/sys/kernel/osrelease", release);
        let output = kcap_in(&folder, "plan -p --json --root @. @kernel");
        let plan: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let phdrs = plan["elfcorehdr"]["program_headers"].as_array().unwrap();
        let low = phdrs.iter().find(|phdr| phdr["p_paddr"].as_u64().unwrap() < 0x10_0000);
        let backup = plan["segments"].as_array().unwrap().iter().find(|segment| segment["kind"] == "backup");
        (
            low.map(|phdr| (phdr["p_offset"].as_u64().unwrap(), phdr["p_memsz"].as_u64().unwrap())),
            backup.map(|segment| segment["mem"].as_u64().unwrap()),
        )
    };
    assert_eq!(low(b"5.4.0-150-generic\n"), (Some((0x16f6_1000, 0x9_ec00)), Some(0x16f6_1000)));
    assert_eq!(low(b"6.1.0-56-cloud-amd64\n"), (None, None));
}

#[test]
fn what_the_kernel_would_refuse_is_said_first() {
    let folder = folder();
    folder.write("no-region", IOMEM.replace("Crash kernel", "Something").as_bytes());
    folder.write("hidden", b"00000000-00000000 : System RAM\n00000000-00000000 : Crash kernel\n");
    folder.write("cut", bzimage().get(..700).unwrap());
    folder.write("no-notes", b"cpu0\n");
    folder.write("cut-memmap/0/start", b"0x1000\n");
    let long = "x".repeat(300);
    let longer = "x".repeat(5000);
    for (line, says) in [
        ("plan -p --iomem @no-region @kernel", "crashkernel="),
        ("plan -p --iomem @hidden @kernel", "hidden:"),
        ("plan -p --iomem @iomem @cut", "offset"),
        ("plan -p --iomem @iomem @notes", "kcap: "),
        ("plan -p --iomem @iomem --notes @no-notes @kernel", "line 1 is not ADDRESS SIZE"),
        ("plan -p --iomem @iomem --mem-max 0x10000000 --mem-min 0x0fff0000 @kernel", "no room"),
        ("plan -p --iomem @iomem --hotplug @kernel", "--hotplug"),
        (&format!("plan -p --iomem @iomem --append {long} @kernel"), "255"),
        (&format!("plan -p --iomem @iomem --append {longer} @kernel"), "255"),
        ("plan -p --iomem @iomem --initrd @none @kernel", "none: No such file"),
        ("plan -p --iomem @iomem --append elfcorehdr=0x1000 @kernel", "elfcorehdr= of its own"),
        ("plan --iomem @iomem --firmware-memmap @none @kernel", "none: no folder 0"),
        ("plan --iomem @iomem --firmware-memmap @cut-memmap @kernel", "the firmware's memory map: "),
    ] {
        let output = kcap_in(&folder, line);
        assert_eq!(code(&output), 1, "{line}: {}", stdout(&output));
        assert!(stderr(&output).contains(says), "{line}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn what_does_not_go_together_is_wrong_usage() {
    for line in [
        "load -p -s --on-mismatch reset kernel",
        "load -p -s --dry-run kernel",
        "load -p -a --serial ttyS0 kernel",
        "watch",
        "watch -l kernel",
        "watch --dry-run kernel",
        "watch -s --serial ttyS0 kernel",
        "watch --settle 3601 kernel",
        "load -p -a --dry-run kernel",
        "load -p -a --json kernel",
        "load -p -a --on-mismatch reset kernel",
        "load -p -l kernel",
        "load -p -i --on-mismatch halt kernel",
        "load -p",
        "load --serial ttyUSB0 kernel",
        "load --on-mismatch panic kernel",
        "plan -p kernel",
        "plan -p --iomem iomem --firmware-memmap memmap kernel",
        "unload -p -l",
    ] {
        let output = kcap(line.split_whitespace());
        assert_eq!(code(&output), 64, "{line}: {}", stderr(&output));
    }
}
