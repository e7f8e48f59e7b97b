//! The page codecs alone, beside the C libraries, on pages that a real dump keeps.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::run::{Outcome, command, output, run};
use crate::targets;

const PAGE: usize = 4096;
/// One page of so many is enough.
const EVERY: usize = 8;
const NAMES: [(&str, &str); 4] =
    [("Zlib", "zlib 1"), ("Lzo1x", "liblzo2 LZO1X-1"), ("Snappy", "libsnappy"), ("Zstd", "libzstd 1")];

/// The table for the pages that level 31 keeps of a vmcore.
pub(super) fn rows(kcap: &Path, input: &str, work: &Path, page: &mut String) -> Outcome<()> {
    let pages = work.join("pages");
    let count = write_pages(kcap, input, work, &pages)?;
    let mut bench = command(&[targets::cargo()]);
    bench.args(["bench", "--quiet", "--package", "page-filter", "--bench", "codecs", "--"]);
    bench.args(["--sample-size", "10", "--warm-up-time", "0.5", "--measurement-time", "2"]);
    let text = output(bench.env("KCAPTURE_PAGES", &pages).current_dir(targets::workspace()))?;
    let times = times(&text);
    let of = |name: &str| -> Outcome<f64> {
        let time = times.get(name).ok_or_else(|| format!("the bench says nothing of {name}"))?;
        Ok(time / count as f64)
    };
    writeln!(page, "| codec | encode µs | C | ratio | decode µs | C | ratio | beside |")?;
    writeln!(page, "|---|---:|---:|---:|---:|---:|---:|---|")?;
    for (name, peer) in NAMES {
        let numbers = ["encode", "decode"].map(|verb| -> Outcome<[f64; 2]> {
            Ok([of(&format!("{verb}/{name}/ours"))?, of(&format!("{verb}/{name}/C"))?])
        });
        let [encode, decode] = numbers;
        let (encode, decode) = (encode?, decode?);
        writeln!(
            page,
            "| {name} | {:.2} | {:.2} | **{:.2}** | {:.2} | {:.2} | **{:.2}** | {peer} |",
            encode[0],
            encode[1],
            encode[1] / encode[0],
            decode[0],
            decode[1],
            decode[1] / decode[0]
        )?;
    }
    Ok(())
}

/// Writes some of the kept pages to a file; gives the number of those that are not zero. An ELF dump of ours holds its pages one
/// after the other, behind everything else.
fn write_pages(kcap: &Path, input: &str, work: &Path, pages: &Path) -> Outcome<usize> {
    let elf = work.join("elf");
    let mut dump = command(&[kcap]);
    run(dump.args(["dump", "--message-level", "4", "--force", "-E", "-d", "31", input]).arg(&elf))?;
    let headers = output(command(&["readelf", "--segments", "--wide"]).arg(&elf))?;
    let start = headers
        .lines()
        .filter_map(|line| line.trim().strip_prefix("LOAD"))
        .filter_map(|line| {
            usize::from_str_radix(line.split_whitespace().next()?.trim_start_matches("0x"), 16).ok()
        })
        .min()
        .ok_or("the dump has no PT_LOAD")?;
    let bytes = fs::read(&elf)?;
    let is_kept = |page: &&[u8]| page.iter().any(|&byte| byte != 0);
    let kept: Vec<&[u8]> = bytes[start..].chunks_exact(PAGE).filter(is_kept).step_by(EVERY).collect();
    fs::write(pages, kept.concat())?;
    fs::remove_file(elf)?;
    Ok(kept.len())
}

/// The medians, in microseconds, by name: criterion says `name  time: [low median high]`, on one line or two.
fn times(text: &str) -> BTreeMap<String, f64> {
    let mut times = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        let (before, after) = line.split_once("time:").map_or((line, ""), |(before, after)| (before, after));
        if !before.trim().is_empty() {
            name = before.trim();
        }
        let mut words = after.split(['[', ']', ' ']).filter(|word| !word.is_empty()).skip(2);
        if let (Some(Ok(value)), Some(unit)) = (words.next().map(str::parse::<f64>), words.next()) {
            let micros = match unit {
                "ns" => value / 1e3,
                "ms" => value * 1e3,
                "s" => value * 1e6,
                _ => value,
            };
            times.insert(name.to_owned(), micros);
        }
    }
    times
}
