//! VMCOREINFO: what the dumped kernel says about its own structures.

use crate::PageSize;
use core::str;

/// The text of a VMCOREINFO note, looked up in place.
///
/// Lines of the form `KEY=value`, ended by a newline (or NUL: Xen pads its note with them). A line without `=`, or
/// whose bytes are not UTF-8, is skipped and breaks no other. Where a key stands twice the first line counts.
/// A look-up reads the text from its start (a few KiB). A value that is not of the asked form is `None`, like a
/// missing key: nothing is guessed. Source: `kernel/vmcore_info.c`, `include/linux/vmcore_info.h` (Linux 6.12).
#[derive(Debug, Clone, Copy)]
pub struct VmcoreInfo<'a> {
    text: &'a [u8],
}

impl<'a> VmcoreInfo<'a> {
    /// The VMCOREINFO whose text is `text`: the descriptor of the note.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { text }
    }

    /// The text as it came.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Every line by itself, in order: what looks up many keys reads the text once, and each line's key.
    pub fn lines(&self) -> impl Iterator<Item = Self> + use<'a> {
        self.text.split(|&byte| byte == b'\n' || byte == 0).map(Self::new)
    }

    /// Every line's key and value, in order, unknown keys too.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.lines()
            .filter_map(|line| str::from_utf8(line.text).ok())
            .filter_map(|line| line.split_once('='))
            .filter(|(key, _)| !key.is_empty())
    }

    /// The value of `key`, such as `"OSRELEASE"` or `"SYMBOL(init_uts_ns)"`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// The value of `kind(name)`.
    fn get_named(&self, kind: &str, name: &str) -> Option<&'a str> {
        let named =
            |key: &str| key.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')').map(|n| n == name);
        self.iter().find(|(key, _)| named(key) == Some(true)).map(|(_, value)| value)
    }

    /// `SYMBOL(name)`: the virtual address of a kernel symbol, KASLR included.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u64> {
        hexadecimal(self.get_named("SYMBOL", name)?)
    }

    /// `SIZE(name)`: the size of a type in bytes.
    #[must_use]
    pub fn size(&self, name: &str) -> Option<u64> {
        decimal(self.get_named("SIZE", name)?)
    }

    /// `OFFSET(name)`: where a member such as `page.flags` stands in its structure, in bytes.
    #[must_use]
    pub fn offset(&self, name: &str) -> Option<u64> {
        decimal(self.get_named("OFFSET", name)?)
    }

    /// `LENGTH(name)`: the number of elements of an array.
    #[must_use]
    pub fn length(&self, name: &str) -> Option<u64> {
        decimal(self.get_named("LENGTH", name)?)
    }

    /// `NUMBER(name)`: a constant of the kernel, written as signed decimal or as hexadecimal with `0x`. Numbers from
    /// 2^63 to 2^64 - 1 come as the same 64 bits, so as negative numbers.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        let value = self.get_named("NUMBER", name)?;
        if value.starts_with("0x") {
            return hexadecimal(value).map(u64::cast_signed);
        }
        match value.strip_prefix('-') {
            Some(digits) => decimal(digits).and_then(|_| value.parse().ok()),
            None => decimal(value).map(u64::cast_signed),
        }
    }

    /// `OSRELEASE`: the kernel's release, as `uname -r` says it.
    #[must_use]
    pub fn os_release(&self) -> Option<&'a str> {
        self.get("OSRELEASE")
    }

    /// `BUILD-ID`: the kernel's build-id in hexadecimal (Linux 5.9).
    #[must_use]
    pub fn build_id(&self) -> Option<&'a str> {
        self.get("BUILD-ID")
    }

    /// `PAGESIZE`.
    #[must_use]
    pub fn page_size(&self) -> Option<PageSize> {
        PageSize::new(decimal(self.get("PAGESIZE")?)?)
    }

    /// `CRASHTIME`: when the machine crashed, in seconds since 1970; missing where the dump was taken of a
    /// running machine.
    #[must_use]
    pub fn crash_time(&self) -> Option<i64> {
        self.get("CRASHTIME")?.parse().ok()
    }

    /// `KERNELOFFSET`: how far KASLR moved the kernel's image, in bytes.
    #[must_use]
    pub fn kernel_offset(&self) -> Option<u64> {
        hexadecimal(self.get("KERNELOFFSET")?)
    }
}

/// Decimal digits and nothing else.
pub(crate) fn decimal(value: &str) -> Option<u64> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

/// Hexadecimal digits; a leading `0x`, which some keys carry, may be there.
pub(crate) fn hexadecimal(value: &str) -> Option<u64> {
    let digits = value.strip_prefix("0x").unwrap_or(value);
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    #[test]
    fn each_kind_of_line() {
        let info = VmcoreInfo::new(
            b"OSRELEASE=6.12.9-amd64\nBUILD-ID=00ff\nPAGESIZE=65536\nSYMBOL(_stext)=ffffffff81000000\n\
            SIZE(page)=64\nOFFSET(page.flags)=8\nLENGTH(zone.free_area)=11\nNUMBER(phys_base)=-289406976\n\
            CONFIG_PGTABLE_LEVELS=4\nKERNELOFFSET=1f000000\nCRASHTIME=1700000000\n",
        );
        assert_eq!(info.os_release(), Some("6.12.9-amd64"));
        assert_eq!(info.build_id(), Some("00ff"));
        assert_eq!(info.page_size().unwrap().bytes(), 0x1_0000);
        assert_eq!(info.symbol("_stext"), Some(0xffff_ffff_8100_0000));
        assert_eq!(info.size("page"), Some(64));
        assert_eq!(info.offset("page.flags"), Some(8));
        assert_eq!(info.length("zone.free_area"), Some(11));
        assert_eq!(info.number("phys_base"), Some(-289_406_976));
        assert_eq!(info.get("CONFIG_PGTABLE_LEVELS"), Some("4"));
        assert_eq!(info.kernel_offset(), Some(0x1f00_0000));
        assert_eq!(info.crash_time(), Some(1_700_000_000));
        assert_eq!(info.get("SYMBOL(_stext)"), Some("ffffffff81000000"));
        let keys: Vec<_> = info.iter().map(|(key, _)| key).collect();
        assert_eq!((keys.len(), keys[3], keys[8]), (11, "SYMBOL(_stext)", "CONFIG_PGTABLE_LEVELS"));
        let lines: Vec<_> = info.lines().filter_map(|line| line.iter().next()).collect();
        assert!(info.iter().eq(lines));
        assert_eq!(info.lines().nth(4).unwrap().size("page"), Some(64));
    }

    #[test]
    fn numbers_are_decimal_or_0x() {
        let number = |value: &str| {
            let text = [b"NUMBER(n)=", value.as_bytes(), b"\n"].concat();
            VmcoreInfo::new(&text).number("n")
        };
        let good = [
            ("0", 0),
            ("-0", 0),
            ("-129", -129),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("18446744073709551615", -1),
            ("0x0", 0),
            ("0xffffffffffffffff", -1),
            ("0xFFFF800000000000", -0x8000_0000_0000),
            ("0x80000000", 0x8000_0000),
        ];
        for (value, expected) in good {
            assert_eq!(number(value), Some(expected), "{value}");
        }
        let bad = [
            "",
            "-",
            "+1",
            "--1",
            "-+1",
            "0x",
            "0x-1",
            "0x+1",
            "0x0x1",
            "0xg",
            "1 ",
            " 1",
            "1f",
            "-0x1",
            "18446744073709551616",
            "-9223372036854775809",
            "0x10000000000000000",
            "1\u{660}",
            "\u{661}",
        ];
        for value in bad {
            assert_eq!(number(value), None, "{value}");
        }
    }

    #[test]
    fn other_values_take_their_form_only() {
        let info = VmcoreInfo::new(
            b"SYMBOL(a)=0xff\nSYMBOL(b)=\nSYMBOL(c)=-1\nSYMBOL(d)=10000000000000000\nSYMBOL(e)=+1\n\
            SIZE(a)=-1\nSIZE(b)=0x10\nSIZE(c)=\nSIZE(d)=+1\nPAGESIZE=5000\nCRASHTIME=\nKERNELOFFSET=g\n",
        );
        assert_eq!(info.symbol("a"), Some(255));
        for name in ["b", "c", "d", "e"] {
            assert_eq!(info.symbol(name), None, "{name}");
        }
        for name in ["a", "b", "c", "d", "e"] {
            assert_eq!(info.size(name), None, "{name}");
        }
        assert_eq!((info.page_size(), info.crash_time(), info.kernel_offset()), (None, None, None));
    }

    #[test]
    fn names_match_whole() {
        let info = VmcoreInfo::new(
            b"SIZE(pages)=1\nXSIZE(page)=2\nSIZE(page=3\nSIZE(page)x=4\nSIZE(page)=5\nSIZE(a)(b)=6\n",
        );
        assert_eq!(info.size("page"), Some(5));
        assert_eq!((info.size("pag"), info.size(""), info.offset("page")), (None, None, None));
        assert_eq!(info.size("a)(b"), Some(6));
    }

    #[test]
    fn the_first_of_two_lines_counts() {
        let info = VmcoreInfo::new(b"SIZE(page)=1\nSIZE(page)=2\nOSRELEASE=a=b\nOSRELEASE=c");
        assert_eq!((info.size("page"), info.os_release()), (Some(1), Some("a=b")));
        assert_eq!(info.iter().count(), 4);
    }

    #[test]
    fn garbage_breaks_no_other_line() {
        let text =
            b"\xff\xfe\0\x80=1\nSIZE(\xc3)=2\nno equals sign\n=4\n\n\n\0\0SIZE(page)=64\0\0\0LENGTH(x)=7";
        let info = VmcoreInfo::new(text);
        assert_eq!((info.size("page"), info.length("x")), (Some(64), Some(7)));
        let lines: Vec<_> = info.iter().collect();
        assert_eq!(lines, [("SIZE(page)", "64"), ("LENGTH(x)", "7")]);
        assert_eq!(info.text(), text);
        assert_eq!(VmcoreInfo::new(b"").iter().count(), 0);
    }

    #[test]
    fn a_cut_text_keeps_its_whole_lines() {
        let text = b"SIZE(page)=64\nSIZE(zone)=1536\n";
        for len in 0..=text.len() {
            let info = VmcoreInfo::new(&text[..len]);
            // A number that is cut is a smaller number: only the note's length tells.
            assert_eq!(
                info.size("page"),
                match len {
                    0..12 => None,
                    12 => Some(6),
                    _ => Some(64),
                }
            );
        }
    }
}
