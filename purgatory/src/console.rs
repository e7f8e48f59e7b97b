//! Where the lines go: an 8250 UART and the VGA text screen, through whoever can reach them.
//!
//! Nothing here waits for a device for ever: a port without a UART answers 0xff or stays busy, and the kernel must
//! be entered all the same. Source: the 16550 data sheet (National Semiconductor PC16550D), VGA text mode 3.

use crate::message;

/// The I/O ports of the machine.
pub trait Ports {
    /// Reads one byte from `port`.
    fn read(&mut self, port: u16) -> u8;
    /// Writes one byte to `port`.
    fn write(&mut self, port: u16, value: u8);
}

/// The VGA text screen: 25 rows of 80 cells.
pub trait Screen {
    /// Shows `cell` (the character in the low byte, its colours in the high byte) at `index`, less than
    /// [`CELLS`], in rows from the top left.
    fn put(&mut self, index: u16, cell: u16);
}

/// The number of cells of the text screen.
pub const CELLS: u16 = 80 * 25;
const COLUMNS: u16 = 80;
const GREY: u16 = 0x0700;

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const LINE_STATUS: u16 = 5;
const DIVISOR_LATCH: u8 = 0x80;
const EIGHT_BITS_NO_PARITY: u8 = 3;
const HOLDING_EMPTY: u8 = 0x20;
const FASTEST: u32 = 115_200;

/// How often a status is read before the byte is given up: at 1200 bits per second a byte takes 8 ms, and a read of
/// an I/O port about a microsecond.
const POLLS: u32 = 50_000;

/// An 8250 or one of its successors.
#[derive(Debug, Clone, Copy)]
struct Uart {
    base: u16,
    /// Gave up once: there is nobody, and every further wait would be lost time.
    dead: bool,
}

impl Uart {
    fn new(base: u16, baud: u32, ports: &mut dyn Ports) -> Self {
        let uart = Self { base, dead: base == 0 || ports.read(uart_port(base, LINE_STATUS)) == 0xff };
        if uart.dead || baud == 0 {
            return uart;
        }
        let divisor = FASTEST.checked_div(baud).unwrap_or(1).clamp(1, 0xffff).to_le_bytes();
        ports.write(uart_port(base, INTERRUPT_ENABLE), 0);
        ports.write(uart_port(base, FIFO_CONTROL), 0);
        ports.write(uart_port(base, LINE_CONTROL), DIVISOR_LATCH | EIGHT_BITS_NO_PARITY);
        ports.write(uart_port(base, DATA), divisor[0]);
        ports.write(uart_port(base, INTERRUPT_ENABLE), divisor[1]);
        ports.write(uart_port(base, LINE_CONTROL), EIGHT_BITS_NO_PARITY);
        uart
    }

    fn send(&mut self, byte: u8, ports: &mut dyn Ports) {
        if self.dead {
            return;
        }
        for _ in 0..POLLS {
            if ports.read(uart_port(self.base, LINE_STATUS)) & HOLDING_EMPTY != 0 {
                ports.write(uart_port(self.base, DATA), byte);
                return;
            }
        }
        self.dead = true;
    }
}

const fn uart_port(base: u16, register: u16) -> u16 {
    base.wrapping_add(register)
}

/// Prints to the devices that the parameters name.
#[derive(Debug)]
pub struct Console<P, S> {
    ports: P,
    uart: Uart,
    screen: Option<S>,
    cursor: u16,
}

impl<P: Ports, S: Screen> Console<P, S> {
    /// Prints to the UART at I/O port `serial_port` (0 for none), at `serial_baud` bits per second (0: as it is set),
    /// and to `screen`.
    #[must_use]
    pub fn new(mut ports: P, serial_port: u16, serial_baud: u32, screen: Option<S>) -> Self {
        let uart = Uart::new(serial_port, serial_baud, &mut ports);
        Self { ports, uart, screen, cursor: 0 }
    }

    /// Prints `text`; a line feed ends the line on every device.
    pub fn print(&mut self, text: &[u8]) {
        for byte in text {
            if *byte == b'\n' {
                self.uart.send(b'\r', &mut self.ports);
                self.end_row();
            } else {
                self.show(*byte);
            }
            self.uart.send(*byte, &mut self.ports);
        }
    }

    /// Prints `digest` as hexadecimal digits and ends the line.
    pub fn print_digest(&mut self, digest: &[u8; 32]) {
        for byte in digest {
            self.print(&message::hex(*byte));
        }
        self.print(b"\n");
    }

    /// The I/O ports.
    pub const fn ports(&mut self) -> &mut P {
        &mut self.ports
    }

    fn show(&mut self, byte: u8) {
        if let Some(screen) = &mut self.screen {
            screen.put(self.cursor, GREY | u16::from(byte));
            self.cursor = self.cursor.wrapping_add(1);
            if self.cursor >= CELLS {
                self.cursor = 0;
            }
        }
    }

    /// Blanks the rest of the row; after the last row the first one follows.
    fn end_row(&mut self) {
        for _ in 0..COLUMNS {
            self.show(b' ');
            if self.cursor.is_multiple_of(COLUMNS) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// A UART whose line status is `status`, with what was written to it.
    #[derive(Default)]
    struct Fake {
        status: u8,
        busy: u8,
        reads: u32,
        writes: Vec<(u16, u8)>,
    }

    impl Ports for &mut Fake {
        fn read(&mut self, port: u16) -> u8 {
            assert_eq!(port, 0x3fd);
            self.reads += 1;
            self.busy = self.busy.wrapping_add(64);
            if self.busy == 0 { self.status } else { self.status & 0x1f }
        }

        fn write(&mut self, port: u16, value: u8) {
            self.writes.push((port, value));
        }
    }

    struct Cells([u16; 2000]);

    impl Screen for &mut Cells {
        fn put(&mut self, index: u16, cell: u16) {
            self.0[usize::from(index)] = cell;
        }
    }

    const NO_SCREEN: Option<&mut Cells> = None;

    #[test]
    fn waits_for_the_uart_and_ends_lines_with_carriage_returns() {
        let mut uart = Fake { status: 0x60, ..Fake::default() };
        Console::new(&mut uart, 0x3f8, 0, NO_SCREEN).print(b"a\nb");
        assert_eq!(uart.writes, [(0x3f8, b'a'), (0x3f8, b'\r'), (0x3f8, b'\n'), (0x3f8, b'b')]);
        assert_eq!(uart.reads, 16);
    }

    #[test]
    fn sets_the_rate() {
        for (baud, low, high) in
            [(115_200, 1, 0), (9600, 12, 0), (300, 0x80, 1), (1, 0xff, 0xff), (u32::MAX, 1, 0)]
        {
            let mut uart = Fake { status: 0x60, ..Fake::default() };
            let _ = Console::new(&mut uart, 0x3f8, baud, NO_SCREEN);
            let expected = [(0x3f9, 0), (0x3fa, 0), (0x3fb, 0x83), (0x3f8, low), (0x3f9, high), (0x3fb, 3)];
            assert_eq!(uart.writes, expected, "{baud}");
        }
    }

    #[test]
    fn a_uart_that_is_not_there_costs_one_read() {
        let mut uart = Fake { status: 0xff, busy: 192, ..Fake::default() };
        Console::new(&mut uart, 0x3f8, 9600, NO_SCREEN).print(b"text");
        assert_eq!((uart.reads, uart.writes.len()), (1, 0));
        let mut none = Fake::default();
        Console::new(&mut none, 0, 9600, NO_SCREEN).print(b"text");
        assert_eq!((none.reads, none.writes.len()), (0, 0));
    }

    #[test]
    fn a_uart_that_hangs_costs_one_wait() {
        let mut uart = Fake::default();
        Console::new(&mut uart, 0x3f8, 0, NO_SCREEN).print(b"a long text");
        assert_eq!((uart.reads, uart.writes.len()), (POLLS + 1, 0));
    }

    #[test]
    fn the_screen_wraps_and_blanks_the_rows_it_reuses() {
        let mut cells = Cells([0xffff; 2000]);
        let mut ports = Fake::default();
        let mut console = Console::new(&mut ports, 0, 0, Some(&mut cells));
        console.print(b"one\n");
        for _ in 0..24 {
            console.print(b"\n");
        }
        console.print(b"x\n\xe4");
        console.print_digest(&[0xa5; 32]);
        assert_eq!(cells.0[..3], [0x0778, 0x0720, 0x0720]);
        assert_eq!(cells.0[80..83], [0x07e4, 0x0761, 0x0735]);
        assert!(cells.0.iter().all(|cell| cell >> 8 == 7));
    }

    #[test]
    fn a_row_that_is_exactly_full_ends_with_one_empty_row() {
        let mut cells = Cells([0; 2000]);
        let mut ports = Fake::default();
        let mut console = Console::new(&mut ports, 0, 0, Some(&mut cells));
        console.print(&[b'a'; 80]);
        console.print(b"\nb");
        assert_eq!(cells.0[160], 0x0762);
    }
}
