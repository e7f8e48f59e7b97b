//! The unified kernel image: one EFI program with a kernel, its initrd and its command line in sections.

use super::pe::{Pe, PeSection, PeSections};
use super::{Image, identify_unwrapped};
use crate::bytes::until_nul;
use crate::{Error, Field};

/// A unified kernel image (UKI), as the UAPI group specifies it.
///
/// An image with several profiles is read as firmware boots it when nothing is chosen: sections of the first profile
/// go before those that all profiles share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uki<'a> {
    pe: Pe<'a>,
    linux: PeSection<'a>,
}

impl<'a> Uki<'a> {
    /// Reads a UKI, `file` from its start to its end: all sections are in it, and the kernel in `.linux` is one that
    /// [`identify`](super::identify) knows.
    ///
    /// # Errors
    /// [`Error::Corrupt`] in a field of the PE headers, or in [`Field::UkiLinux`] (at the section headers) where there is
    /// no kernel; the errors of the kernel itself, their offsets counted from the start of `file`.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let pe = Pe::parse(file)?;
        pe.check_pe32_plus()?;
        pe.sections().try_for_each(|section| section.map(drop))?;
        let missing = Error::Corrupt { field: Field::UkiLinux, offset: pe.table() };
        let linux = find(&pe, b".linux").ok_or(missing)?;
        let uki = Self { pe, linux };
        uki.kernel()?;
        Ok(uki)
    }

    /// The kernel of `.linux`.
    ///
    /// # Errors
    /// None that [`parse`](Self::parse) did not find; offsets count from the start of the UKI.
    pub fn kernel(&self) -> Result<Image<'a>, Error> {
        identify_unwrapped(self.linux.data).map_err(|error| error.at(self.linux.offset))
    }

    /// The kernel's bytes: `.linux`.
    #[must_use]
    pub fn linux(&self) -> &'a [u8] {
        self.linux.data
    }

    /// The initrd: `.initrd`, `None` where there is none.
    #[must_use]
    pub fn initrd(&self) -> Option<&'a [u8]> {
        self.section(b".initrd")
    }

    /// The CPU microcode, an initrd that goes before the other: `.ucode`.
    #[must_use]
    pub fn ucode(&self) -> Option<&'a [u8]> {
        self.section(b".ucode")
    }

    /// The command line: `.cmdline`, up to its first NUL.
    #[must_use]
    pub fn cmdline(&self) -> Option<&'a [u8]> {
        self.section(b".cmdline").map(until_nul)
    }

    /// The bytes of a section, by its name with the dot.
    #[must_use]
    pub fn section(&self, name: &[u8]) -> Option<&'a [u8]> {
        find(&self.pe, name).map(|section| section.data)
    }

    /// All sections, in the order of their headers; `.profile` starts a profile.
    #[must_use]
    pub fn sections(&self) -> PeSections<'a> {
        self.pe.sections()
    }

    /// The machine, as an ELF `e_machine`.
    #[must_use]
    pub fn e_machine(&self) -> Option<u16> {
        self.pe.e_machine()
    }
}

/// The section called `name` of the first profile, else of the part before the profiles; the first one of that name.
fn find<'a>(pe: &Pe<'a>, name: &[u8]) -> Option<PeSection<'a>> {
    let mut profiles = 0_u8;
    let mut shared = None;
    for section in pe.sections().map_while(Result::ok) {
        if section.name() == b".profile" {
            profiles = profiles.saturating_add(1);
        }
        let found = section.name() == name;
        match profiles {
            0 if found => shared = shared.or(Some(section)),
            1 if found => return Some(section),
            0 | 1 => {}
            _ => break,
        }
    }
    shared
}
