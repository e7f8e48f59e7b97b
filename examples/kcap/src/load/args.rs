//! The command lines of load, unload, exec, status and plan.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use host::kexec::Kind;

use crate::numbers::{parse_number, parse_size};

pub(crate) const LOAD_HELP: &str = "\
Examples:
  kcap load -p /boot/vmlinuz --initrd /boot/kdump.img --reuse-cmdline --append 'nr_cpus=1 reset_devices'
  kcap load -l /boot/vmlinuz --initrd /boot/initrd.img --reuse-cmdline && kcap exec

All that the kernel would refuse is looked for first: the crash kernel that is loaded already stays until the new one
has passed.";

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) kind: KindArgs,
    #[command(flatten)]
    pub(crate) loading: LoadingArgs,
    /// Plan and check all, and load nothing
    #[arg(long, conflicts_with_all = ["file_syscall", "auto"])]
    pub(crate) dry_run: bool,
    /// Print the plan as JSON
    #[arg(long, conflicts_with_all = ["file_syscall", "auto"])]
    pub(crate) json: bool,
}

/// What is loaded, and by whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadingArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Let the kernel plan: kexec_file_load, which checks signatures where the kernel is told to
    #[arg(short = 's', long, overrides_with_all = ["load_syscall", "auto"],
          conflicts_with_all = ["on_mismatch", "serial", "mem_min", "mem_max", "no_checks", "console_vga"])]
    pub(crate) file_syscall: bool,
    /// Plan here, guard it with our purgatory: kexec_load (the default)
    #[arg(short = 'c', long = "load-syscall", overrides_with_all = ["file_syscall", "auto"])]
    pub(crate) load_syscall: bool,
    /// As -s; where the kernel cannot do that, as -c, which is planned first
    #[arg(short = 'a', long = "auto", overrides_with_all = ["file_syscall", "load_syscall"],
          conflicts_with_all = ["on_mismatch", "serial", "mem_min", "mem_max", "no_checks", "console_vga"])]
    pub(crate) auto: bool,
    #[command(flatten)]
    pub(crate) planning: PlanningArgs,
}

/// Which of the two images.
#[derive(Debug, Args)]
pub(crate) struct KindArgs {
    /// The crash kernel, started by a panic
    #[arg(short = 'p', long = "load-panic", visible_alias = "panic", conflicts_with = "ordinary")]
    pub(crate) panic: bool,
    /// The kernel that `kcap exec` starts (the default)
    #[arg(short = 'l', long = "load")]
    pub(crate) ordinary: bool,
}

impl KindArgs {
    pub(crate) fn kind(&self) -> Kind {
        if self.panic { Kind::Crash } else { Kind::Ordinary }
    }
}

/// What is started.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImageArgs {
    /// The kernel: a bzImage, a vmlinux, or a unified kernel image that holds one of them; with -s, what the running
    /// kernel takes
    #[arg(value_name = "KERNEL")]
    pub(crate) kernel: PathBuf,
    /// The initial RAM disk
    #[arg(long, visible_alias = "ramdisk", value_name = "FILE")]
    pub(crate) initrd: Option<PathBuf>,
    /// The command line; after --reuse-cmdline's, if both are given
    #[arg(long, visible_alias = "command-line", value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// The running kernel's command line, without BOOT_IMAGE= and elfcorehdr=, with -p also without crashkernel=
    #[arg(long)]
    pub(crate) reuse_cmdline: bool,
}

/// How it is placed and guarded.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanningArgs {
    /// Let the running kernel bring the list of CPUs and memory up to date when they come and go (Linux 6.6); one that cannot
    /// is refused: kcap watch does it there. With -s a kernel that can does so anyway, and this makes sure of it
    #[arg(long)]
    pub(crate) hotplug: bool,
    /// Use no memory below this physical address
    #[arg(long, value_name = "A", value_parser = parse_size)]
    pub(crate) mem_min: Option<u64>,
    /// Use no memory from this physical address on
    #[arg(long, value_name = "A", value_parser = parse_size)]
    pub(crate) mem_max: Option<u64>,
    /// What to do when the loaded bytes are no longer what was loaded
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) on_mismatch: Option<OnMismatch>,
    /// Where the purgatory speaks: ttyS0 to ttyS3, or an I/O port
    #[arg(long, value_name = "PORT", value_parser = parse_port)]
    pub(crate) serial: Option<u16>,
    /// Let the purgatory speak on a VGA text screen
    #[arg(long)]
    pub(crate) console_vga: bool,
    /// Start the kernel without checking that its bytes are still those that were loaded
    #[arg(short = 'i', long, conflicts_with = "on_mismatch")]
    pub(crate) no_checks: bool,
}

/// The purgatory's answer to a wrong digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnMismatch {
    /// Stop the machine (the default)
    Halt,
    /// Reset the machine
    Reset,
    /// Start the kernel all the same
    Continue,
}

#[derive(Debug, Args)]
pub(crate) struct UnloadArgs {
    #[command(flatten)]
    pub(crate) kind: KindArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) kind: KindArgs,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// The machine's memory, as its /proc/iomem says it
    #[arg(long, value_name = "FILE", required_unless_present = "root")]
    pub(crate) iomem: Option<PathBuf>,
    /// What its firmware says of memory, which an ordinary kernel is told: a copy of its /sys/firmware/memmap
    #[arg(long, value_name = "FOLDER", conflicts_with = "panic")]
    pub(crate) firmware_memmap: Option<PathBuf>,
    /// Where its CPUs leave their notes: a line `ADDRESS SIZE` each, hexadecimal and decimal as in /sys
    #[arg(long, value_name = "FILE")]
    pub(crate) notes: Option<PathBuf>,
    /// A copy of /proc and /sys of the machine in a folder; / for this one. Its kernel's release says whether low memory
    /// must be backed up (Linux before 5.5); without it a newer one is planned for
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) planning: PlanningArgs,
}

/// The port of a serial line by its Linux name, or a number.
fn parse_port(text: &str) -> Result<u16, String> {
    Ok(match text {
        "ttyS0" => 0x3f8,
        "ttyS1" => 0x2f8,
        "ttyS2" => 0x3e8,
        "ttyS3" => 0x2e8,
        _ => u16::try_from(parse_number(text)?).map_err(|_| "not an I/O port".to_owned())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_names() {
        assert_eq!((parse_port("ttyS1"), parse_port("0x3e8")), (Ok(0x2f8), Ok(0x3e8)));
        assert!(parse_port("0x10000").is_err() && parse_port("ttyUSB0").is_err());
    }
}
