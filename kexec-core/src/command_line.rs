//! The command line of the kernel that boots next, built in the caller's buffer.

use crate::bytes::{len_of, too_small};
use crate::{Error, Field};
use core::fmt::{self, Write as _};

/// A command line: the user's text and the parameters that the loader adds.
///
/// Nothing is ever cut off: what does not fit is refused, and the command line is then as it was. Parameters are added
/// at the end, but before a ` -- `: what stands behind it the kernel hands to init unread.
#[derive(Debug)]
pub struct CommandLine<'b> {
    buf: &'b mut [u8],
    len: usize,
    /// Where the kernel's own parameters end.
    kernel_end: usize,
}

impl<'b> CommandLine<'b> {
    /// Starts with the user's `text`, without a NUL. White space at its ends is left out, so `/proc/cmdline` may be given
    /// as it is read.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Corrupt`] in [`Field::CommandLine`] for a NUL in the text.
    pub fn new(buf: &'b mut [u8], text: &[u8]) -> Result<Self, Error> {
        if let Some(at) = text.iter().position(|&byte| byte == 0) {
            return Err(Error::Corrupt { field: Field::CommandLine, offset: len_of(at) });
        }
        let text = text.trim_ascii();
        let len = text.len();
        buf.get_mut(..len).ok_or_else(|| too_small(len))?.copy_from_slice(text);
        Ok(Self { buf, len, kernel_end: kernel_end(text) })
    }

    /// Adds `name=value`, the value as it prints: `add("elfcorehdr", format_args!("{:#x}", addr.0))`.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::Corrupt`] in [`Field::CommandLine`], with the length before it, for a value
    /// with a NUL.
    pub fn add(&mut self, name: &str, value: impl fmt::Display) -> Result<(), Error> {
        self.insert(format_args!("{name}={value}"))
    }

    /// Adds a parameter as it prints, or several with spaces between them.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_text(&mut self, text: impl fmt::Display) -> Result<(), Error> {
        self.insert(format_args!("{text}"))
    }

    fn insert(&mut self, text: fmt::Arguments<'_>) -> Result<(), Error> {
        let at_start = self.kernel_end == 0;
        let at_end = self.kernel_end == self.len;
        // A space before it, or behind it where it comes first and something follows.
        let (before, after) = match (at_start, at_end) {
            (false, _) => (" ", ""),
            (true, false) => ("", " "),
            (true, true) => ("", ""),
        };
        let mut free = Tail { buf: self.buf.get_mut(self.len..).unwrap_or_default(), len: 0 };
        // It counts on where the buffer ends, and fails in a Display that does.
        let written = write!(free, "{before}{text}{after}");
        let added = free.len;
        let len = self.len.saturating_add(added);
        if len > self.buf.len() {
            return Err(too_small(len));
        }
        let new = self.buf.get(self.len..len).unwrap_or_default();
        if written.is_err() || new.contains(&0) {
            return Err(Error::Corrupt { field: Field::CommandLine, offset: len_of(self.len) });
        }
        if let Some(moved) = self.buf.get_mut(self.kernel_end..len) {
            moved.rotate_right(added.min(moved.len()));
        }
        self.len = len;
        self.kernel_end = self.kernel_end.saturating_add(added).saturating_sub(after.len());
        Ok(())
    }

    /// Whether the kernel reads a parameter of this name, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        words(self.as_bytes()).any(|(word, _)| {
            let word = word.strip_prefix(b"\"").unwrap_or(word);
            word.split(|&byte| byte == b'=').next() == Some(name.as_bytes())
        })
    }

    /// The command line so far, without a NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// The command line, for as long as its buffer lives.
    #[must_use]
    pub fn into_bytes(self) -> &'b [u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// Refuses a command line that the kernel would cut off: `cmdline_size` bytes at most, its NUL not counted.
    ///
    /// # Errors
    /// [`Error::CommandLineTooLong`].
    pub fn check(&self, cmdline_size: u64) -> Result<(), Error> {
        check_len(self.as_bytes(), cmdline_size)
    }
}

/// Refuses a command line that is longer than `cmdline_size` bytes.
pub(crate) fn check_len(command_line: &[u8], cmdline_size: u64) -> Result<(), Error> {
    let len = len_of(command_line.len());
    if len > cmdline_size { Err(Error::CommandLineTooLong { len, limit: cmdline_size }) } else { Ok(()) }
}

/// The parameters that the kernel reads, and where each ends: up to a `--` that stands alone, and outside of quotes.
/// Source: `next_arg`, `lib/cmdline.c`, `parse_args`, `kernel/params.c` (Linux 6.12).
fn words(text: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut quoted = false;
    let mut start = 0;
    // The end of the text ends a quoted word too.
    let bytes = text.iter().copied().map(Some).chain(core::iter::once(None)).enumerate();
    let words = bytes.filter_map(move |(at, byte)| {
        quoted ^= byte == Some(b'"');
        let ends = byte.is_none_or(|byte| byte.is_ascii_whitespace() && !quoted);
        let word = text.get(start..at).filter(|_| ends);
        if ends {
            start = at.saturating_add(1);
        }
        word.filter(|word| !word.is_empty()).map(|word| (word, at))
    });
    words.take_while(|(word, _)| *word != b"--")
}

/// Where the kernel stops to read parameters: before the spaces of a `--`, or at the end.
fn kernel_end(text: &[u8]) -> usize {
    words(text).last().map_or(0, |(_, end)| end)
}

/// The free end of a buffer; counts what does not fit.
struct Tail<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl fmt::Write for Tail<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.buf.get_mut(self.len..).unwrap_or_default();
        if let Some(place) = free.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
        }
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(text: &[u8], add: &[(&str, u64)]) -> std::string::String {
        let mut buf = [0xaa; 128];
        let mut line = CommandLine::new(&mut buf, text).unwrap();
        for (name, value) in add {
            line.add(name, format_args!("{value:#x}")).unwrap();
        }
        std::string::String::from_utf8(line.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn parameters_stand_before_what_is_for_init() {
        let two: [(&str, u64); 2] = [("elfcorehdr", 0x1b00_0000), ("acpi_rsdp", 0xf52d0)];
        let added = "elfcorehdr=0x1b000000 acpi_rsdp=0xf52d0";
        for (text, expected) in [
            ("", "@"),
            ("quiet", "quiet @"),
            ("  root=/dev/vda1 quiet\n", "root=/dev/vda1 quiet @"),
            ("quiet -- single", "quiet @ -- single"),
            ("quiet  --  a -- b", "quiet @  --  a -- b"),
            ("--", "@ --"),
            ("-- single", "@ -- single"),
            ("quiet --", "quiet @ --"),
            ("a=--b --c", "a=--b --c @"),
            ("a=\"x -- y\" -- z", "a=\"x -- y\" @ -- z"),
            ("a=\"x -- y", "a=\"x -- y @"),
            ("a\t--\tb", "a @\t--\tb"),
        ] {
            assert_eq!(built(text.as_bytes(), &two), expected.replace('@', added), "{text:?}");
            assert_eq!(built(text.as_bytes(), &[]), text.trim());
        }
    }

    #[test]
    fn nothing_is_cut_off() {
        let text = b"quiet -- 1";
        let mut buf = [0; 40];
        for len in 0..buf.len() {
            let line = CommandLine::new(&mut buf[..len], text);
            let mut line = match line {
                Err(error) => {
                    assert_eq!((error, len < 10), (Error::BufferTooSmall { needed: 10 }, true));
                    continue;
                }
                Ok(line) => line,
            };
            let added = line.add("elfcorehdr", "638324K");
            if len < 29 {
                assert_eq!(added, Err(Error::BufferTooSmall { needed: 29 }));
                assert_eq!(line.as_bytes(), text);
            } else {
                assert_eq!(added, Ok(()));
                assert_eq!(line.as_bytes(), b"quiet elfcorehdr=638324K -- 1");
            }
        }
    }

    #[test]
    fn the_kernels_limit_counts_everything() {
        let mut buf = [0; 64];
        let mut line = CommandLine::new(&mut buf, b"quiet").unwrap();
        assert_eq!(line.check(5), Ok(()));
        line.add_text("nr_cpus=1 irqpoll").unwrap();
        assert_eq!(line.as_bytes(), b"quiet nr_cpus=1 irqpoll");
        assert_eq!(line.check(23), Ok(()));
        assert_eq!(line.check(22), Err(Error::CommandLineTooLong { len: 23, limit: 22 }));
    }

    #[test]
    fn parameters_have_names() {
        let has = |text: &str| CommandLine::new(&mut [0; 64], text.as_bytes()).unwrap().has("elfcorehdr");
        for text in [
            "elfcorehdr=0x1000",
            "quiet elfcorehdr",
            "\"elfcorehdr=1 2\"",
            "a\telfcorehdr=",
            "a=\"b c\" elfcorehdr=1",
        ] {
            assert!(has(text), "{text}");
        }
        for text in [
            "",
            "quiet",
            "quiet -- elfcorehdr=1",
            "elfcorehdrs=1",
            "x.elfcorehdr=1",
            "a=\"b elfcorehdr=1\"",
            "a=\"b elfcorehdr=1",
        ] {
            assert!(!has(text), "{text}");
        }
    }

    #[test]
    fn nul_is_refused() {
        let mut buf = [0; 64];
        let nul = |offset| Error::Corrupt { field: Field::CommandLine, offset };
        assert_eq!(CommandLine::new(&mut buf, b"a\0b").err(), Some(nul(1)));
        let mut line = CommandLine::new(&mut buf, b"a b").unwrap();
        assert_eq!(line.add("x", "\0"), Err(nul(3)));
        assert_eq!(line.as_bytes(), b"a b");
    }
}
