//! `cargo xtask drmem`: memory is added to a pseries guest and taken away, by its hypervisor and by its own hand. After each step the
//! list of memory blocks in its device tree must be, byte for byte, what kexec-core makes of the tree that it booted with.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::guest::Guest;
use crate::initramfs::Tree;
use crate::kernels::{Kernel, unpacked_package};
use crate::run::{Outcome, command, output, run};
use crate::{packages, targets};

/// Says what the list is, and waits for it to change.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
stty -echo
list=/sys/firmware/devicetree/base/ibm,dynamic-reconfiguration-memory/ibm,dynamic-memory-v2
hex() { xxd -p | tr -d '\n'; }
say() { cp $list /last; echo; echo "drmem: $1 $(hex < $list)"; grep MemTotal /proc/meminfo; }
wait_for_change() { tries=0; while cmp -s $list /last && [ $tries -lt 600 ]; do usleep 100000; tries=$((tries+1)); done; sleep 1; }
echo online_movable > /sys/devices/system/memory/auto_online_blocks
echo; echo "drmem: tree $(gzip < /sys/firmware/fdt | hex)"
say boot
wait_for_change; say five-plugged
wait_for_change; say one-plugged
echo 'memory remove index 0x80000006' > /sys/kernel/dlpar; say middle-removed
echo 'memory remove count 2' > /sys/kernel/dlpar; say two-removed
wait_for_change; say unplugged
poweroff -f
"#;

/// What happens to the guest, what is said of it then, and the same change as the example `drmem_edit` takes it: a node's
/// memory has the node's number as associativity index.
const STEPS: &[(&[&str], &str, &str)] = &[
    (&[], "boot", "show"),
    (
        &[
            r#"{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"m1","size":1342177280}}"#,
            r#"{"execute":"device_add","arguments":{"driver":"pc-dimm","id":"d1","memdev":"m1","node":0}}"#,
        ],
        "five-plugged",
        "assign 0x80000004 5 0",
    ),
    (
        &[
            r#"{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"m2","size":268435456}}"#,
            r#"{"execute":"device_add","arguments":{"driver":"pc-dimm","id":"d2","memdev":"m2","node":1,"addr":4294967296}}"#,
        ],
        "one-plugged",
        "assign 0x80000010 1 1",
    ),
    (&[], "middle-removed", "release 0x80000006 1"),
    (&[], "two-removed", "release 0x80000004 2"),
    (&[r#"{"execute":"device_del","arguments":{"id":"d1"}}"#], "unplugged", "release 0x80000004 5"),
];

/// The lists that must be the same before and behind: the other layout and back.
const THERE_AND_BACK: &str = "layout v1\nlayout v2\n";

pub(crate) fn compare() -> Outcome<()> {
    packages::install(packages::POWERPC)?;
    packages::add_architecture("ppc64el")?;
    let start = Instant::now();
    let folder = targets::folder()?.join("drmem");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let kernel = Kernel::of("linux-image-powerpc64le:ppc64el")?;
    let mut guest = Guest::start(&mut qemu(&kernel, &folder)?, &folder)?;
    fs::write(folder.join("tree.gz"), bytes(&said(&mut guest, "tree")?)?)?;
    run(command(&["gzip", "-d", "tree.gz"]).current_dir(&folder))?;
    let mut lists = Vec::new();
    for (commands, name, _) in STEPS {
        if !commands.is_empty() {
            guest.monitor(&commands.iter().map(|&command| command.to_owned()).collect::<Vec<_>>())?;
        }
        lists.push(said(&mut guest, name)?);
    }
    guest.wait_for_end()?;
    let ours = ours(&folder)?;
    let mut ours = ours.lines();
    for ((_, name, step), theirs) in STEPS.iter().zip(&lists) {
        let ours = ours.next().unwrap_or("nothing");
        if ours != theirs {
            return Err(
                format!("{name} ({step}): the guest has\n{theirs}\nand kexec-core makes\n{ours}").into()
            );
        }
        println!("{name}: {} sets, {} bytes, the same as the guest's", sets(theirs)?, theirs.len() / 2);
    }
    let (v1, v2) = (ours.next().unwrap_or_default(), ours.next());
    if v2 != lists.last().map(String::as_str) {
        return Err(format!("through the other layout {lists:?} becomes {v2:?}").into());
    }
    println!("as ibm,dynamic-memory: {} LMBs, {} bytes; and back: the same", sets(v1)?, v1.len() / 2);
    run(command(&["dtc", "-q", "-I", "dtb", "-O", "dtb", "-o", "again", "tree"]).current_dir(&folder))?;
    let list = "/ibm,dynamic-reconfiguration-memory";
    let read =
        output(command(&["fdtget", "-t", "bx", "tree", list, "ibm,dynamic-memory-v2"]).current_dir(&folder))?;
    let read: String = read.split_whitespace().map(|byte| format!("{byte:0>2}")).collect();
    if Some(&read) != lists.last() {
        return Err(format!("libfdt reads {read} in the changed tree").into());
    }
    println!("the changed tree: dtc takes it, and libfdt reads the same list");
    println!("Linux {} on pseries, {} s", kernel.release, start.elapsed().as_secs());
    Ok(())
}

/// What the guest says of something.
fn said(guest: &mut Guest, name: &str) -> Outcome<String> {
    let mark = format!("drmem: {name} ");
    let line = guest.line_with(&mark)?;
    Ok(line.split_once(&mark).map_or("", |(_, said)| said).trim().to_owned())
}

fn bytes(hex: &str) -> Outcome<Vec<u8>> {
    let digits: Vec<char> = hex.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    Ok(digits.chunks(2).map(byte).collect::<Result<_, _>>()?)
}

/// The number at the start of a list: LMBs or sets.
fn sets(list: &str) -> Outcome<u32> {
    Ok(u32::from_str_radix(list.get(..8).ok_or("a list has a number")?, 16)?)
}

/// What kexec-core makes of the tree, line by line; the tree is then the changed one.
fn ours(folder: &Path) -> Outcome<String> {
    let mut edit = command(&[targets::cargo()]);
    edit.args(["run", "--quiet", "--package", "kexec-core", "--example", "drmem_edit", "--"]);
    edit.arg(folder.join("tree")).current_dir(targets::workspace());
    let mut edit = edit.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let steps: String = STEPS.iter().map(|(_, _, step)| format!("{step}\n")).collect();
    edit.stdin.take().ok_or("no stdin")?.write_all(format!("{steps}{THERE_AND_BACK}").as_bytes())?;
    let done = edit.wait_with_output()?;
    if done.status.success() {
        Ok(String::from_utf8(done.stdout)?)
    } else {
        Err(format!("drmem_edit: {}", done.status).into())
    }
}

/// 1 GiB in two nodes, and room for DIMMs.
fn qemu(kernel: &Kernel, folder: &Path) -> Outcome<Command> {
    let boot = Tree::empty(folder.join("boot"));
    boot.add(&unpacked_package("busybox-static:ppc64el")?.join("bin/busybox"), "bin/busybox")?;
    boot.add_script("init", INIT)?;
    boot.pack(&folder.join("boot.gz"))?;
    let mut qemu = command(&["qemu-system-ppc64"]);
    // What TCG does not do, and the machine would have it promise.
    qemu.args(["-M", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken", "-cpu", "POWER9"]);
    qemu.args(["-m", "1G,slots=4,maxmem=8G"]);
    for node in ["0", "1"] {
        qemu.args(["-object", &format!("memory-backend-ram,id=b{node},size=512M")]);
        qemu.args(["-numa", &format!("node,memdev=b{node}")]);
    }
    qemu.args(["-nic", "none", "-vga", "none", "-append", "console=hvc0 quiet"]);
    qemu.arg("-kernel").arg(kernel.elf_image()).arg("-initrd").arg(folder.join("boot.gz"));
    Ok(qemu)
}
