//! What a dump is to hide: ranges, pages and symbols, as the command line and files name them.

use core::ops::Range;
use std::fs;
use std::path::Path;

use page_filter::Kernel;
use page_filter::redact::{RedactError, Redaction, Secret, SecretPages, Secrets};
use serde_json::{Value, json};
use vmcore_format::eraseinfo::EraseLine;
use vmcore_format::{PageSize, Pfn, PhysAddr, VirtAddr};

use crate::args::RedactArgs;
use crate::exit::Failure;
use crate::input::Opened;
use crate::messages::Messages;
use crate::numbers::{parse_range, parse_size};
use crate::symbols::Symbols;

/// Lines of the log that a report lists.
const LISTED: usize = 1024;

/// Physical memory to be hidden; in the end all is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hidden {
    memory: Range<u64>,
    name: String,
}

/// Everything to be hidden.
#[derive(Debug, Default)]
pub(crate) struct Secrecy {
    ranges: Vec<Hidden>,
    pages: Vec<u8>,
}

impl Secrecy {
    /// What `args` names, found. What cannot be found is a failure, unless the user can do without.
    pub(crate) fn find(
        args: &RedactArgs,
        opened: &mut Opened<'_>,
        mut kernel: Option<&mut Kernel>,
        messages: Messages,
    ) -> Result<Self, Failure> {
        let mut found = Self::default();
        let unnamed = args.redact.iter().map(|range| Hidden { memory: range.clone(), name: String::new() });
        found.ranges.extend(unnamed);
        if let Some(path) = &args.redact_file {
            found.ranges.extend(read_ranges(path)?);
        }
        if let Some(path) = &args.redact_bitmap {
            found.pages = fs::read(path).map_err(|error| Failure::with_path(path, &error))?;
            if found.pages.is_empty() {
                return Err(Failure::new(format!("{}: the bitmap is empty", path.display())));
            }
        }
        if !args.redact_symbol.is_empty() {
            let symbols = Symbols::open(args.symbols.as_deref(), opened.machine.vmcoreinfo)?;
            for symbol in &args.redact_symbol {
                let ranges = find_symbol(symbol, &symbols, opened, kernel.as_deref_mut());
                match ranges {
                    Ok(ranges) => found.ranges.extend(ranges),
                    Err(why) if args.redact_found => {
                        messages.error(format_args!("--redact-symbol {symbol}: {why}: it is NOT hidden"));
                    }
                    Err(why) => {
                        return Err(Failure::new(format!(
                            "--redact-symbol {symbol}: {why}: nothing is saved (--redact-found hides the rest)"
                        )));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The same as the library takes it, in a table of one entry for each range.
    pub(crate) fn redaction<'a>(&'a self, slots: &'a mut Vec<Secret<'a>>) -> Result<Redaction<'a>, Failure> {
        slots.resize(self.ranges.len(), Secret::EMPTY);
        let mut secrets = Secrets::new(slots);
        for Hidden { memory, name } in &self.ranges {
            let added = secrets.push(PhysAddr(memory.start)..PhysAddr(memory.end), name);
            added.map_err(|error| Failure::new(format!("redaction of {name:?}: {error}")))?;
        }
        let pages = (!self.pages.is_empty()).then(|| SecretPages::new(Pfn(0), &self.pages, ""));
        let pages = pages.transpose().map_err(|error| Failure::new(format!("--redact-bitmap: {error}")))?;
        Ok(secrets.into_redaction(pages))
    }
}

/// A redaction for the report.
pub(crate) fn json(redaction: &Redaction<'_>, pages: u64, bytes: u64, page_size: PageSize) -> Value {
    let ranges: Vec<Value> = redaction.lines(page_size).take(LISTED).map(|line| line_json(&line)).collect();
    json!({
        "pages": pages,
        "bytes": bytes,
        "ranges": ranges,
        "range_count": redaction.lines(page_size).count(),
    })
}

/// A line of the log for a report.
pub(crate) fn line_json(line: &EraseLine<'_>) -> Value {
    json!({
        "name": Some(line.name).filter(|name| !name.is_empty()),
        "start": format!("{:#x}", line.addr.0),
        "bytes": line.len,
    })
}

/// Lines `start-end [name]`; what follows a # is for people.
fn read_ranges(path: &Path) -> Result<Vec<Hidden>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::with_path(path, &error))?;
    let mut ranges = Vec::new();
    for (line, number) in text.lines().zip(1_u64..) {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(range) = words.next() else { continue };
        let fails = |why: &str| Failure::new(format!("{}, line {number}: {why}", path.display()));
        let memory = parse_range(range).map_err(|why| fails(&why))?;
        let name = words.next().unwrap_or_default().to_owned();
        if words.next().is_some() || !EraseLine::is_name(&name) {
            return Err(fails(
                "no more than one name, of visible characters without @, may follow the range",
            ));
        }
        ranges.push(Hidden { memory, name });
    }
    Ok(ranges)
}

/// Where the memory of `NAME[:LEN]` or `0xADDRESS:LEN` lies.
fn find_symbol(
    symbol: &str,
    symbols: &Symbols<'_>,
    opened: &mut Opened<'_>,
    kernel: Option<&mut Kernel>,
) -> Result<Vec<Hidden>, String> {
    let (name, len) = match symbol.split_once(':') {
        Some((name, len)) => (name, Some(parse_size(len)?)),
        None => (symbol, None),
    };
    let kernel = kernel.ok_or("the page tables of the crashed kernel cannot be read")?;
    let mut found = Vec::new();
    for (addr, known_len) in symbols.find(name)? {
        let len = len.or(known_len).ok_or("its length is not known: NAME:LEN")?;
        let pieces = pieces(kernel, opened, addr, len).map_err(|error| error.to_string())?;
        let name = if name.starts_with("0x") { "" } else { name };
        found.extend(pieces.into_iter().map(|memory| Hidden { memory, name: name.to_owned() }));
    }
    Ok(found)
}

/// The physical memory behind `len` bytes of the kernel's virtual memory.
fn pieces(
    kernel: &mut Kernel,
    opened: &mut Opened<'_>,
    addr: u64,
    len: u64,
) -> Result<Vec<Range<u64>>, RedactError> {
    let mut slots = vec![Secret::EMPTY; 1];
    loop {
        let mut secrets = Secrets::new(&mut slots);
        match secrets.push_virt(kernel, &mut *opened.memory, VirtAddr(addr), len, "") {
            Ok(()) => {
                let lines = secrets.into_redaction(None).lines(opened.machine.page_size);
                return Ok(lines.map(|line| line.addr.0..line.addr.0.saturating_add(line.len)).collect());
            }
            Err(RedactError::BufferTooSmall { needed }) => {
                slots = vec![Secret::EMPTY; usize::try_from(needed).unwrap_or(usize::MAX)];
            }
            Err(error) => return Err(error),
        }
    }
}
