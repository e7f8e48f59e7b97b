//! `kcap estimate`: how large a dump would be, how long it would take, what `crashkernel=` should be.

pub(crate) mod args;
mod live;
mod show;

use std::io::{self, Write};
use std::time::SystemTime;

use host::preflight::Memory;

use crate::exit::{Exit, Failure};
use args::EstimateArgs;
pub(crate) use live::Live;

/// Looks at the machine's pages, and says what they would come to.
pub(crate) fn run(args: &EstimateArgs) -> Result<Exit, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let live = Live::of(&args.root, &Memory::read(&args.root))?;
    let compression = args.compression();
    let text = if args.json {
        show::json_text(&live, compression, now)
    } else {
        show::plain_text(&live, compression, now)
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::stdout(&error))?;
    Ok(Exit::Done)
}
