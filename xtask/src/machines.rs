//! The machines that crash: few, each with as many peculiarities as fit.

/// Counts changes to the machines and to what runs in them: vmcores made before a change are made again.
pub(crate) const RECIPE: u32 = 3;

/// One test machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    /// Debian's meta-package of its kernel.
    pub(crate) kernel: &'static str,
    /// What QEMU is told beside the disks: CPU, memory, board.
    pub(crate) qemu: &'static str,
    /// Beside the console: reservation of the crash kernel, kernel features under test.
    pub(crate) command_line: &'static str,
    /// Whether QEMU's own dumps of the running machine are wanted as well.
    pub(crate) dump_guest_memory: bool,
    /// MiB that the balloon takes out of the machine; those pages are offline.
    pub(crate) balloon_mib: u32,
    pub(crate) memory_mib: u32,
}

pub(crate) const MACHINES: &[Machine] = &[
    // 5-level page tables.
    Machine {
        name: "6.1-5level",
        kernel: "linux-image-cloud-amd64",
        qemu: "-M q35 -cpu max -smp 2",
        command_line: "crashkernel=160M",
        dump_guest_memory: true,
        balloon_mib: 0,
        memory_mib: 512,
    },
    // The same; the struct pages of hugetlb's tails are remapped, some pages are ballooned, some poisoned.
    Machine {
        name: "6.12-5level",
        kernel: "linux-image-6.12-cloud-amd64",
        qemu: "-M q35 -cpu max -smp 2",
        command_line: "crashkernel=160M hugetlb_free_vmemmap=on",
        dump_guest_memory: false,
        balloon_mib: 16,
        memory_mib: 512,
    },
    // 4-level page tables, memory above a hole, two NUMA nodes. The crash kernel is reserved above the hole: below it
    // the randomised kernel does not always leave enough room in one piece.
    Machine {
        name: "6.1-4level-hole-numa",
        kernel: "linux-image-cloud-amd64",
        qemu: "-M q35,max-ram-below-4g=256M -cpu qemu64 -smp 2 \
            -object memory-backend-ram,id=m0,size=288M -object memory-backend-ram,id=m1,size=352M \
            -numa node,memdev=m0,cpus=0 -numa node,memdev=m1,cpus=1",
        command_line: "crashkernel=176M,high crashkernel=16M,low hugetlb_free_vmemmap=on",
        dump_guest_memory: false,
        balloon_mib: 0,
        memory_mib: 640,
    },
    // The same on Debian's other kernel, the old board, without address randomisation.
    Machine {
        name: "6.12-generic-4level",
        kernel: "linux-image-6.12-amd64",
        qemu: "-M pc,max-ram-below-4g=448M -cpu qemu64 -smp 2 \
            -object memory-backend-ram,id=m0,size=448M -object memory-backend-ram,id=m1,size=192M \
            -numa node,memdev=m0,cpus=0 -numa node,memdev=m1,cpus=1",
        command_line: "crashkernel=208M nokaslr",
        dump_guest_memory: false,
        balloon_mib: 0,
        memory_mib: 640,
    },
];
