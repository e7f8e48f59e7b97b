//! One machine: it boots once, and its state then is kept; from there it loads and crashes once for each loader.

use std::fs;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::debuggers::{crash_sees, drgn_sees};
use super::guest_disks::Prepared;
use super::loaders::{Loader, choose_load_and_crash};
use super::{folder, headers, images, low_memory, steps};
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::oracles::script;
use crate::run::{Outcome, command, output, run};

/// The console's line of the capture kernel once its vmcore's headers are on the disk.
const HEADERS_COPIED: &str = "kcapture: headers copied";
/// Our line in the console once the capture kernel runs and kcap has saved.
pub(super) const SAVED: &str = "kcapture: kcap ended with 0";
/// What kcap says of a header that names the memory of the map that its note names.
const AGREES: &str = ", as the program headers have it";

/// kcap for the guests, and for here.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) of_guests: PathBuf,
    /// What writes to pages in a guest.
    pub(super) guest: PathBuf,
    pub(super) own: PathBuf,
}

/// Everything that must be true of one machine; says what was seen.
pub(super) fn check(cell: Cell, by_kernel: bool, programs: &Programs) -> Outcome<String> {
    let machine = Machine::boot(cell, &programs.of_guests)?;
    let ours = machine.crash(Loader::Kcap)?;
    let mut seen = vec![machine.look_into(&machine.saved(Loader::Kcap, &programs.own)?, &ours)?];
    if !cell.newer {
        let dump = machine.folder(Loader::Kcap).join("dump");
        seen.push(crash_sees(&machine.vmlinux, cell, &dump, &machine.prepared.folder.join("questions"))?);
    }
    let peers = machine.crash(Loader::KexecTools)?;
    seen.push(headers::compare(&ours.console, &peers.console)?);
    seen.push(machine.compare("kexec-tools", &ours, &peers)?);
    if by_kernel {
        let kernels = machine.crash(Loader::Kernel)?;
        seen.push(steps::check(steps::STEPS, cell.newer, &kernels.console)?);
        seen.push(machine.look_into(&machine.saved(Loader::Kernel, &programs.own)?, &kernels)?);
        seen.push(machine.compare("kernel", &ours, &kernels)?);
        let console = machine.go_on(Loader::LockedDown)?.lines_until_end()?;
        seen.push(format!("locked down: {}", steps::check(steps::LOCKED_DOWN, cell.newer, &console)?));
    }
    if cell.loads_images() {
        for loader in [Loader::Vmlinux, Loader::Uki] {
            let crashed = machine.crash(loader)?;
            let found = machine.look_into(&machine.saved(loader, &programs.own)?, &crashed)?;
            seen.push(format!("{}: {found}", loader.name()));
        }
        seen.push("uki: low memory in /proc/vmcore is what it was before the crash".to_owned());
    }
    fs::remove_file(machine.prepared.folder.join("state"))?;
    Ok(seen.iter().map(|text| format!("\n        {}", text.trim())).collect())
}

/// A machine that has booted, and waits on disk.
#[derive(Debug)]
struct Machine {
    cell: Cell,
    prepared: Prepared,
    vmlinux: PathBuf,
}

/// What is left of it when it has crashed.
#[derive(Debug)]
struct Crashed {
    /// The console until the crash.
    console: Vec<String>,
    /// The first MiB of its `/proc/vmcore`: a file's path.
    headers: String,
}

impl Machine {
    fn boot(cell: Cell, kcap: &Path) -> Outcome<Self> {
        let kernel = Kernel::of(cell.kernel())?;
        let vmlinux = kernel.vmlinux()?;
        let task = choose_load_and_crash(if cell.newer { "--hotplug" } else { "" });
        let folder = folder(&cell.name())?;
        let prepared = if cell.loads_images() {
            Prepared::with_images(kernel, kcap, &task, folder, |boot| images::add(&vmlinux, boot))?
        } else {
            Prepared::new(kernel, kcap, &task, folder)?
        };
        let mut guest = Guest::start(&mut prepared.qemu(cell), &prepared.folder)?;
        guest.wait_for("kcapture: ready")?;
        guest.save_state()?;
        Ok(Self { cell, prepared, vmlinux })
    }

    /// Whether the header is ours and the kernel leaves it as it is, which the newer one does only for a unified kernel image: there
    /// nothing asks it to keep the header up to date.
    fn has_map_version(&self, loader: Loader) -> bool {
        loader == Loader::Uki || (loader.is_ours() && !self.cell.newer)
    }

    fn folder(&self, loader: Loader) -> PathBuf {
        self.prepared.folder.join(loader.name())
    }

    /// Goes on from the kept state: the loader begins.
    fn go_on(&self, loader: Loader) -> Outcome<Guest> {
        let folder = self.folder(loader);
        fs::create_dir(&folder)?;
        self.prepared.empty_disks()?;
        let mut guest = Guest::start(self.prepared.qemu(self.cell).args(Guest::GO_ON), &folder)?;
        guest.wait_until_running()?;
        guest.type_line(loader.name())?;
        Ok(guest)
    }

    /// Loads, crashes, and saves unless the loader is there only to compare with.
    fn crash(&self, loader: Loader) -> Outcome<Crashed> {
        let mut guest = self.go_on(loader)?;
        let console = guest.lines_until("kcapture: loaded")?;
        let low_memory = match loader {
            Loader::Uki => Some(low_memory::expected(&guest, &console, &self.folder(loader))?),
            _ => None,
        };
        guest.type_line("crash")?;
        guest.wait_for("Kernel panic")?;
        let between = guest.lines_until("Linux version")?;
        let guarded = between.iter().any(|line| line.contains("purgatory: entering the kernel"));
        if guarded != loader.is_ours() {
            return Err(format!("{loader:?}: our purgatory between the kernels: {guarded}").into());
        }
        let told = guest.lines_until(HEADERS_COPIED)?;
        // The kernel writes it before the command line, kcap and kexec-tools behind.
        let before = format!("kcapture: capture kernel {} elfcorehdr=0x", self.prepared.kernel.release);
        if told.iter().any(|line| line.contains(&before)) != (loader == Loader::Kernel) {
            return Err(format!("{loader:?}: another one planned:\n{}", told.concat()).into());
        }
        if let Some(line) = low_memory
            && !told.iter().any(|said| said.trim_end() == line)
        {
            return Err(
                format!("low memory is not as before the crash: not '{line}' in\n{}", told.concat()).into()
            );
        }
        if loader != Loader::KexecTools {
            let said = guest.lines_until(SAVED)?;
            guest.wait_for_end()?;
            let map = said.iter().find_map(|line| line.trim().strip_prefix("memory map")).unwrap_or_default();
            if (map.trim() == "unknown") == self.has_map_version(loader)
                || map.ends_with(AGREES) != self.has_map_version(loader)
            {
                return Err(format!("{loader:?}: the map that /proc/vmcore is made of is '{map}'").into());
            }
        }
        drop(guest);
        let headers = self.folder(loader).join("headers");
        fs::rename(self.prepared.folder.join("headers"), &headers)?;
        Ok(Crashed { console, headers: headers.display().to_string() })
    }

    /// Makes a plain dump of the stream that is on the disk, and asks what it is.
    fn saved(&self, loader: Loader, kcap: &Path) -> Outcome<PathBuf> {
        let dump = self.folder(loader).join("dump");
        let merge = ["merge", "-f", "--message-level", "4"];
        run(command(&[kcap]).args(merge).arg(&dump).arg(self.prepared.folder.join("disk")))?;
        let info = output(command(&[kcap]).arg("info").arg(&dump))?;
        let release = &self.prepared.kernel.release;
        if !info.contains(release) {
            return Err(format!("the dump is not one of {release}:\n{info}").into());
        }
        // Of a header that a kernel wrote or keeps up to date nothing is known.
        let known = self.has_map_version(loader);
        let said = info.lines().find_map(|line| line.strip_prefix("memory map")).unwrap_or_default().trim();
        if said.starts_with("epoch ") != known || (said == "unknown") == known {
            return Err(format!("the map that the header was made of is '{said}'").into());
        }
        Ok(dump)
    }

    fn look_into(&self, dump: &Path, crashed: &Crashed) -> Outcome<String> {
        let seen = drgn_sees(&self.vmlinux, self.cell, dump, &crashed.headers)?;
        Ok(format!("saved {} MiB; {seen}", fs::metadata(dump)?.len() >> 20))
    }

    /// `/proc/vmcore` after our load and after a peer's.
    fn compare(&self, peer: &str, ours: &Crashed, peers: &Crashed) -> Outcome<String> {
        let cpus = self.cell.cpus().to_string();
        script("compare_vmcores.py", &[peer, &cpus, &ours.headers, &peers.headers])
    }
}
