//! Machine numbers. Source: `include/uapi/linux/elf-em.h` (Linux 6.12).

/// `e_machine`: 32-bit x86.
pub const EM_386: u16 = 3;
/// `e_machine`: MIPS, 32- and 64-bit.
pub const EM_MIPS: u16 = 8;
/// `e_machine`: 32-bit PowerPC.
pub const EM_PPC: u16 = 20;
/// `e_machine`: 64-bit PowerPC, either byte order.
pub const EM_PPC64: u16 = 21;
/// `e_machine`: S/390 and z/Architecture.
pub const EM_S390: u16 = 22;
/// `e_machine`: 32-bit Arm.
pub const EM_ARM: u16 = 40;
/// `e_machine`: 64-bit x86.
pub const EM_X86_64: u16 = 62;
/// `e_machine`: 64-bit Arm.
pub const EM_AARCH64: u16 = 183;
/// `e_machine`: RISC-V, 32- and 64-bit.
pub const EM_RISCV: u16 = 243;
/// `e_machine`: `LoongArch`.
pub const EM_LOONGARCH: u16 = 258;
