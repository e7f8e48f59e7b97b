//! Messages to the user, by makedumpfile's message levels.

use core::fmt::Display;
use std::io::{self, Write};

/// Bit 0: the progress indicator.
pub(crate) const PROGRESS: u8 = 1;
/// Bit 1: what was done.
pub(crate) const COMMON: u8 = 2;
/// Bit 2: errors and warnings.
pub(crate) const ERROR: u8 = 4;
/// Bit 3: what may help to find a fault.
pub(crate) const DEBUG: u8 = 8;
/// Bit 4: the pages of each kind.
pub(crate) const REPORT: u8 = 16;
/// Progress, common and error.
pub(crate) const DEFAULT: u8 = PROGRESS | COMMON | ERROR;

/// Which messages are printed, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Messages {
    level: u8,
    /// Standard output carries data: messages all go to standard error.
    stdout_is_data: bool,
}

impl Messages {
    pub(crate) fn new(level: u8, stdout_is_data: bool) -> Self {
        Self { level, stdout_is_data }
    }

    /// Whether messages of this bit are printed.
    pub(crate) fn has(self, bit: u8) -> bool {
        self.level & bit != 0
    }

    /// Something went wrong, or is not as asked.
    pub(crate) fn error(self, text: impl Display) {
        if self.has(ERROR) {
            to(&mut io::stderr(), format_args!("kcap: {text}"));
        }
    }

    /// What was done.
    pub(crate) fn common(self, text: impl Display) {
        self.print(COMMON, text);
    }

    /// What may help to find a fault.
    pub(crate) fn debug(self, text: impl Display) {
        if self.has(DEBUG) {
            to(&mut io::stderr(), format_args!("kcap: {text}"));
        }
    }

    /// A line of the table of pages.
    pub(crate) fn report(self, text: impl Display) {
        self.print(REPORT, text);
    }

    fn print(self, bit: u8, text: impl Display) {
        if !self.has(bit) {
            return;
        }
        if self.stdout_is_data {
            to(&mut io::stderr(), text);
        } else {
            to(&mut io::stdout(), text);
        }
    }
}

/// A message that cannot be printed is not worth the dump.
fn to(stream: &mut dyn Write, text: impl Display) {
    let _ = writeln!(stream, "{text}");
}
