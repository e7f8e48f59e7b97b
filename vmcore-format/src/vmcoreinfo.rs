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

    /// Every line's key and value, in order, unknown keys too.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.text
            .split(|&byte| byte == b'\n' || byte == 0)
            .filter_map(|line| str::from_utf8(line).ok())
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

fn decimal(value: &str) -> Option<u64> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

/// Hexadecimal digits; a leading `0x`, which some keys carry, may be there.
fn hexadecimal(value: &str) -> Option<u64> {
    let digits = value.strip_prefix("0x").unwrap_or(value);
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
}
