//! `--hotplug`: the running kernel itself brings the elfcorehdr of the loaded crash kernel up to date.

use host::kexec::State;

use super::state;
use crate::exit::Failure;

/// Whether the running kernel can do that at all.
pub(crate) fn is_possible() -> bool {
    State::read().is_ok_and(|state| state.knows_hotplug())
}

/// Whether it does so for what is loaded.
pub(crate) fn is_kept() -> bool {
    State::read().is_ok_and(|state| state.keeps_elfcorehdr())
}

/// Why it is refused where the kernel cannot.
pub(super) fn refused() -> Failure {
    Failure::new(
        "--hotplug: the running kernel does not keep a loaded elfcorehdr up to date (Linux 6.6 and later do, with \
        CONFIG_CRASH_HOTPLUG); without it, kcap watch loads again when CPUs or memory come or go",
    )
}

/// The kernel must say that it does as asked, now that the crash kernel is loaded.
pub(super) fn must_be_kept() -> Result<(), Failure> {
    let state = state::state()?;
    if state.keeps_elfcorehdr() {
        return Ok(());
    }
    Err(Failure::new(
        "--hotplug: the crash kernel is loaded, but the running kernel says that it does not keep its elfcorehdr up to date \
        (/sys/devices/system/cpu/crash_hotplug, .../memory/crash_hotplug); kcap watch loads again when CPUs or memory come or go",
    ))
}
