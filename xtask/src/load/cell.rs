//! The machines that load: every combination of what changes a plan.

use std::process::Command;

use crate::run::command;

/// Debian's kernels under test, oldest first.
const KERNELS: [&str; 2] = ["linux-image-cloud-amd64", "linux-image-6.12-cloud-amd64"];
const OVMF: &str = "/usr/share/ovmf/OVMF.fd";

/// One machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The newer kernel instead of the older.
    pub(crate) newer: bool,
    /// Page tables of five levels instead of four.
    pub(crate) levels5: bool,
    /// Four CPUs instead of one.
    pub(crate) cpus4: bool,
    /// UEFI instead of BIOS.
    pub(crate) uefi: bool,
    /// 4 GiB of memory with the crash kernel above 4 GiB, instead of 640 MiB.
    pub(crate) large: bool,
}

impl Cell {
    /// A combination by its number, a bit a factor.
    fn number(bits: u32) -> Self {
        let bit = |position: u32| bits >> position & 1 == 1;
        Self { newer: bit(0), levels5: bit(1), cpus4: bit(2), uefi: bit(3), large: bit(4) }
    }

    /// Every combination.
    pub(super) fn all() -> Vec<Self> {
        (0..32).map(Self::number).collect()
    }

    /// Six combinations in which every two factors meet in all four ways: row 0 is all zeros, in the other five rows
    /// each factor is 1 in three, no two factors in the same three.
    pub(super) fn pairwise() -> Vec<Self> {
        const ROWS_OF_FACTOR: [[u32; 3]; 5] = [[1, 2, 3], [1, 4, 5], [2, 4, 5], [3, 4, 5], [1, 2, 4]];
        (0..6)
            .map(|row| {
                let factors = ROWS_OF_FACTOR.iter().enumerate();
                Self::number(factors.filter(|(_, rows)| rows.contains(&row)).map(|(bit, _)| 1 << bit).sum())
            })
            .collect()
    }

    pub(crate) fn kernel(self) -> &'static str {
        KERNELS[usize::from(self.newer)]
    }

    pub(super) fn name(self) -> String {
        let either = |flag: bool, zero: &str, one: &str| if flag { one.to_owned() } else { zero.to_owned() };
        [
            either(self.newer, "6.1", "6.12"),
            either(self.levels5, "4level", "5level"),
            either(self.cpus4, "1cpu", "4cpus"),
            either(self.uefi, "bios", "uefi"),
            either(self.large, "640M", "4G-high"),
        ]
        .join("-")
    }

    /// How many CPUs.
    pub(super) fn cpus(self) -> usize {
        if self.cpus4 { 4 } else { 1 }
    }

    /// Whether the running kernel plans a crash kernel here as well: of the six machines two, one of each kernel, that differ
    /// in all but the number of CPUs.
    pub(super) fn loads_by_kernel(self) -> bool {
        self.cpus4 && self.newer == self.large
    }

    /// Whether other images than the bzImage are loaded here as well: of the six machines one. A `vmlinux` runs only where
    /// page tables have four levels, and is loaded only below 4 GiB.
    pub(super) fn loads_images(self) -> bool {
        self.newer && !self.levels5 && !self.large
    }

    pub(crate) fn reservation(self) -> &'static str {
        if self.large { "crashkernel=192M,high crashkernel=64M,low" } else { "crashkernel=192M" }
    }

    /// The hardware.
    pub(crate) fn qemu(self) -> Command {
        let mut qemu = command(&["qemu-system-x86_64", "-M", "q35", "-nic", "none"]);
        qemu.args(["-cpu", if self.levels5 { "max" } else { "qemu64" }]);
        qemu.args(["-smp", &self.cpus().to_string()]);
        qemu.args(["-m", if self.large { "4G" } else { "640M" }]);
        if self.uefi {
            qemu.args(["-bios", OVMF]);
        }
        qemu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_factors_meet_in_all_four_ways() {
        let bits = |cell: Cell| [cell.newer, cell.levels5, cell.cpus4, cell.uefi, cell.large];
        let rows: Vec<[bool; 5]> = Cell::pairwise().into_iter().map(bits).collect();
        for one in 0..5 {
            for other in one + 1..5 {
                for wanted in [(false, false), (false, true), (true, false), (true, true)] {
                    assert!(
                        rows.iter().any(|row| (row[one], row[other]) == wanted),
                        "{one} {other} {wanted:?}"
                    );
                }
            }
        }
        assert_eq!(Cell::all().len(), 32);
    }

    #[test]
    fn the_kernel_loads_on_two_machines_that_differ_in_all_but_their_cpus() {
        let names: Vec<String> =
            Cell::pairwise().into_iter().filter(|cell| cell.loads_by_kernel()).map(Cell::name).collect();
        assert_eq!(names, ["6.12-4level-4cpus-bios-4G-high", "6.1-5level-4cpus-uefi-640M"]);
    }

    #[test]
    fn other_images_are_loaded_on_one_machine() {
        let names: Vec<String> =
            Cell::pairwise().into_iter().filter(|cell| cell.loads_images()).map(Cell::name).collect();
        assert_eq!(names, ["6.12-4level-1cpu-uefi-640M"]);
    }
}
