//! The log of what was erased from a dump: `offset_eraseinfo` of a kdump-compressed file, the `ERASEINFO` note of an
//! ELF core.
//!
//! It is text, one line for each piece of memory. makedumpfile's lines name an expression
//! (`erase init_task.comm size 16`); an [`EraseLine`] says where the bytes stood as well
//! (`erase modprobe_path@0x2c0a3f80 size 256`), so that anyone who has the dump can look that they are gone.

use core::str;

use crate::fields::too_small;
use crate::vmcoreinfo::{decimal, hexadecimal};
use crate::{Error, PhysAddr};

/// The name of the note of an ELF core, without its NUL; its type is 0.
pub const ERASEINFO: &[u8] = b"ERASEINFO";

/// One piece of memory that was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EraseLine<'a> {
    /// What stood there, such as a symbol; "" if it has no name. See [`is_name`](Self::is_name).
    pub name: &'a str,
    /// The physical address of the first byte.
    pub addr: PhysAddr,
    /// How many bytes were erased.
    pub len: u64,
}

impl<'a> EraseLine<'a> {
    /// The most bytes that a name has: the longest symbol of a kernel with Rust in it.
    pub const MAX_NAME: usize = 512;

    /// The most bytes that a line has, with its newline.
    pub const MAX_LEN: usize = Self::MAX_NAME + 52;

    /// Whether a line can have the name: at most [`MAX_NAME`](Self::MAX_NAME) visible characters of ASCII, no `@`.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        name.len() <= Self::MAX_NAME && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@')
    }

    /// The length of the line in bytes, with its newline.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let (mut addr, mut len) = ([0; 20], [0; 20]);
        self.pieces(&mut addr, &mut len).iter().map(|piece| piece.len()).fold(0, usize::saturating_add)
    }

    /// Writes the line with its newline to the front of `buf` and answers with its length in bytes.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, Error> {
        let total = self.encoded_len();
        let mut rest = buf.get_mut(..total).ok_or_else(|| too_small(total))?;
        let (mut addr, mut len) = ([0; 20], [0; 20]);
        for piece in self.pieces(&mut addr, &mut len) {
            let (now, later) = rest.split_at_mut_checked(piece.len()).ok_or_else(|| too_small(total))?;
            now.copy_from_slice(piece);
            rest = later;
        }
        Ok(total)
    }

    fn pieces<'b>(&self, addr: &'b mut [u8; 20], len: &'b mut [u8; 20]) -> [&'b [u8]; 8]
    where
        'a: 'b,
    {
        let at: &[u8] = if self.name.is_empty() { b"" } else { b"@" };
        let (addr, len) = (digits(self.addr.0, 16, addr), digits(self.len, 10, len));
        [b"erase ", self.name.as_bytes(), at, b"0x", addr, b" size ", len, b"\n"]
    }

    /// What a line says, without its newline; `None` for the lines of others.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (place, len) = str::from_utf8(line).ok()?.strip_prefix("erase ")?.rsplit_once(" size ")?;
        let (name, addr) = place.rsplit_once('@').unwrap_or(("", place));
        let addr = hexadecimal(addr.strip_prefix("0x")?)?;
        Some(Self { name, addr: PhysAddr(addr), len: decimal(len)? }).filter(|line| Self::is_name(line.name))
    }
}

/// The digits of `value`, at the end of `room`: 16 hexadecimal or 20 decimal ones at most.
fn digits(mut value: u64, radix: u64, room: &mut [u8; 20]) -> &[u8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut first = room.len();
    for (at, place) in room.iter_mut().enumerate().rev() {
        let digit = usize::try_from(value.checked_rem(radix).unwrap_or(0)).unwrap_or(0);
        *place = DIGITS.get(digit).copied().unwrap_or(b'?');
        first = at;
        value = value.checked_div(radix).unwrap_or(0);
        if value == 0 {
            break;
        }
    }
    room.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::String;

    fn text(line: EraseLine<'_>) -> String {
        let mut buf = [0xaa; EraseLine::MAX_LEN];
        let len = line.encode(&mut buf).unwrap();
        assert_eq!((line.encoded_len(), buf[len..].iter().all(|&byte| byte == 0xaa)), (len, true));
        assert_eq!(line.encode(&mut buf[..len - 1]), Err(Error::BufferTooSmall { needed: len as u64 }));
        String::from_utf8(buf[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_line_is_what_makedumpfile_writes_and_an_address() {
        for (name, addr, len, expected) in [
            ("", 0, 0, "erase 0x0 size 0\n"),
            ("", 0x10_0fff, 32, "erase 0x100fff size 32\n"),
            ("modprobe_path", 0x2c0a_3f80, 256, "erase modprobe_path@0x2c0a3f80 size 256\n"),
            ("a.b", u64::MAX, u64::MAX, "erase a.b@0xffffffffffffffff size 18446744073709551615\n"),
        ] {
            let line = EraseLine { name, addr: PhysAddr(addr), len };
            assert_eq!(text(line), expected);
            assert_eq!(EraseLine::parse(expected.trim_end().as_bytes()), Some(line));
        }
        let longest = "x".repeat(EraseLine::MAX_NAME);
        let line = EraseLine { name: &longest, addr: PhysAddr(u64::MAX), len: u64::MAX };
        assert_eq!(text(line).len(), EraseLine::MAX_LEN);
    }

    #[test]
    fn lines_of_others_are_none() {
        for line in [
            &b"erase init_task.comm size 16"[..],
            b"erase 0x10",
            b"erase 0x10 size ",
            b"erase 0x10 size 0x20",
            b"erase 0x10 size -1",
            b"erase a@0x size 1",
            b"erase a@10 size 1",
            b"erase a b@0x10 size 1",
            b"erase \xff@0x10 size 1",
            b"erase 0x10000000000000000 size 1",
            b"nullify x@0x10 size 1",
            b"",
        ] {
            assert_eq!(EraseLine::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn names_do_not_break_lines() {
        assert!(EraseLine::is_name("") && EraseLine::is_name("_RNvNtC4core::<T>.llvm.1"));
        for name in ["a b", "a\n", "a@b", "\u{e9}", "\0", &"x".repeat(513)] {
            assert!(!EraseLine::is_name(name), "{name}");
        }
    }
}
