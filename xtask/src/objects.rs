//! `cargo xtask objects`: links purgatory-like objects of six machines with kexec-core and with GNU ld to the same
//! address, and compares the bytes of every loaded section. Slots of a global offset table are compared by value:
//! whose slot an instruction uses is the linker's business, what it finds there is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::packages;
use crate::run::{Outcome, command, output, run};
use crate::targets;

const PACKAGES: &[&str] = &[
    "gcc",
    "gcc-i686-linux-gnu",
    "gcc-aarch64-linux-gnu",
    "gcc-riscv64-linux-gnu",
    "gcc-powerpc64le-linux-gnu",
    "gcc-s390x-linux-gnu",
];

/// Below 2 GiB, where every code model works, and above 4 GiB, where a crash region may lie.
const LOW: u64 = 0x0712_3000;
const HIGH: u64 = 0x1_f712_3000;
/// Above 2 GiB: below, ld writes the address of the TOC into the prologue of every function of ppc64le.
const MIDDLE: u64 = 0x9712_3000;
/// From the image to where ld puts what it makes itself, in bytes.
const ASIDE: u64 = 0x40_0000;

/// Tools, compiler flags and addresses of each kind of object.
const KINDS: &[(&str, &[&str], &[u64])] = &[
    ("x86_64-linux-gnu", &["-fno-pic", "-mcmodel=large"], &[LOW, HIGH]),
    ("x86_64-linux-gnu", &["-fno-pic", "-mcmodel=small"], &[LOW]),
    ("x86_64-linux-gnu", &["-fpic", "-mcmodel=small"], &[LOW, HIGH]),
    ("x86_64-linux-gnu", &["-fpic", "-mcmodel=small", "-Wa,-mrelax-relocations=no"], &[HIGH]),
    ("i686-linux-gnu", &["-fno-pic"], &[LOW, 0xc712_3000]),
    ("aarch64-linux-gnu", &["-fno-pic", "-mcmodel=small"], &[LOW, HIGH]),
    ("aarch64-linux-gnu", &["-fno-pic", "-mcmodel=large"], &[LOW, HIGH]),
    ("aarch64-linux-gnu", &["-fno-pic", "-mcmodel=tiny"], &[LOW, HIGH]),
    ("riscv64-linux-gnu", &["-fno-pic", "-mno-relax", "-mcmodel=medany"], &[LOW, HIGH]),
    ("riscv64-linux-gnu", &["-fno-pic", "-mno-relax", "-mcmodel=medlow"], &[LOW]),
    ("riscv64-linux-gnu", &["-fno-pic", "-mno-relax", "-mcmodel=medany", "-march=rv64g"], &[HIGH]),
    ("powerpc64le-linux-gnu", &["-fno-pic", "-mcmodel=medium"], &[MIDDLE, HIGH]),
    ("powerpc64le-linux-gnu", &["-fno-pic", "-mcmodel=small"], &[MIDDLE, HIGH]),
    ("s390x-linux-gnu", &["-fno-pic"], &[LOW, HIGH]),
    ("s390x-linux-gnu", &["-fpic"], &[LOW, HIGH]),
];

/// Relocations whose value is where a slot lies.
const SLOTS: &[&str] = &["R_X86_64_GOTPCREL", "R_X86_64_GOTPCRELX", "R_X86_64_REX_GOTPCRELX", "R_390_GOTENT"];

/// Builds, links both ways and compares every kind at every address, at three levels of optimisation.
pub(crate) fn compare_all() -> Outcome<()> {
    packages::install(PACKAGES)?;
    let folder = targets::folder()?.join("objects");
    fs::create_dir_all(&folder)?;
    let mut types = BTreeMap::new();
    let mut images = 0;
    for (tools, flags, addresses) in KINDS {
        // For size, gcc leaves saving registers on ppc64le to functions that only a linker has.
        let size = if tools.starts_with("powerpc64le") { "-O1" } else { "-Os" };
        for level in ["-O0", size, "-O2"] {
            let object = build(&folder, tools, flags, level)?;
            for address in *addresses {
                compare(&folder, tools, &object, *address, &mut types)
                    .map_err(|error| format!("{tools} {flags:?} {level} at {address:#x}: {error}"))?;
                images += 1;
            }
        }
    }
    println!("{images} images are the same as ld's; relocations of {} types:", types.len());
    for (kind, count) in types {
        println!("{count:6} {kind}");
    }
    Ok(())
}

/// Two C files and one in the machine's assembler, joined to one object as a purgatory is.
fn build(folder: &Path, tools: &str, flags: &[&str], level: &str) -> Outcome<std::path::PathBuf> {
    let mut parts = Vec::new();
    let machine = tools.split('-').next().unwrap_or("");
    for name in ["first.c", "second.c", &format!("{machine}.s")] {
        let (source, part) = (format!("xtask/objects/{name}"), folder.join(format!("{name}.o")));
        let mut gcc = command(&[format!("{tools}-gcc")]);
        // ld would merge equal constants at the end, and so move them.
        gcc.args(["-fno-merge-constants", "-Wa,--noexecstack"]);
        gcc.args([
            "-c",
            "-ffreestanding",
            "-fno-stack-protector",
            "-fno-asynchronous-unwind-tables",
            "-fno-unwind-tables",
            level,
        ]);
        gcc.args(flags).arg(&source).arg("-o").arg(&part);
        run(gcc.current_dir(targets::workspace()))?;
        parts.push(part);
    }
    let object = folder.join("object.o");
    let mut ld = command(&[format!("{tools}-ld")]);
    run(ld.args(["-r", "-o"]).arg(&object).args(&parts).stdin(Stdio::null()))?;
    Ok(object)
}

/// A loaded section: its place in the image, and whether it has bytes.
struct Section {
    name: String,
    at: u64,
    size: u64,
    has_bytes: bool,
}

fn compare(
    folder: &Path,
    tools: &str,
    object: &Path,
    address: u64,
    types: &mut BTreeMap<String, usize>,
) -> Outcome<()> {
    let slots = slots(tools, object, types)?;
    let sections = sections(tools, object, slots.len())?;
    let linked = link(folder, tools, object, address, &sections)?;
    let ours = ours(object, address)?;
    let their_slots = section_bytes(folder, tools, &linked, ".got")?;
    for section in sections.iter().filter(|section| section.has_bytes) {
        let theirs = section_bytes(folder, tools, &linked, &section.name)?;
        let start = usize::try_from(section.at)?;
        let part = ours.get(start..start + usize::try_from(section.size)?).ok_or("our image is too short")?;
        let mut part = part.to_vec();
        for (_, offset) in slots.iter().filter(|(name, _)| *name == section.name) {
            let at = usize::try_from(*offset)?;
            let place = address + section.at + offset;
            let mine = slot(&ours, address, place, &part[at..], tools)?;
            let other = slot(&their_slots, address + ASIDE, place, &theirs[at..], tools)?;
            if mine != other {
                return Err(format!(
                    "{}+{offset:#x}: our slot holds {mine:#x}, ld's {other:#x}",
                    section.name
                )
                .into());
            }
            part[at..at + 4].copy_from_slice(&theirs[at..at + 4]);
        }
        if let Some(at) = part.iter().zip(&theirs).position(|(a, b)| a != b) {
            let (a, b) = (&part[at..(at + 8).min(part.len())], &theirs[at..(at + 8).min(theirs.len())]);
            return Err(format!("{}+{at:#x}: ours {a:02x?}, ld's {b:02x?}", section.name).into());
        }
        if part.len() != theirs.len() {
            return Err(format!("{}: {} bytes, ld has {}", section.name, part.len(), theirs.len()).into());
        }
    }
    Ok(())
}

/// Where the image of the object stands, by the rule that kexec-core documents and worked out here again: sections
/// with bytes, slots, sections without.
fn sections(tools: &str, object: &Path, slots: usize) -> Outcome<Vec<Section>> {
    let mut sections = Vec::new();
    let text = output(command(&[format!("{tools}-readelf"), "-SW".to_owned()]).arg(object))?;
    let mut end = 0_u64;
    for with_bytes in [true, false] {
        for line in text.lines() {
            // [ 1] .text PROGBITS address offset size entry-size flags link info align
            let Some((_, fields)) = line.split_once("] ") else { continue };
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let [name, kind, _, _, size, _, flags, .., align] = fields.as_slice() else { continue };
            let has_bytes = *kind != "NOBITS";
            if !flags.contains('A') || has_bytes != with_bytes {
                continue;
            }
            let size = u64::from_str_radix(size, 16)?;
            let at = end.next_multiple_of(align.parse::<u64>()?.max(1));
            end = at + size;
            sections.push(Section { name: (*name).to_owned(), at, size, has_bytes });
        }
        if with_bytes && slots != 0 {
            end = end.next_multiple_of(8) + 8 * u64::try_from(slots)?;
        }
    }
    Ok(sections)
}

/// The relocations that use slots, as section and offset; counts the types of all.
fn slots(tools: &str, object: &Path, types: &mut BTreeMap<String, usize>) -> Outcome<Vec<(String, u64)>> {
    let mut slots = Vec::new();
    let mut section = String::new();
    for line in output(command(&[format!("{tools}-readelf"), "-rW".to_owned()]).arg(object))?.lines() {
        if let Some((_, name)) = line.split_once("'.rel") {
            let name = name.split('\'').next().unwrap_or("");
            section = name.strip_prefix('a').unwrap_or(name).to_owned();
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [offset, _, kind, ..] = fields.as_slice() else { continue };
        if kind.starts_with("R_") {
            *types.entry((*kind).to_owned()).or_insert(0) += 1;
            if SLOTS.contains(kind) {
                slots.push((section.clone(), u64::from_str_radix(offset, 16)?));
            }
        }
    }
    Ok(slots)
}

/// What ld makes of the object, every section where ours stands.
fn link(
    folder: &Path,
    tools: &str,
    object: &Path,
    address: u64,
    sections: &[Section],
) -> Outcome<std::path::PathBuf> {
    let mut script = String::from("SECTIONS\n{\n");
    for Section { name, at, .. } in sections {
        script += &format!("{name} {:#x} : {{ KEEP(*({name})) }}\n", address + at);
    }
    script += &format!(
        ".got {:#x} : {{ *(.got .igot) }}\n.got.plt : {{ *(.got.plt .igot.plt) }}\n",
        address + ASIDE
    );
    script += "/DISCARD/ : { *(.comment .note.* .gnu.attributes .riscv.attributes) }\n}\n";
    let (path, linked) = (folder.join("script.ld"), folder.join("linked"));
    fs::write(&path, script)?;
    let mut ld = command(&[format!("{tools}-ld")]);
    ld.args([
        "-static",
        "--no-relax",
        "--no-warn-rwx-segments",
        "--build-id=none",
        "-z",
        "noexecstack",
        "-e",
        "purgatory_start",
    ]);
    if tools.starts_with("powerpc64le") {
        ld.args(["--no-toc-optimize", "--no-tls-optimize"]);
    }
    run(ld.arg("-T").arg(&path).arg("-o").arg(&linked).arg(object))?;
    Ok(linked)
}

fn ours(object: &Path, address: u64) -> Outcome<Vec<u8>> {
    let mut cargo = command(&[targets::cargo()]);
    cargo.args(["run", "--quiet", "--package=kexec-core", "--example=link_object", "--"]);
    cargo.arg(object).arg(format!("{address:#x}")).current_dir(targets::workspace());
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if output.status.success() { Ok(output.stdout) } else { Err("kexec-core does not link it".into()) }
}

/// The bytes of one section of a linked file; none if it is not there.
fn section_bytes(folder: &Path, tools: &str, file: &Path, name: &str) -> Outcome<Vec<u8>> {
    let bytes = folder.join("section.bin");
    let mut objcopy = command(&[format!("{tools}-objcopy")]);
    objcopy.args(["-O", "binary", "-j", name]).arg(file).arg(&bytes);
    run(objcopy.stderr(Stdio::null()))?;
    let read = fs::read(&bytes).unwrap_or_default();
    let _ = fs::remove_file(&bytes);
    Ok(read)
}

/// The address in the slot that the field at `place` points to, in memory that starts at `start`.
fn slot(memory: &[u8], start: u64, place: u64, field: &[u8], tools: &str) -> Outcome<u64> {
    let bytes: [u8; 4] = field.get(..4).ok_or("a field has 4 bytes")?.try_into()?;
    // x86_64: from the end of the field, which ends the instruction. s390x: in half-words from the instruction.
    let big = tools.starts_with("s390x");
    let at = if big {
        place.wrapping_sub(2).wrapping_add_signed(i64::from(i32::from_be_bytes(bytes)) * 2)
    } else {
        place.wrapping_add(4).wrapping_add_signed(i32::from_le_bytes(bytes).into())
    };
    let at = usize::try_from(at.wrapping_sub(start))?;
    let bytes: [u8; 8] = memory.get(at..at + 8).ok_or("the slot is outside")?.try_into()?;
    Ok(if big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
}
