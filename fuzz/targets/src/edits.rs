//! Damage that an input asks for.

use crate::input::Input;
use crate::machines::Laid;

/// The values that VMCOREINFO's numbers become.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "7",
    "12",
    "63",
    "64",
    "4096",
    "65536",
    "2147483647",
    "-2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "ffff888000000000",
    "ffffffff82000000",
    "",
];

/// Writes over words of the pages that lead to others: flipped bits, extremes, addresses of other such pages.
pub(crate) fn of_tables(input: &mut Input<'_>, laid: &Laid, count: usize) -> Vec<(u64, Vec<u8>)> {
    let (size, big) = (laid.machine.page_size(), laid.machine.arch().big());
    let mut edits = Vec::new();
    for _ in 0..count {
        if input.is_empty() {
            break;
        }
        let (pfn, how) = (input.pick(&laid.tables), input.u8());
        let width = 1_u64 << (how & 3);
        let at = pfn * size + u64::from(input.u16()) * width % size;
        let value = match how >> 2 & 7 {
            0 => input.u64(),
            1 | 2 => input.extreme(),
            // A page table's entry, or a pointer, that leads to another of these pages, or to itself.
            3 | 4 => (input.pick(&laid.tables) * size) | u64::from(input.u8()),
            5 => laid.machine.linear(input.pick(&laid.tables) * size + u64::from(input.u8()) * 8),
            6 => (at & !(size - 1)) | 0x67,
            _ => 1 << (input.u8() & 63),
        };
        let bytes = if big {
            value.to_be_bytes()[8 - width as usize..].to_vec()
        } else {
            value.to_le_bytes()[..width as usize].to_vec()
        };
        edits.push((at, bytes));
    }
    edits
}

/// The machine's VMCOREINFO with other numbers, and without some of its lines.
pub(crate) fn of_vmcoreinfo(input: &mut Input<'_>, laid: &Laid, count: usize) -> String {
    if count == 0 {
        return laid.info.clone();
    }
    let mut lines: Vec<String> = laid.info.lines().map(str::to_owned).collect();
    for _ in 0..count {
        let at = input.below(lines.len());
        let key = lines[at].split('=').next().unwrap_or_default().to_owned();
        let how = input.u8();
        lines[at] = match how {
            0..32 => String::new(),
            32..96 => format!("{key}={:x}", input.extreme()),
            96..160 => format!("{key}={}", input.extreme() as i64),
            _ => format!("{key}={}", NUMBERS[usize::from(how & 15)]),
        };
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
