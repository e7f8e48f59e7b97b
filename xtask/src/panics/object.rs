//! An ELF relocatable object, as far as it says which section refers to which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::run::{Outcome, command, output};

/// Sections and what is not in the object, by what they refer to. One section holds one function, or one constant.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) nodes: Vec<Node>,
    /// The node of each global name.
    pub(super) globals: BTreeMap<String, usize>,
}

/// A section, or an undefined symbol.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    /// The functions in it, or the symbol; demangled, without the compiler's hash.
    pub(super) functions: Vec<String>,
    pub(super) refers_to: BTreeSet<usize>,
    /// Whether it holds an instruction that stops the program by itself.
    pub(super) traps: bool,
}

/// What the compiler puts where control must not come. Not `hlt` and `int3`: the purgatory stops and resets a machine with them.
const TRAPS: [&str; 1] = ["ud2"];

const SHT_SYMTAB: u32 = 2;
const SHT_RELA: u32 = 4;
const SHT_REL: u32 = 9;
const STT_FUNC: u8 = 2;
const SHN_LORESERVE: u16 = 0xff00;
const SHN_XINDEX: u16 = 0xffff;

/// The header of a section: name, type, offset, size, link, info.
struct Header {
    name: usize,
    kind: u32,
    offset: usize,
    size: usize,
    link: usize,
    info: usize,
}

struct Symbol {
    name: String,
    function: bool,
    global: bool,
    /// 0 where it is undefined.
    section: u16,
}

/// Reads an object of 64 bits and little-endian order; everything in it must be as expected.
pub(super) fn read(path: &Path) -> Outcome<Object> {
    let bytes = fs::read(path)?;
    if bytes[..6] != *b"\x7fELF\x02\x01" || number(&bytes, 16, 2) != 1 {
        return Err(format!("{}: not a relocatable object of 64 bits", path.display()).into());
    }
    let headers = headers(&bytes);
    let names = &headers[number(&bytes, 62, 2)];
    let mut object = Object::default();
    for header in &headers {
        let name = text(&bytes, names.offset + header.name);
        object.nodes.push(Node { name, ..Node::default() });
    }
    let table = headers.iter().position(|header| header.kind == SHT_SYMTAB).ok_or("no table of symbols")?;
    let symbols = symbols(&bytes, &headers, table);
    let nodes = enter_symbols(&symbols, &mut object)?;
    for header in &headers {
        if header.kind == SHT_REL {
            return Err("relocations without addends are not read".into());
        }
        if header.kind != SHT_RELA {
            continue;
        }
        if header.link != table {
            return Err("relocations of another table of symbols".into());
        }
        for entry in bytes[header.offset..header.offset + header.size].chunks_exact(24) {
            let node = nodes[number(entry, 12, 4)].ok_or("a relocation by a symbol without a place")?;
            object.nodes[header.info].refers_to.insert(node);
        }
    }
    demangle(&mut object)?;
    find_traps(path, &mut object)?;
    Ok(object)
}

/// Names functions and globals in their nodes, adds nodes for undefined symbols; gives the node of each symbol.
fn enter_symbols(symbols: &[Symbol], object: &mut Object) -> Outcome<Vec<Option<usize>>> {
    let mut nodes = Vec::new();
    for symbol in symbols {
        let node = match symbol.section {
            0 if symbol.name.is_empty() => None,
            0 => {
                object.nodes.push(Node { name: symbol.name.clone(), ..Node::default() });
                Some(object.nodes.len() - 1)
            }
            SHN_XINDEX => return Err("more sections than are read".into()),
            SHN_LORESERVE.. => None,
            section => Some(usize::from(section)),
        };
        if let Some(node) = node {
            if symbol.function || symbol.section == 0 {
                object.nodes[node].functions.push(symbol.name.clone());
            }
            if symbol.global {
                object.globals.insert(symbol.name.clone(), node);
            }
        }
        nodes.push(node);
    }
    Ok(nodes)
}

fn headers(bytes: &[u8]) -> Vec<Header> {
    let (start, count) = (number(bytes, 40, 8), number(bytes, 60, 2));
    let header = |at: &[u8]| Header {
        name: number(at, 0, 4),
        kind: number(at, 4, 4) as u32,
        offset: number(at, 24, 8),
        size: number(at, 32, 8),
        link: number(at, 40, 4),
        info: number(at, 44, 4),
    };
    bytes[start..].chunks_exact(64).take(count).map(header).collect()
}

fn symbols(bytes: &[u8], headers: &[Header], table: usize) -> Vec<Symbol> {
    let header = &headers[table];
    let names = headers[header.link].offset;
    let symbol = |at: &[u8]| Symbol {
        name: text(bytes, names + number(at, 0, 4)),
        function: at[4] & 15 == STT_FUNC,
        global: at[4] >> 4 != 0,
        section: number(at, 6, 2) as u16,
    };
    bytes[header.offset..header.offset + header.size].chunks_exact(24).map(symbol).collect()
}

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

fn text(bytes: &[u8], at: usize) -> String {
    let bytes = &bytes[at..];
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

/// Names as they are in the source, so that they do not change with the compiler's hash.
fn demangle(object: &mut Object) -> Outcome<()> {
    let mangled: Vec<&String> = object.nodes.iter().flat_map(|node| &node.functions).collect();
    let list = std::env::temp_dir().join(format!("kcapture-names-{}", std::process::id()));
    fs::write(&list, mangled.iter().map(|name| format!("{name}\n")).collect::<String>())?;
    let demangled = output(command(&["c++filt"]).stdin(fs::File::open(&list)?));
    fs::remove_file(&list)?;
    let demangled = demangled?;
    let mut names = demangled.lines().map(without_hash);
    for node in &mut object.nodes {
        for name in &mut node.functions {
            *name = names.next().ok_or("c++filt lost a name")?;
        }
    }
    Ok(())
}

/// `name` without the hashes of the compiler, `core[16 digits]::` and `::h` with 16 digits, and without what its optimiser puts
/// behind a point.
fn without_hash(name: &str) -> String {
    let hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = name.split(".llvm.").next().unwrap_or(name);
    let name = match name.rsplit_once("::h") {
        Some((rest, end)) if hash(end) => rest,
        _ => name,
    };
    let mut parts = name.split('[');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((inside, rest)) if hash(inside) => kept.push_str(rest),
            _ => kept.extend(["[", part]),
        }
    }
    kept
}

/// Marks the sections whose code holds a trap.
fn find_traps(path: &Path, object: &mut Object) -> Outcome<()> {
    let listing = output(command(&["objdump", "-d", "--no-show-raw-insn", "--wide"]).arg(path))?;
    let mut trapping = BTreeSet::new();
    let (mut section, mut instructions) = ("", 0_usize);
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix("Disassembly of section ") {
            section = name.trim_end_matches(':');
        } else if let Some((_, code)) = line.split_once(":\t") {
            instructions += 1;
            if TRAPS.contains(&code.split_whitespace().next().unwrap_or("")) {
                trapping.insert(section);
            }
        }
    }
    if instructions == 0 {
        return Err(format!("{}: objdump shows no code", path.display()).into());
    }
    // Sections of one name are told apart by nothing here: all of them count.
    for node in &mut object.nodes {
        node.traps = trapping.contains(node.name.as_str());
    }
    Ok(())
}
