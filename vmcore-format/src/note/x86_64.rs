//! `pr_reg` of x86_64.

use crate::fields::{FieldReader, FieldWriter};
use crate::{Error, Field, Layout};

macro_rules! registers {
    ($($name:ident)*) => {
        /// The registers of an x86_64 CPU: `pr_reg` of its `NT_PRSTATUS`, 27 little-endian 64-bit words in this order.
        /// Source: `struct user_regs_struct`, `arch/x86/include/asm/user_64.h` (Linux 6.12).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct X86_64Registers {
            $(#[doc = concat!("`", stringify!($name), "`")] pub $name: u64,)*
        }

        impl X86_64Registers {
            /// The length of `pr_reg` in bytes.
            pub const LEN: usize = 216;

            /// Reads `pr_reg`.
            ///
            /// # Errors
            /// [`Error::Corrupt`] where it ends early; its offset counts from the start of `pr_reg`.
            pub fn parse(pr_reg: &[u8]) -> Result<Self, Error> {
                let mut fields = FieldReader::new(pr_reg, Layout::LE64, Field::PrReg, 0);
                Ok(Self { $($name: fields.u64()?,)* })
            }

            /// Writes `pr_reg` to the front of `buf` and answers with its length in bytes.
            ///
            /// # Errors
            /// [`Error::BufferTooSmall`].
            pub fn encode(&self, buf: &mut [u8]) -> Result<usize, Error> {
                let mut fields = FieldWriter::new(buf, Layout::LE64, Self::LEN)?;
                $(fields.u64(self.$name)?;)*
                Ok(fields.finish())
            }
        }
    };
}
registers! {
    r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss
    fs_base gs_base ds es fs gs
}
