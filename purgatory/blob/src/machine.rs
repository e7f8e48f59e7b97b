//! The devices of a PC, and the two ways to stop.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use purgatory::console;

/// The I/O ports.
#[derive(Debug)]
pub(crate) struct Ports;

impl console::Ports for Ports {
    fn read(&mut self, port: u16) -> u8 {
        inb(port)
    }

    fn write(&mut self, port: u16, value: u8) {
        outb(port, value);
    }
}

/// The VGA text screen at 0xb8000.
#[derive(Debug)]
pub(crate) struct Screen;

const TEXT: usize = 0xb8000;

impl console::Screen for Screen {
    fn put(&mut self, index: u16, cell: u16) {
        if index < console::CELLS {
            let at = with_exposed_provenance_mut::<u16>(TEXT).wrapping_add(index.into());
            // SAFETY: the cell is one of the 2000 from 0xb8000, which are mapped with the first MiB (always, by Linux;
            // elsewhere the loader does not ask for the screen), 2-aligned, and no memory of any Rust object.
            unsafe { at.write_volatile(cell) }
        }
    }
}

fn inb(port: u16) -> u8 {
    let value: u8;
    // SAFETY: reads a port; no device that this object reads (UART status, keyboard controller, reset control) does
    // anything to memory in answer.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) }
    value
}

fn outb(port: u16, value: u8) {
    // SAFETY: writes to the UART that the loader named or to the reset ports, none of which touches memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) }
}

/// Stops this CPU for good.
pub(crate) fn halt() -> ! {
    loop {
        // SAFETY: touches no memory. Interrupts are off and stay off; a non-maskable one finds no handler in Linux's empty
        // table, which resets the machine.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}

const KEYBOARD: u16 = 0x64;
const INPUT_FULL: u8 = 2;
const PULSE_RESET: u8 = 0xfe;
const RESET_CONTROL: u16 = 0xcf9;
const HARD_RESET: u8 = 2;
const RESET_CPU: u8 = 4;

/// Reads of a port that nobody minds: about a microsecond each.
const WAIT: u32 = 50_000;

/// Resets the machine: by the keyboard controller, by the chipset's reset control, at last by a triple fault.
pub(crate) fn reset() -> ! {
    for _ in 0..WAIT {
        if inb(KEYBOARD) & INPUT_FULL == 0 {
            break;
        }
    }
    outb(KEYBOARD, PULSE_RESET);
    wait();
    let control = inb(RESET_CONTROL) & !(HARD_RESET | RESET_CPU);
    outb(RESET_CONTROL, control | HARD_RESET);
    outb(RESET_CONTROL, control | HARD_RESET | RESET_CPU);
    wait();
    let no_handlers = [0_u16; 5];
    // SAFETY: the descriptor is 10 readable bytes. With a table of no handlers the exception cannot be delivered, nor
    // the fault about that, and the CPU shuts down; nothing of this program runs after it.
    unsafe { asm!("lidt [{}]", "int3", in(reg) &raw const no_handlers, options(nostack)) }
    halt()
}

fn wait() {
    for _ in 0..WAIT {
        inb(KEYBOARD);
    }
}
