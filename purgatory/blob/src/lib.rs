//! The purgatory for x86_64: entered by the dying kernel, it checks the next one and enters it.
//!
//! State at the entry (Linux 6.12, `arch/x86/kernel/relocate_kernel_64.S`): long mode, all memory of the image mapped
//! one to one, no usable GDT or IDT, interrupts off, SSE off, all registers 0 and a stack that belongs to the old
//! kernel. State of the kernel's entry (`Documentation/arch/x86/boot.rst`, "64-bit boot protocol"): the same, with
//! CS 0x10, DS, ES and SS 0x18, and rsi at `boot_params`.
//!
//! The object uses its own sections, the regions and the backup of its parameters, the ports of a UART, the text screen
//! and the ports of a reset, and nothing else. It is the one place of the project's loader that needs `unsafe`: it is
//! the bottom of the stack.
#![no_std]

mod entry;
mod machine;
mod memory;

use machine::{Ports, Screen};
use purgatory::console::Console;
use purgatory::{OnMismatch, Parameters, Verdict, message, verify};

/// The block that the loader fills in, before the object runs. `mut`, so that the compiler does not take what it is
/// built with for what it will be.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.kcapture_parameters")]
static mut kcapture_parameters: Parameters = Parameters::UNSET;

/// Checks and decides: stops the machine, or copies the memory that the kernel uses and comes back for it to be entered.
///
/// Called once, by the entry code, on this object's stack.
#[unsafe(no_mangle)]
extern "C" fn purgatory_main(parameters: &Parameters) {
    check(parameters);
    if let Some((from, to, len)) = parameters.backup() {
        memory::copy(from, to, len);
    }
}

/// Comes back only if the kernel is to be entered.
fn check(parameters: &Parameters) {
    let screen = (parameters.vga != 0).then_some(Screen);
    let baud = parameters.serial_baud.get();
    let mut console = Console::new(Ports, parameters.serial_port.get(), baud, screen);
    console.print(message::CHECKING);
    let verdict = verify(parameters, memory::physical);
    if verdict.passed() {
        console.print(message::ENTERING);
        return;
    }
    match verdict {
        Verdict::Mismatch { found } => {
            console.print(message::MISMATCH);
            console.print(message::EXPECTED);
            console.print_digest(&parameters.digest);
            console.print(message::FOUND);
            console.print_digest(&found);
        }
        Verdict::NotSet => {
            // There is no policy and no kernel to enter.
            console.print(message::NOT_SET);
            machine::halt();
        }
        _ => console.print(message::UNREADABLE),
    }
    match parameters.policy() {
        OnMismatch::Continue => console.print(message::CONTINUING),
        OnMismatch::Reset => {
            console.print(message::RESETTING);
            machine::reset();
        }
        OnMismatch::Halt => {
            console.print(message::HALTED);
            machine::halt();
        }
    }
}

/// Nothing here panics, which the task that builds the object checks; the compiler wants the function all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    machine::halt()
}
