//! The names of a crashed kernel.

const UTS_LEN: usize = 65;
const UTS_FIELDS: usize = 6;

/// The names of `struct new_utsname`: six NUL-terminated strings of at most 64 bytes (`include/uapi/linux/utsname.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utsname {
    bytes: [u8; UTS_LEN * UTS_FIELDS],
}

impl Utsname {
    /// The size of the six fields, in bytes.
    pub(crate) const LEN: usize = UTS_LEN * UTS_FIELDS;

    pub(crate) fn new(bytes: [u8; Self::LEN]) -> Self {
        Self { bytes }
    }

    /// The six fields as they stand: `sysname`, `nodename`, `release`, `version`, `machine`, `domainname`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `Linux`.
    #[must_use]
    pub fn sysname(&self) -> &str {
        self.field(0)
    }

    /// The host's name.
    #[must_use]
    pub fn nodename(&self) -> &str {
        self.field(1)
    }

    /// The kernel's release.
    #[must_use]
    pub fn release(&self) -> &str {
        self.field(2)
    }

    /// The kernel's build.
    #[must_use]
    pub fn version(&self) -> &str {
        self.field(3)
    }

    /// The machine, such as `x86_64`.
    #[must_use]
    pub fn machine(&self) -> &str {
        self.field(4)
    }

    /// The NIS domain's name.
    #[must_use]
    pub fn domainname(&self) -> &str {
        self.field(5)
    }

    /// A field up to its NUL, or up to the first byte that is not UTF-8.
    fn field(&self, index: usize) -> &str {
        let field = self.bytes.chunks_exact(UTS_LEN).nth(index).unwrap_or_default();
        let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
        text.utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }
}
