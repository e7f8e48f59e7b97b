//! `guest file KIND COUNT PATH`: writes COUNT canary pages of a kind to a file (also on the host, for disk images).
//! `guest fill`: fills pages of every kind the running kernel offers, says so, waits for a line on stdin, records
//! the kernel's own view of its pages on `/dev/vdb` as a tar archive, and crashes the machine.
//! `guest place MIB RANGE...`: takes memory, writes to pages of it that lie in ranges of physical memory, says which, and
//! crashes the machine.

mod canary;
mod fill;
mod place;
mod record;

use std::io::{BufRead, Write};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["file", kind, count, path] => {
            let kind = canary::Kind::named(kind).ok_or("unknown kind of page")?;
            canary::write_file(kind, count.parse()?, path.as_ref())
        }
        ["fill"] => {
            let mut archive = record::Archive::new()?;
            let pages = fill::every_kind();
            println!("kcapture: ready");
            std::io::stdout().flush()?;
            std::io::stdin().lock().read_line(&mut String::new())?;
            archive.record("/dev/vdb", &pages.summary())?;
            std::fs::write("/proc/sysrq-trigger", "c")?;
            Err("the machine did not crash".into())
        }
        ["place", mib, ranges @ ..] => {
            let ranges = ranges.iter().map(|text| place::range(text)).collect::<Outcome<Vec<_>>>()?;
            let _memory = place::canaries(mib.parse()?, &ranges)?;
            std::io::stdout().flush()?;
            std::fs::write("/proc/sysrq-trigger", "c")?;
            Err("the machine did not crash".into())
        }
        _ => Err("usage: guest file KIND COUNT PATH | guest fill | guest place MIB RANGE...".into()),
    }
}
