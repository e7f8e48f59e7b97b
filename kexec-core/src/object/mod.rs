//! Relocatable ELF objects (`ET_REL`), linked to the address at which they will run: purgatories, ours and others'.
//!
//! An [`Object`] is read from its bytes, laid out, and linked into the caller's buffer for any address. Its machine
//! is a value: x86_64, i386, aarch64, riscv64, ppc64le and s390x objects are linked on every host. No value is cut
//! to fit: what a relocation cannot hold is [`Error::RelocationOverflow`].
//!
//! The image holds the sections that are loaded (`SHF_ALLOC`), each at its alignment: in section order those with
//! bytes, then the slots of the global offset table, then those without bytes (`.bss`), which are not part of the
//! buffer. One slot is made for every relocation that asks for one.
//!
//! Nothing is relaxed. Source: System V gABI chapter 4, and the psABI of each machine, named in its module.

mod elf;

mod site;

mod aarch64;
mod ppc64;
mod riscv;
mod s390x;
mod x86;

mod layout;

mod link;

#[cfg(test)]
mod tests;

use crate::{Error, Field};
use elf::{File, length};
use layout::Sections;
use vmcore_format::elf::{EM_386, EM_AARCH64, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};
use vmcore_format::{Class, Endian};

pub use layout::Layout;

/// The most sections that one object may load.
pub const MAX_SECTIONS: usize = 256;

/// A relocatable object.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    file: File<'a>,
    sections: Sections,
}

/// Where a symbol stands in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the start of the image; for an absolute symbol its value.
    pub offset: u64,
    /// `st_size`, in bytes.
    pub size: u64,
    /// Whether its bytes are part of the buffer. Those of `.bss` are not.
    pub has_bytes: bool,
}

impl<'a> Object<'a> {
    /// Reads the headers of an object and lays its sections out.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where this is no ELF file or contradicts itself; [`Error::Unsupported`] for another type
    /// than `ET_REL`, another machine than the six, sections that cannot be loaded as they are (thread-local or
    /// compressed), and more than [`MAX_SECTIONS`] of them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let file = File::parse(bytes)?;
        let layout = match file.machine {
            EM_X86_64 | EM_AARCH64 | EM_RISCV | EM_PPC64 => (Class::Bits64, Endian::Little),
            EM_386 => (Class::Bits32, Endian::Little),
            EM_S390 => (Class::Bits64, Endian::Big),
            machine => return Err(Error::Unsupported { field: Field::Machine, value: machine.into() }),
        };
        if (file.class(), file.endian) != layout {
            return Err(Error::Unsupported { field: Field::Machine, value: file.machine.into() });
        }
        let sections = Sections::place(&file)?;
        Ok(Self { file, sections })
    }

    /// `e_machine`: one of the `EM_` numbers of [`vmcore_format::elf`].
    #[must_use]
    pub const fn machine(&self) -> u16 {
        self.file.machine
    }

    /// The size, alignment and entry of the image.
    ///
    /// The entry is the symbol `purgatory_start`, or else `e_entry` in the first executable section that holds it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the object has no such place.
    pub fn layout(&self) -> Result<Layout, Error> {
        self.sections.layout(&self.file)
    }

    /// Links the object to the physical address `at`: fills `image` with the [`file_len`](Layout::file_len) bytes of
    /// the image, gaps zeroed and relocations applied. Bytes of `image` past them stay as they are.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] for `image`; [`Error::Unsupported`] in [`Field::LinkAddress`] if `at` has not the
    /// object's alignment or the image would pass the end of the address space, in [`Field::RInfo`] for a relocation
    /// type that is not known, in [`Field::StShndx`] for a common symbol; [`Error::UndefinedSymbol`];
    /// [`Error::RelocationOverflow`]; [`Error::Corrupt`] where the object contradicts itself.
    pub fn link(&self, at: u64, image: &mut [u8]) -> Result<(), Error> {
        link::link(&self.file, &self.sections, at, image)
    }

    /// Where the global symbol `name` stands.
    ///
    /// # Errors
    /// [`Error::NoSuchSymbol`] if the object does not define it, [`Error::Corrupt`] if its section is not loaded or
    /// its bytes pass the section's end.
    pub fn symbol(&self, name: &[u8]) -> Result<Place, Error> {
        let symbols = self.file.symbols()?.ok_or(Error::NoSuchSymbol)?;
        let symbol = symbols.named(name)?.ok_or(Error::NoSuchSymbol)?;
        self.sections.place_of(&symbol)
    }

    /// Writes `bytes` over the global symbol `name` in a linked image. Relocations inside the symbol are overwritten.
    ///
    /// # Errors
    /// Those of [`symbol`](Self::symbol); [`Error::SymbolSize`] unless `bytes` are exactly as many as the symbol
    /// has; [`Error::SymbolWithoutBytes`] for one in `.bss`; [`Error::BufferTooSmall`] for `image`.
    pub fn set_symbol(&self, image: &mut [u8], name: &[u8], bytes: &[u8]) -> Result<(), Error> {
        let place = self.symbol(name)?;
        if place.size != length(bytes) {
            return Err(Error::SymbolSize { size: place.size, given: length(bytes) });
        }
        if !place.has_bytes {
            return Err(Error::SymbolWithoutBytes);
        }
        let needed = place.offset.saturating_add(place.size);
        let target = usize::try_from(place.offset).ok().and_then(|start| image.get_mut(start..));
        let target = target.and_then(|bytes_from| bytes_from.get_mut(..bytes.len()));
        target.ok_or(Error::BufferTooSmall { needed })?.copy_from_slice(bytes);
        Ok(())
    }
}
