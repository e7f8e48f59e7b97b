//! The elfcorehdr of a crash kernel, and the note of the map that it is made of.

use std::time::{SystemTime, UNIX_EPOCH};

use kexec_core::elfcorehdr::{Builder, NoteBuffer, Omitted};
use kexec_core::plan::Upkeep;
use vmcore_format::PhysAddr;
use vmcore_format::note::MapVersion;

use crate::exit::Failure;

/// An elfcorehdr, encoded.
#[derive(Debug, Default)]
pub(super) struct CoreHeader {
    pub(super) bytes: Vec<u8>,
    /// What it lacks.
    pub(super) omitted: Option<Omitted>,
    /// The map that it is made of, as the note behind it says; none where the running kernel rewrites the header.
    pub(super) map_version: Option<MapVersion>,
}

impl CoreHeader {
    /// The header of this machine. Its note lies behind it, at an address that is not known before the segment has one.
    pub(super) fn of(builder: &Builder<'_>, upkeep: Upkeep) -> Result<Self, Failure> {
        let map_version = (upkeep == Upkeep::Reload).then(|| builder.map_version(epoch()));
        let omitted = Some(builder.omitted()).filter(|omitted| omitted.any());
        let mut header = Self { bytes: Vec::new(), omitted, map_version };
        header.place(PhysAddr(0), builder)?;
        Ok(header)
    }

    /// Says in its `PT_NOTE` where the note is when the header is at `place`. Its length is the same everywhere, so a plan puts it
    /// in the same place again.
    pub(super) fn place(&mut self, place: PhysAddr, builder: &Builder<'_>) -> Result<(), Failure> {
        let failure = |error: kexec_core::Error| Failure::new(format!("elfcorehdr: {error}"));
        let note = self.map_version.map(|version| version.encode_ended(builder.layout.endian));
        let note = note.transpose().map_err(|error| Failure::new(format!("elfcorehdr: {error}")))?;
        let mut notes = builder.cpu_notes.to_vec();
        notes.extend(note.map(|_| NoteBuffer { paddr: place, len: NOTE_LEN }));
        let len = Builder { cpu_notes: &notes, ..*builder }.encoded_len().map_err(failure)?;
        if let (Some(_), Some(last)) = (note, notes.last_mut()) {
            last.paddr = PhysAddr(place.0.saturating_add(len));
        }
        self.bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        Builder { cpu_notes: &notes, ..*builder }.encode(&mut self.bytes).map_err(failure)?;
        self.bytes.extend(note.into_iter().flatten());
        Ok(())
    }
}

#[expect(clippy::as_conversions, reason = "a constant")]
const NOTE_LEN: u64 = MapVersion::ENDED_LEN as u64;

/// The number of a map that is read now: nanoseconds since 1970, as nothing counts the maps of a running kernel.
fn epoch() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
