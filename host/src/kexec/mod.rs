//! Loading a kernel into the running one: the system calls, what they refuse, what is loaded, and what a loader must know
//! of the machine. Numbers and texts only; planning is the business of `kexec-core`.

mod flags;
mod numbers;
mod refusal;
mod running;
mod state;

pub(crate) use numbers::hex;

pub use crate::syscall::{LoadSegment, kexec_file_load, kexec_load, reboot_into_loaded};
pub use flags::knows_flag;
pub use refusal::{Call, explain, is_worth_another_way};
pub use running::{Area, CrashNotes, FirmwareEntry, KcoreLoad, MemoryBlock, Running};
pub use state::{Kind, State};
