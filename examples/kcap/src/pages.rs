//! `kcap pages`: which page frames a file holds.

use std::io::{self, BufWriter, Write};

use vmcore_format::Pfn;

use crate::args::FileArgs;
use crate::exit::{Exit, Failure};
use crate::input::with_opened;
use crate::ranges::Ranges;

/// Runs the command.
pub(crate) fn run(args: &FileArgs) -> Result<Exit, Failure> {
    with_opened(&args.paths(), |mut opened| {
        let path = opened.path().to_owned();
        let mut out = BufWriter::new(io::stdout().lock());
        let mut ranges = Ranges::held();
        while let Some(range) =
            ranges.next(&mut *opened.memory).map_err(|fault| Failure::of_table(&path, fault))?
        {
            let (Pfn(start), Pfn(end)) = (range.start, range.end);
            writeln!(out, "{start:x} {end:x}").map_err(|error| Failure::stdout(&error))?;
        }
        out.flush().map_err(|error| Failure::stdout(&error))?;
        Ok(Exit::Done)
    })
}
