//! How a command ends.

use core::fmt;
use std::io;
use std::path::Path;

use page_filter::Fault;
use vmcore_format::{Error, Field};

use crate::words;

/// What the exit code says, where the command did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All as asked.
    Done,
    /// Failed: there is no output that could be used.
    Failed,
    /// Saved, and something is missing: the storage was full, or memory could not be read.
    Incomplete,
    /// Saved, and more was kept than asked: a rule could not run.
    KeptMore,
    /// Looked: something will be lost, or may go wrong.
    Warned,
    /// Looked: something is in the way.
    Blocked,
    /// The command line is wrong.
    Usage,
}

impl Exit {
    /// The number for the operating system.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed | Self::Warned => 1,
            Self::Blocked => 2,
            Self::Incomplete => 3,
            Self::KeptMore => 4,
            Self::Usage => 64,
        }
    }
}

/// Why a command could not do its work, in words.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A message for the user.
    Message(String),
    /// The reader of standard output has gone away, which is its right.
    ReaderGone,
}

impl Failure {
    /// `what` is said as it is.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::Message(what.into())
    }

    /// The system refused something with `path`.
    pub(crate) fn with_path(path: &Path, error: &io::Error) -> Self {
        Self::Message(format!("{}: {error}", path.display()))
    }

    /// A format error in `path`.
    pub(crate) fn in_file(path: &Path, error: Error) -> Self {
        Self::Message(format!("{}: {}", path.display(), in_words(error)))
    }

    /// The table that says which page frames `path` holds cannot be read.
    pub(crate) fn of_table(path: &Path, fault: Fault) -> Self {
        Self::Message(format!("{}: the table of page frames: {}", path.display(), words::fault(fault)))
    }

    /// Writing to standard output failed.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Message(format!("standard output: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(text) => f.write_str(text),
            Self::ReaderGone => f.write_str("the reader of standard output has gone"),
        }
    }
}

/// A format error, with the operating system's words for its code and kcap's for what the user can mend.
pub(crate) fn in_words(error: Error) -> String {
    match error {
        Error::Io { code } => host::describe(code),
        Error::Unsupported { field: field @ Field::MissingPart, value } => {
            format!("{field} {value:#x} on; --input FILE names further parts")
        }
        other => other.to_string(),
    }
}
