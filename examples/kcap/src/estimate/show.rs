//! Estimates, for people and as JSON.

use core::fmt::Write as _;

use page_filter::{Level, PageKind};
use serde_json::{Value, json};
use vmcore_format::kdump::Compression;

use super::Live;
use crate::words;

/// The version of the JSON object's shape: it grows when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// What must be said of every number.
const CAVEAT: &str =
    "Estimates, no promise: what is in the pages is not known, and memory changes until the crash.";

fn levels() -> impl Iterator<Item = Level> {
    (0..=Level::all().bits()).map(Level::from_bits_truncate)
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn kinds(live: &Live) -> impl Iterator<Item = (PageKind, u64)> {
    let counted = PageKind::ALL.into_iter().filter(|kind| *kind != PageKind::Zero);
    counted.map(|kind| (kind, live.counts.pages(kind)))
}

/// A line for each level.
pub(super) fn plain_text(live: &Live, compression: Compression, as_of: u64) -> String {
    let time = words::utc(i64::try_from(as_of).unwrap_or(i64::MAX));
    let source =
        if live.is_exact { "/proc/kpageflags" } else { "/proc/zoneinfo and /proc/meminfo (root sees more)" };
    let reservation = mib(live.reservation.safe);
    // Writing to a string does not fail.
    let mut text = format!("as of {time}, by {source}; compression: {}\n", words::compression(compression));
    for (kind, pages) in kinds(live).filter(|(_, pages)| *pages > 0) {
        let _ = writeln!(text, "{:<16}{pages:>12} pages", words::kind(kind));
    }
    let _ = writeln!(
        text,
        "\n{:>5} {:>12} {:>22} {:>20} {:>13}",
        "level", "pages", "MiB", "seconds", "crashkernel="
    );
    for level in levels() {
        let dump = live.dump(level, compression);
        let size = format!("{} to {}", mib(*dump.bytes.start()), mib(*dump.bytes.end()));
        let seconds = |milliseconds: u64| milliseconds.div_ceil(1000);
        let time =
            format!("{} to {}", seconds(*dump.milliseconds.start()), seconds(*dump.milliseconds.end()));
        let (level, pages) = (level.bits(), dump.pages);
        let _ = writeln!(text, "{level:>5} {pages:>12} {size:>22} {time:>20} {reservation:>12}M");
    }
    let _ = writeln!(
        text,
        "\ncrashkernel= is for a usual RAM disk, and the same for each level: kcap takes no more memory for a larger dump;"
    );
    let _ = writeln!(text, "the least for a small one is {}M.\n{CAVEAT}", mib(live.reservation.least));
    text
}

/// One object.
pub(super) fn json_text(live: &Live, compression: Compression, as_of: u64) -> String {
    let levels: Vec<Value> = levels()
        .map(|level| {
            let dump = live.dump(level, compression);
            json!({
                "level": level.bits(),
                "pages": dump.pages,
                "bytes": [dump.bytes.start(), dump.bytes.end()],
                "milliseconds": [dump.milliseconds.start(), dump.milliseconds.end()],
                "crashkernel": live.reservation.safe,
            })
        })
        .collect();
    let kinds: Vec<Value> =
        kinds(live).map(|(kind, pages)| json!({ "kind": words::kind(kind), "pages": pages })).collect();
    let object = json!({
        "schema": "kcapture.estimate",
        "version": VERSION,
        "as_of": words::utc(i64::try_from(as_of).unwrap_or(i64::MAX)),
        "source": if live.is_exact { "kpageflags" } else { "counters" },
        "caveat": CAVEAT,
        "compression": words::compression(compression),
        "kinds": kinds,
        "levels": levels,
        "crashkernel": { "least": live.reservation.least, "safe": live.reservation.safe },
    });
    format!("{object:#}\n")
}
