//! Where a dump goes: a file, or a flattened stream on standard output.

use std::fs::File;
use std::path::Path;

use host::{IfExists, Output, Stream};
use vmcore_format::flattened::Writer;
use vmcore_format::{Error, WriteAt};

use crate::exit::Failure;

/// One output.
pub(crate) enum Sink {
    File(Output),
    /// Standard output; it has no other user.
    Stream(Writer<Stream<File>>),
}

impl Sink {
    /// A file that `if_exists` allows; never one of those `in_use`. If it is `unsynced`, nothing waits for storage.
    pub(crate) fn file(
        path: &Path,
        if_exists: IfExists,
        in_use: &[(u64, u64)],
        unsynced: bool,
    ) -> Result<Self, Failure> {
        let output =
            Output::create(path, if_exists, in_use).map_err(|error| Failure::with_path(path, &error))?;
        Ok(Self::File(if unsynced { output.unsynced() } else { output }))
    }

    /// The flattened stream.
    pub(crate) fn stream() -> Result<Self, Failure> {
        let stdout = Stream::stdout().map_err(|error| Failure::new(format!("standard output: {error}")))?;
        Writer::new(stdout)
            .map(Self::Stream)
            .map_err(|code| Failure::new(format!("standard output: {}", host::describe(code))))
    }

    /// The file's identity, which no other output may have.
    pub(crate) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::File(output) => Some(output.identity()),
            Self::Stream(_) => None,
        }
    }

    /// The file's name, or the stream's.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(output) => output.path().display().to_string(),
            Self::Stream(_) => "standard output".into(),
        }
    }

    /// Makes a whole dump final: everything is on stable storage (unless it is unsynced), or sent.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let result = match self {
            Self::File(mut output) => output.sync(),
            Self::Stream(writer) => writer.finish().and_then(|mut stream| stream.sync()),
        };
        result.map_err(|code| Error::Io { code })
    }

    /// Leaves what there is of an incomplete dump. A stream gets its end record if the dump in it is `marked` as incomplete;
    /// otherwise the missing one says as much.
    pub(crate) fn leave(self, marked: bool) -> Result<(), Error> {
        match self {
            // What could not be written is already told of.
            Self::File(mut output) => {
                let _ = output.sync();
                Ok(())
            }
            Self::Stream(_) if marked => self.finish(),
            Self::Stream(mut writer) => writer.sync().map_err(|code| Error::Io { code }),
        }
    }

    /// Removes an output that holds nothing of use.
    pub(crate) fn discard(self) {
        if let Self::File(output) = self {
            // The failure that led here is the one to tell of.
            let _ = output.discard();
        }
    }
}

impl WriteAt for Sink {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        match self {
            Self::File(output) => output.write_at(offset, bytes),
            Self::Stream(writer) => writer.write_at(offset, bytes),
        }
    }

    fn can_rewrite(&self) -> bool {
        match self {
            Self::File(output) => output.can_rewrite(),
            Self::Stream(writer) => writer.can_rewrite(),
        }
    }

    fn starts_as_zeros(&self) -> bool {
        match self {
            Self::File(output) => output.starts_as_zeros(),
            Self::Stream(writer) => writer.starts_as_zeros(),
        }
    }

    fn sync(&mut self) -> Result<(), i32> {
        match self {
            Self::File(output) => output.sync(),
            Self::Stream(writer) => writer.sync(),
        }
    }
}
