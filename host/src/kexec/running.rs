//! What a loader must know of the running machine, as `/proc` and `/sys` tell it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vmcore_format::elf::{Header, PT_LOAD, ProgramHeader, ProgramHeaders};

use super::numbers::{decimal, hex};
use crate::Input;

/// A range of physical memory where the kernel keeps something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Physical address.
    pub paddr: u64,
    /// Size in bytes.
    pub len: u64,
}

/// Where a CPU leaves its registers when the machine crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashNotes {
    /// The CPU's number.
    pub cpu: u32,
    /// Its notes.
    pub area: Area,
}

/// The texts of an entry of `/sys/firmware/memmap`, the firmware's memory map before the kernel changed it. A text that
/// is not there is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareEntry {
    /// `start`: the first byte's address.
    pub start: Vec<u8>,
    /// `end`: the last byte's address.
    pub end: Vec<u8>,
    /// `type`: `System RAM`, `ACPI Tables` ...
    pub kind: Vec<u8>,
}

impl FirmwareEntry {
    /// The entries of `/sys/firmware/memmap` or a copy of it, in the order of their numbers; none where firmware gave no
    /// map.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Vec<Self> {
        let text = |name: &str, field: &str| fs::read(folder.join(name).join(field)).unwrap_or_default();
        let entry = |name: String| Self {
            start: text(&name, "start"),
            end: text(&name, "end"),
            kind: text(&name, "type"),
        };
        numbered(folder, "").into_iter().map(|(_, name)| entry(name)).collect()
    }
}

/// A `PT_LOAD` of `/proc/kcore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KcoreLoad {
    /// `p_vaddr`
    pub vaddr: u64,
    /// `p_paddr`: all ones where memory is not mapped in one piece.
    pub paddr: u64,
    /// `p_memsz`
    pub size: u64,
}

/// A memory block of `/sys/devices/system/memory`: what can be hot-plugged as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryBlock {
    /// Its number: its physical address by its size.
    pub number: u32,
    /// `state`: `online`, `offline`, `going-offline`; empty where it cannot be read, as of a block that has just gone.
    pub state: Vec<u8>,
}

impl MemoryBlock {
    /// Whether the block is between two states.
    #[must_use]
    pub fn is_going(&self) -> bool {
        !matches!(self.state.trim_ascii(), b"online" | b"offline")
    }
}

/// A folder that holds `/proc` and `/sys`: the running machine's, or a copy.
#[derive(Debug, Clone)]
pub struct Running {
    root: PathBuf,
}

/// The size of a CPU's notes where the kernel does not say it (before 3.8).
const CRASH_NOTES_SIZE: u64 = 1024;

impl Running {
    /// The running machine.
    #[must_use]
    pub fn here() -> Self {
        Self::below(Path::new("/"))
    }

    /// A copy of `/proc` and `/sys` in a folder.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The bytes of a file, by its path without the first slash.
    ///
    /// # Errors
    /// The operating system's.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(path))
    }

    fn text(&self, path: &str) -> Option<String> {
        String::from_utf8(self.read(path).ok()?).ok()
    }

    /// `/proc/iomem`. Without `CAP_SYS_ADMIN` its addresses are all zero.
    ///
    /// # Errors
    /// The operating system's.
    pub fn iomem(&self) -> io::Result<Vec<u8>> {
        self.read("proc/iomem")
    }

    /// `/proc/cmdline` without its line end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn command_line(&self) -> io::Result<Vec<u8>> {
        let mut line = self.read("proc/cmdline")?;
        while line.last().is_some_and(|byte| *byte == b'\n' || *byte == 0) {
            line.pop();
        }
        Ok(line)
    }

    /// `/proc/sys/kernel/osrelease`: major and minor number of the kernel's version.
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let release = self.text("proc/sys/kernel/osrelease")?;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }

    /// `/sys/firmware/memmap`; empty where firmware gave no map.
    #[must_use]
    pub fn firmware_memmap(&self) -> Vec<FirmwareEntry> {
        FirmwareEntry::of_folder(&self.root.join("sys/firmware/memmap"))
    }

    /// Each CPU's notes; a CPU that the kernel keeps none for is not listed.
    #[must_use]
    pub fn crash_notes(&self) -> Vec<CrashNotes> {
        let folder = "sys/devices/system/cpu";
        self.numbered(folder, "cpu")
            .into_iter()
            .filter_map(|(cpu, name)| {
                let paddr = hex(&self.text(&format!("{folder}/{name}/crash_notes"))?)?;
                let size = self.text(&format!("{folder}/{name}/crash_notes_size"));
                let len = size.and_then(|text| decimal(&text)).unwrap_or(CRASH_NOTES_SIZE);
                Some(CrashNotes { cpu, area: Area { paddr, len } })
            })
            .collect()
    }

    /// Each memory block; empty where the kernel has none (without `CONFIG_MEMORY_HOTPLUG`).
    #[must_use]
    pub fn memory_blocks(&self) -> Vec<MemoryBlock> {
        let folder = "sys/devices/system/memory";
        let blocks = self.numbered(folder, "memory").into_iter();
        let state = |name| self.read(&format!("{folder}/{name}/state")).unwrap_or_default();
        blocks.map(|(number, name)| MemoryBlock { number, state: state(name) }).collect()
    }

    /// `/sys/kernel/vmcoreinfo`: the address with `0x`, the size in hexadecimal without.
    #[must_use]
    pub fn vmcoreinfo(&self) -> Option<Area> {
        let text = self.text("sys/kernel/vmcoreinfo")?;
        let (paddr, len) = text.trim().split_once(' ')?;
        Some(Area { paddr: hex(paddr)?, len: hex(len)? }).filter(|area| area.len > 0)
    }

    /// Addresses of symbols by `/proc/kallsyms`; `None` for one that it does not have or hides (as 0).
    #[must_use]
    pub fn symbols<const N: usize>(&self, names: [&str; N]) -> [Option<u64>; N] {
        let text = self.text("proc/kallsyms").unwrap_or_default();
        let mut found = [None; N];
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(address), Some(_), Some(symbol)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            for (slot, name) in found.iter_mut().zip(names) {
                if symbol == name && slot.is_none() {
                    *slot = hex(address).filter(|address| *address != 0);
                }
            }
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        found
    }

    /// The `PT_LOAD`s of `/proc/kcore`; empty where it may not be read (lockdown).
    #[must_use]
    pub fn kcore_loads(&self) -> Vec<KcoreLoad> {
        let read = || {
            let input = Input::open(&self.root.join("proc/kcore")).ok()?;
            let header = Header::read(&input).ok()?;
            let table = ProgramHeaders::new(&input, header, 0).ok()?;
            let loads = table.map_while(Result::ok).map(|(phdr, _)| phdr);
            let loads = loads.filter(|phdr| phdr.p_type == PT_LOAD);
            let load = |phdr: ProgramHeader| KcoreLoad {
                vaddr: phdr.p_vaddr,
                paddr: phdr.p_paddr,
                size: phdr.p_memsz,
            };
            Some(loads.map(load).collect())
        };
        read().unwrap_or_default()
    }

    /// `/sys/kernel/boot_params/data`: the `struct boot_params` that the running kernel was given (x86).
    #[must_use]
    pub fn boot_params(&self) -> Option<Vec<u8>> {
        self.read("sys/kernel/boot_params/data").ok()
    }

    /// A number of `/sys/firmware/efi`, such as `fw_vendor`, `runtime`, `config_table`.
    #[must_use]
    pub fn efi_number(&self, name: &str) -> Option<u64> {
        hex(&self.text(&format!("sys/firmware/efi/{name}"))?)
    }

    /// An address of `/sys/firmware/efi/systab`, such as `ACPI20`, `ACPI`, `SMBIOS`.
    #[must_use]
    pub fn efi_table(&self, name: &str) -> Option<u64> {
        let text = self.text("sys/firmware/efi/systab")?;
        text.lines().find_map(|line| hex(line.strip_prefix(name)?.strip_prefix('=')?))
    }

    /// `/sys/firmware/efi/runtime-map`: type, physical address, virtual address, pages, attributes of each entry.
    #[must_use]
    pub fn efi_runtime_map(&self) -> Vec<[u64; 5]> {
        let folder = "sys/firmware/efi/runtime-map";
        let fields = ["type", "phys_addr", "virt_addr", "num_pages", "attribute"];
        self.numbered(folder, "")
            .into_iter()
            .filter_map(|(_, name)| {
                let mut entry = [0; 5];
                for (value, field) in entry.iter_mut().zip(fields) {
                    *value = hex(&self.text(&format!("{folder}/{name}/{field}"))?)?;
                }
                Some(entry)
            })
            .collect()
    }

    fn numbered(&self, folder: &str, prefix: &str) -> Vec<(u32, String)> {
        numbered(&self.root.join(folder), prefix)
    }
}

/// The entries of a folder named `prefix` and a number, in the order of the numbers.
fn numbered(folder: &Path, prefix: &str) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<(u32, String)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some((name.strip_prefix(prefix)?.parse().ok()?, name))
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Copy(PathBuf);

    impl Copy {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("kcapture-running-{name}-{}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Copy {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The texts are those of a Debian 6.12 guest of QEMU.
    #[test]
    fn a_machine_is_read() {
        let copy = Copy::new(
            "machine",
            &[
                ("proc/cmdline", "console=ttyS0 crashkernel=160M\n"),
                ("proc/sys/kernel/osrelease", "6.12.117+deb12-cloud-amd64\n"),
                (
                    "proc/kallsyms",
                    "ffffffff9b000000 T startup_64\nffffffff9b000000 T _stext\nffffffff9b000000 T _text\n",
                ),
                ("sys/kernel/vmcoreinfo", "0x0000000001398000 1024\n"),
                ("sys/devices/system/cpu/cpu0/crash_notes", "2e23d800\n"),
                ("sys/devices/system/cpu/cpu0/crash_notes_size", "368\n"),
                ("sys/devices/system/cpu/cpu10/crash_notes", "2e33d800\n"),
                ("sys/devices/system/cpu/cpu9/online", "0\n"),
                ("sys/devices/system/cpu/cpufreq/x", "\n"),
                ("sys/firmware/memmap/0/start", "0x0\n"),
                ("sys/firmware/memmap/0/end", "0x9fbff\n"),
                ("sys/firmware/memmap/0/type", "System RAM\n"),
                ("sys/firmware/memmap/10/start", "0x100000\n"),
                ("sys/firmware/memmap/10/type", "Reserved\n"),
                ("sys/firmware/efi/systab", "ACPI20=0x1fb7e014\nACPI=0x1fb7e000\nSMBIOS=0x1f9aa000\n"),
            ],
        );
        let running = Running::below(&copy.0);
        assert_eq!(running.command_line().unwrap(), b"console=ttyS0 crashkernel=160M");
        assert_eq!(running.version(), Some((6, 12)));
        let text = Some(0xffff_ffff_9b00_0000);
        assert_eq!(running.symbols(["_text", "_stext", "_etext"]), [text, text, None]);
        assert_eq!(running.vmcoreinfo(), Some(Area { paddr: 0x0139_8000, len: 4132 }));
        let notes: Vec<(u32, u64, u64)> =
            running.crash_notes().iter().map(|notes| (notes.cpu, notes.area.paddr, notes.area.len)).collect();
        assert_eq!(notes, [(0, 0x2e23_d800, 368), (10, 0x2e33_d800, 1024)]);
        let text = |text: &str| text.as_bytes().to_vec();
        let low = FirmwareEntry { start: text("0x0\n"), end: text("0x9fbff\n"), kind: text("System RAM\n") };
        let no_end = FirmwareEntry { start: text("0x100000\n"), end: Vec::new(), kind: text("Reserved\n") };
        assert_eq!(running.firmware_memmap(), [low, no_end]);
        assert_eq!(running.efi_table("ACPI"), Some(0x1fb7_e000));
        assert_eq!(running.efi_table("SMBIOS3"), None);
        assert!(running.kcore_loads().is_empty() && running.boot_params().is_none());
        assert!(running.iomem().is_err());
    }

    #[test]
    fn memory_blocks_have_states() {
        let copy = Copy::new(
            "blocks",
            &[
                ("sys/devices/system/memory/memory9/state", "going-offline\n"),
                ("sys/devices/system/memory/memory10/state", "online\n"),
                ("sys/devices/system/memory/memory32/state", "offline\n"),
                ("sys/devices/system/memory/memory33/removable", "1\n"),
                ("sys/devices/system/memory/block_size_bytes", "8000000\n"),
            ],
        );
        let blocks = Running::below(&copy.0).memory_blocks();
        let seen: Vec<(u32, bool)> = blocks.iter().map(|block| (block.number, block.is_going())).collect();
        assert_eq!(seen, [(9, true), (10, false), (32, false), (33, true)]);
        assert!(Running::below(&copy.0.join("none")).memory_blocks().is_empty());
    }

    #[test]
    fn hidden_addresses_are_not_addresses() {
        let copy = Copy::new("hidden", &[("proc/kallsyms", "0000000000000000 T _text\nbroken\n")]);
        let running = Running::below(&copy.0);
        assert_eq!(running.symbols(["_text"]), [None]);
        assert_eq!((running.vmcoreinfo(), running.version()), (None, None));
        assert!(running.crash_notes().is_empty() && running.efi_runtime_map().is_empty());
        assert!(running.firmware_memmap().is_empty());
    }
}
