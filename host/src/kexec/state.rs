//! What is loaded.

use std::fs;
use std::io;
use std::path::Path;

use super::numbers::{decimal, number};

/// Which of the kernel's two images is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The crash kernel (`KEXEC_ON_CRASH`), started by a panic.
    Crash,
    /// The ordinary one, started by `reboot`.
    Ordinary,
}

/// What the kernel says of its images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// `/sys/kernel/kexec_loaded`
    pub loaded: Option<bool>,
    /// `/sys/kernel/kexec_crash_loaded`
    pub crash_loaded: Option<bool>,
    /// `/sys/kernel/kexec_crash_size`: bytes reserved by `crashkernel=`
    pub crash_size: Option<u64>,
    /// `crash_hotplug` of CPUs: whether the kernel itself brings the loaded elfcorehdr up to date (6.6).
    pub hotplug_cpu: Option<bool>,
    /// The same of memory.
    pub hotplug_memory: Option<bool>,
    /// Bytes that the kernel wants of an elfcorehdr that it can bring up to date (6.6).
    pub elfcorehdr_size: Option<u64>,
    /// `/proc/sys/kernel/kexec_load_disabled`
    pub load_disabled: Option<bool>,
}

impl State {
    /// Reads it from the running kernel; what the kernel does not say is `None`.
    ///
    /// # Errors
    /// If `/sys` is not there at all.
    pub fn read() -> io::Result<Self> {
        Self::read_below(Path::new("/"))
    }

    /// Whether the kernel has code that brings a loaded elfcorehdr up to date (`CONFIG_CRASH_HOTPLUG`, Linux 6.6), whatever is
    /// loaded: only then is there one of the files that speak of it.
    #[must_use]
    pub fn knows_hotplug(&self) -> bool {
        self.elfcorehdr_size.is_some() || self.hotplug_cpu.is_some() || self.hotplug_memory.is_some()
    }

    /// Whether the kernel brings the elfcorehdr of the crash kernel that is loaded up to date when CPUs or memory come or go. A
    /// kernel in which one of them cannot says nothing of it.
    #[must_use]
    pub fn keeps_elfcorehdr(&self) -> bool {
        let says = [self.hotplug_cpu, self.hotplug_memory];
        self.crash_loaded == Some(true) && says.contains(&Some(true)) && !says.contains(&Some(false))
    }

    /// Reads it from a copy of `/sys` and `/proc` in a folder.
    ///
    /// # Errors
    /// If the folder has no `sys/kernel`.
    pub fn read_below(root: &Path) -> io::Result<Self> {
        fs::metadata(root.join("sys/kernel"))?;
        let text = |path: &str| fs::read_to_string(root.join(path)).ok();
        let yes = |path: &str| text(path).and_then(|text| decimal(&text)).map(|value| value != 0);
        // Linux 6.18 moved the files into a folder of their own.
        let places = |old: &str, new: &str| text(old).or_else(|| text(new));
        let loaded = |old: &str, new: &str| places(old, new).and_then(|t| decimal(&t)).map(|v| v != 0);
        Ok(Self {
            loaded: loaded("sys/kernel/kexec_loaded", "sys/kernel/kexec/loaded"),
            crash_loaded: loaded("sys/kernel/kexec_crash_loaded", "sys/kernel/kexec/crash_loaded"),
            crash_size: places("sys/kernel/kexec_crash_size", "sys/kernel/kexec/crash_size")
                .and_then(|text| decimal(&text)),
            hotplug_cpu: yes("sys/devices/system/cpu/crash_hotplug"),
            hotplug_memory: yes("sys/devices/system/memory/crash_hotplug"),
            elfcorehdr_size: places(
                "sys/kernel/crash_elfcorehdr_size",
                "sys/kernel/kexec/crash_elfcorehdr_size",
            )
            .and_then(|text| number(&text)),
            load_disabled: yes("proc/sys/kernel/kexec_load_disabled"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_are_read() {
        let root = std::env::temp_dir().join(format!("kcapture-state-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(State::read_below(&root).is_err());
        put("sys/kernel/kexec_loaded", "0\n");
        put("sys/kernel/kexec/crash_loaded", "1\n");
        put("sys/kernel/kexec_crash_size", "201326592\n");
        put("sys/kernel/kexec/crash_elfcorehdr_size", "1000000\n");
        put("sys/devices/system/cpu/crash_hotplug", "1\n");
        let state = State::read_below(&root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(
            state,
            State {
                loaded: Some(false),
                crash_loaded: Some(true),
                crash_size: Some(192 << 20),
                hotplug_cpu: Some(true),
                hotplug_memory: None,
                elfcorehdr_size: Some(1_000_000),
                load_disabled: None,
            }
        );
    }
    #[test]
    fn the_kernel_keeps_the_header_of_what_is_loaded_alone() {
        let state = |crash_loaded, hotplug_cpu, hotplug_memory| State {
            crash_loaded: Some(crash_loaded),
            hotplug_cpu,
            hotplug_memory,
            ..State::default()
        };
        let (no, yes) = (Some(false), Some(true));
        for (state, knows, keeps) in [
            (state(true, None, None), false, false),
            (state(true, no, no), true, false),
            (state(true, yes, yes), true, true),
            (state(true, yes, None), true, true),
            (state(true, yes, no), true, false),
            (state(false, yes, yes), true, false),
            (State { elfcorehdr_size: Some(1), ..State::default() }, true, false),
        ] {
            assert_eq!((state.knows_hotplug(), state.keeps_elfcorehdr()), (knows, keeps), "{state:?}");
        }
    }
}
