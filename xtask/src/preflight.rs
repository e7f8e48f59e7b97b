//! `cargo xtask preflight`: a Debian guest with systemd, in which one process that has memory open was started by hand, at
//! its console, and another one by systemd: what `kcap preflight` says of both.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::boot::{self, INIT};
use crate::guest::Guest;
use crate::initramfs::Tree;
use crate::kernels::Kernel;
use crate::run::{Outcome, command, run};
use crate::{cache, packages, targets};

const KERNEL: &str = "linux-image-6.12-cloud-amd64";
/// Builds the guest's Debian.
const PACKAGES: &[&str] = &["mmdebstrap"];
/// `libpam-systemd` makes a session of a login, which is no service.
const INCLUDE: &str = "systemd-sysv,dbus,libpam-systemd";
const SUITE: &str = "bookworm";
const LINE: &str = "console=ttyS0 panic=5 crashkernel=64M systemd.getty_auto=no systemd.show_status=0 quiet";

/// The Debian is unpacked into the guest's memory by its own root, so that nobody needs to be root here.
const UNPACK: &str = r"
mkdir /new
mount -t tmpfs -o size=80% new /new
tar xf /dev/vda -C /new
cp /kcap /new/usr/bin/kcap
cp /reader.service /new/etc/systemd/system/
mkdir -p /new/etc/systemd/system/multi-user.target.wants /new/etc/systemd/system/console-getty.service.d
ln -s /etc/systemd/system/reader.service /new/etc/systemd/system/multi-user.target.wants/
ln -s /lib/systemd/system/console-getty.service /new/etc/systemd/system/multi-user.target.wants/
cp /login.conf /new/etc/systemd/system/console-getty.service.d/
umount /proc /sys
exec switch_root /new /sbin/init
";

const READER: &str = "\
[Service]
StandardInput=file:/dev/mem
ExecStart=/bin/sh -c 'exec sleep infinity 3< /proc/kcore'
";

/// Not by the unit of the terminal, which waits for udev to find it. A login before logind runs makes no session, and neither does one
/// on `/dev/console`.
const LOGIN: &str = "\
[Unit]
Requires=systemd-logind.service
After=systemd-logind.service
[Service]
TTYPath=/dev/ttyS0
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud ttyS0 115200 dumb
";

/// What is typed at the console, in the shell of a login.
const TYPED: [&str; 5] = [
    "sleep infinity < /dev/mem 3< /proc/kcore &",
    "systemctl is-active reader.service; cat /proc/$!/cgroup",
    "for o in '--for liveupdate' '--for liveupdate --checkpoint' '--for kexec' '--for kdump'; do kcap preflight $o --json; echo \
     \"\\\"exit $?\\\"\"; done > /tmp/out",
    "kcap preflight --for liveupdate; dd if=/tmp/out of=/dev/vdb conv=sync,fsync status=none",
    "poweroff -f",
];

/// Boots it, looks, and checks what was said.
pub(crate) fn run_task() -> Outcome<()> {
    packages::install(&[packages::GUESTS, PACKAGES].concat())?;
    let kcap = targets::build_kcap(Some(boot::TARGET))?;
    let debian = debian()?;
    let folder = targets::folder()?.join("preflight");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let kernel = Kernel::of(KERNEL)?;
    let initrd = initial_ram_disk(&kernel, &kcap, &folder)?;
    let out = folder.join("out.disk");
    File::create(&out)?.set_len(1 << 20)?;

    let mut qemu = command(&["qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-smp", "2", "-m", "1G"]);
    qemu.args(["-nic", "none", "-append", LINE])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(&initrd);
    let disk = |path: &Path| format!("file={},format=raw,if=virtio,cache=unsafe", path.display());
    qemu.arg("-drive").arg(format!("{},readonly=on", disk(&debian))).arg("-drive").arg(disk(&out));
    let mut guest = Guest::start(&mut qemu, &folder)?;
    // A login says when there was one before, or greets: the last line before its prompt, which has no end.
    guest.wait_for("permitted by applicable law")?;
    for line in TYPED {
        guest.type_line(line)?;
    }
    let console = guest.lines_until_end()?;
    let said = fs::read(&out)?;
    let end = said.iter().position(|byte| *byte == 0).unwrap_or(said.len());
    let said: Vec<Value> = serde_json::Deserializer::from_slice(said.get(..end).unwrap_or_default())
        .into_iter()
        .collect::<Result<_, _>>()?;
    let seen = judge(&said).map_err(|error| format!("{error}\n{}{said:#?}", console.concat()))?;
    println!("{seen}");
    Ok(())
}

/// The Debian as a tar archive, in the cache.
fn debian() -> Outcome<PathBuf> {
    // To QEMU a comma ends a file's name.
    let folder = cache::folder("debian")?.join(format!("{SUITE}-{INCLUDE}").replace(',', "-"));
    cache::fill(&folder, |unfinished| {
        println!("building a Debian {SUITE} with {INCLUDE}");
        let mut build = command(&["mmdebstrap", "--quiet", "--variant=essential"]);
        for unread in ["doc", "man", "locale"] {
            build.arg(format!("--dpkgopt=path-exclude=/usr/share/{unread}/*"));
        }
        run(build.arg(format!("--include={INCLUDE}")).arg(SUITE).arg(unfinished.join("root.tar")))
    })?;
    Ok(folder.join("root.tar"))
}

fn initial_ram_disk(kernel: &Kernel, kcap: &Path, folder: &Path) -> Outcome<PathBuf> {
    let tree = Tree::new(folder.join("boot"))?;
    tree.add_modules(kernel, true)?;
    tree.add(kcap, "kcap")?;
    tree.add_script("reader.service", READER)?;
    tree.add_script("login.conf", LOGIN)?;
    tree.add_script("init", &format!("{INIT}{UNPACK}"))?;
    let initrd = folder.join("boot.gz");
    tree.pack(&initrd)?;
    Ok(initrd)
}

/// Of each run: its exit code, and the verdicts on the holder that was started by hand and on the service.
fn judge(said: &[Value]) -> Outcome<String> {
    let wanted = [
        ("liveupdate", false, "exit 2", "warn", "info"),
        ("liveupdate", true, "exit 2", "block", "warn"),
        ("kexec", false, "exit 1", "warn", "info"),
        ("kdump", false, "exit 2", "info", "info"),
    ];
    let mut seen = String::new();
    if said.len() != 2 * wanted.len() {
        return Err(format!("{} runs", said.len() / 2).into());
    }
    for ((purpose, checkpoint, exit, by_hand, service), answer) in wanted.into_iter().zip(said.chunks(2)) {
        let [report, code] = answer else { return Err("no exit code".into()) };
        if report["for"] != purpose || report["checkpoint"] != checkpoint || code != exit {
            return Err(format!("{purpose}: {code}, not {exit}").into());
        }
        let seconds = report["seconds"].as_f64().unwrap_or(f64::MAX);
        for path in ["/dev/mem", "/proc/kcore"] {
            let holders = holders(report, path);
            let [hand, unit] = holders.as_slice() else {
                return Err(format!("{purpose}: {} processes have {path}", holders.len()).into());
            };
            let pid = hand["pid"].as_u64().unwrap_or_default();
            let stop = format!("stop it (kill {pid}) or run it under the service manager");
            let remedy = |stop: &str| if purpose == "kdump" { Value::Null } else { Value::from(stop) };
            let facts = [
                (&hand["verdict"], Value::from(by_hand)),
                (&hand["unit"], Value::Null),
                (&hand["managed"], Value::from(false)),
                (&hand["process"], Value::from("sleep")),
                (&hand["remedy"], remedy(&stop)),
                (&unit["verdict"], Value::from(service)),
                (&unit["unit"], Value::from("reader.service")),
                (&unit["managed"], Value::from(true)),
                (&unit["process"], Value::from("sleep")),
                (&unit["remedy"], remedy("systemctl stop reader.service")),
            ];
            if let Some((found, wanted)) = facts.iter().find(|(found, wanted)| *found != wanted) {
                return Err(format!("{purpose}: {path}: {found}, not {wanted}").into());
            }
        }
        let more = if checkpoint { " of processes that are to go on" } else { "" };
        seen.push_str(&format!(
            "ok      {purpose}{more}: by hand {by_hand}, reader.service {service}; {seconds:.2} s under QEMU\n"
        ));
    }
    Ok(seen.trim_end().to_owned())
}

/// The findings on `path`: by hand first.
fn holders<'a>(report: &'a Value, path: &str) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().into_iter().flatten();
    let mut holders: Vec<&Value> =
        findings.filter(|finding| finding["check"] == "open_file" && finding["path"] == path).collect();
    holders.sort_by_key(|finding| finding["managed"] == true);
    holders
}
