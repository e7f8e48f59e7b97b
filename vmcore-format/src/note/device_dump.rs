//! Dumps of device drivers, `NT_VMCOREDD`.

use super::{Note, NoteKind};
use crate::fields;
use crate::{Error, Field, ReadAt};

/// `VMCOREDD_MAX_NAME_BYTES`.
const DUMP_NAME_LEN: usize = 44;

/// A device driver's dump: its name and where its data stands. The data may be hundreds of MiB and stays in the file.
///
/// The descriptor is `dump_name` (44 bytes, padded with NULs), then the data, whose layout is the driver's own.
/// Source: `include/uapi/linux/vmcore.h`, `fs/proc/vmcore.c` (Linux 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceDump {
    dump_name: [u8; DUMP_NAME_LEN],
    /// Where the data starts, in bytes from the start of the file.
    pub data_offset: u64,
    /// The length of the data in bytes; the kernel rounds the note up to a page with zeros.
    pub data_len: u32,
}

impl DeviceDump {
    /// Reads the head of the device dump `note` from `input`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for another kind of note; [`Error::Corrupt`] where the descriptor is too short for a
    /// name or cut off; [`Error::Io`] from `input`.
    pub fn read(note: &Note, input: &dyn ReadAt) -> Result<Self, Error> {
        if note.kind() != NoteKind::DeviceDump {
            return Err(Error::Unsupported { field: Field::NoteHeader, value: u64::from(note.n_type) });
        }
        let name_len = u32::try_from(DUMP_NAME_LEN).unwrap_or(u32::MAX);
        let corrupt = Error::Corrupt { field: Field::VmcoreddHeader, offset: note.desc_offset };
        let data_len = note.desc_len.checked_sub(name_len).ok_or(corrupt)?;
        let data_offset = note.desc_offset.checked_add(u64::from(name_len)).ok_or(corrupt)?;
        let mut dump_name = [0; DUMP_NAME_LEN];
        fields::read(input, Field::VmcoreddHeader, note.desc_offset, &mut dump_name)?;
        Ok(Self { dump_name, data_offset, data_len })
    }

    /// `dump_name`: what the driver calls the dump, without NULs.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.dump_name.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

/// The `dump_name` of a device dump as its descriptor starts with it: cut after 43 bytes, padded with NULs.
#[must_use]
pub fn encode_dump_name(name: &[u8]) -> [u8; DUMP_NAME_LEN] {
    let mut dump_name = [0; DUMP_NAME_LEN];
    let before_nul = dump_name.iter_mut().take(DUMP_NAME_LEN.saturating_sub(1));
    for (byte, &character) in before_nul.zip(name) {
        *byte = character;
    }
    dump_name
}
