//! Who loads the crash kernel, and what the first kernel's init does for each.

use super::{CAPTURE, headers, low_memory, steps};

/// One of those that load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loader {
    /// Our planner, our purgatory: `kcap load -c`.
    Kcap,
    /// The same with a `vmlinux`.
    Vmlinux,
    /// The same with a unified kernel image, where low memory is backed up.
    Uki,
    /// The running kernel itself: `kcap load -s`.
    Kernel,
    /// kexec-tools, to compare with.
    KexecTools,
    /// The kernel itself, until it is locked down; then it loads no more, and the machine does not crash.
    LockedDown,
}

impl Loader {
    /// What is typed to choose it, and the folder of its files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kcap => "kcap",
            Self::Vmlinux => "vmlinux",
            Self::Uki => "uki",
            Self::Kernel => "kernel",
            Self::KexecTools => "peer",
            Self::LockedDown => "locked",
        }
    }

    /// Whether our planner plans and our purgatory guards.
    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::Kcap | Self::Vmlinux | Self::Uki)
    }
}

/// Our own load, with the plan on the console.
fn ours(options: &str, images: &str) -> String {
    format!(
        "\
/kcap load -p --serial ttyS0 {options} --json {images} > /tmp/plan || poweroff -f
echo 'kcapture: plan'; cat /tmp/plan; echo 'kcapture: end of plan'"
    )
}

/// A kernel with the capture kernel's RAM disk and command line.
fn with_initrd(kernel: &str) -> String {
    format!("--initrd /capture.gz --append '{CAPTURE}' {kernel}")
}

/// What is loaded is in memory now: the images go, so that the machine's free memory is free. Then it waits for a line.
const CRASH: &str = "\
rm -f /vmlinuz /vmlinux /uki /capture.gz
echo 'kcapture: loaded'
read answer
echo c > /proc/sysrq-trigger";

/// Loads with our planner, crashes.
pub(super) fn load_and_crash(options: &str) -> String {
    format!("{}\n{CRASH}", ours(options, &with_initrd("/vmlinuz")))
}

/// Waits for the name of a loader, loads, crashes.
pub(super) fn choose_load_and_crash(options: &str) -> String {
    format!(
        "\
echo 'kcapture: ready'
read loader
case $loader in
{peer})
{peer_load}
;;
{kernel})
{kernel_load}
;;
{locked_down})
{locked_down_load}
poweroff -f
;;
{vmlinux})
{vmlinux_load}
;;
{uki})
{older}
{uki_load}
;;
*)
{ours}
;;
esac
{CRASH}",
        peer = Loader::KexecTools.name(),
        peer_load = headers::peer_load(),
        kernel = Loader::Kernel.name(),
        kernel_load = steps::script(steps::STEPS),
        locked_down = Loader::LockedDown.name(),
        locked_down_load = steps::script(steps::LOCKED_DOWN),
        vmlinux = Loader::Vmlinux.name(),
        vmlinux_load = ours(options, &with_initrd("/vmlinux")),
        uki = Loader::Uki.name(),
        older = low_memory::OLDER_KERNEL,
        uki_load = ours("", "/uki"),
        ours = ours(options, &with_initrd("/vmlinuz"))
    )
}
