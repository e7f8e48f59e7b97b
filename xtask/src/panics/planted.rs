//! The proof that a panic would be seen: a library with panics planted in it, looked at as ours is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{link, object, reach};
use crate::run::{Outcome, command, run};

/// Each `reaches_` function must be found, each `free_` function must not.
const SOURCE: &str = r#"
#![no_std]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" { fn abort() -> !; }
    unsafe { abort() }
}
#[inline(never)]
fn deepest(list: &[u32; 8], at: usize) -> u32 { list[at] }
#[inline(never)]
fn deep(list: &[u32; 8], at: usize) -> u32 { deepest(list, at).rotate_left(3) }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_index(list: &[u32; 8], at: usize) -> u32 { deep(list, at) ^ 1 }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_slice(list: &[u32; 8], at: usize) -> u32 { list[at..].iter().fold(0, |a, b| a ^ b) }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_unwrap(list: &[u32; 8], at: usize) -> u32 { *list.get(at).unwrap() }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_expect(list: &[u32; 8], at: usize) -> u32 { *list.get(at).expect("few") }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_division(a: u32, b: u32) -> u32 { a / b }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_copy(to: &mut [u8; 8], from: &[u8; 8], len: usize, other: usize) {
    if let (Some(to), Some(from)) = (to.get_mut(..len), from.get(..other)) { to.copy_from_slice(from) }
}
#[unsafe(no_mangle)]
pub extern "C" fn reaches_text(len: usize) -> usize { "a text with \u{e4} in it"[len..].len() }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_abort() { unsafe extern "C" { fn abort() -> !; } unsafe { abort() } }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_trap(a: u32) -> u32 {
    if a > 5 { unsafe { core::arch::asm!("ud2") } }
    a
}
pub trait Worker: Sync { fn work(&self, number: u32) -> u32; }
struct Sound;
struct Panics;
impl Worker for Sound { fn work(&self, number: u32) -> u32 { number ^ 5 } }
impl Worker for Panics { fn work(&self, number: u32) -> u32 { [1, 2, 3][number as usize] } }
static WORKERS: [&dyn Worker; 2] = [&Sound, &Panics];
static ONE: fn(u32) -> u32 = |number| 100 / number;
#[unsafe(no_mangle)]
pub extern "C" fn reaches_through_a_table(which: bool, number: u32) -> u32 { WORKERS[usize::from(which)].work(number) }
#[unsafe(no_mangle)]
pub extern "C" fn reaches_through_a_pointer(number: &u32) -> u32 {
    let work = unsafe { core::ptr::read_volatile(&ONE) };
    work(*number)
}
#[unsafe(no_mangle)]
pub extern "C" fn free_get(list: &[u32; 8], at: usize) -> u32 { list.get(at).copied().unwrap_or(0) }
#[unsafe(no_mangle)]
pub extern "C" fn free_masked(list: &[u32; 8], at: usize) -> u32 { list[at & 7] }
#[unsafe(no_mangle)]
pub extern "C" fn no_root(list: &[u32; 8], at: usize) -> u32 { list[at] }
"#;

/// Builds the planted library in `folder`, and checks that each of its panics is found, and nothing else.
pub(super) fn check(folder: &Path, target: &str) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    let (source, archive, linked) =
        (folder.join("planted.rs"), folder.join("libplanted.a"), folder.join("planted.o"));
    fs::write(&source, SOURCE)?;
    let mut rustc =
        command(&["rustc", "--edition=2024", "--crate-type=staticlib", "-Copt-level=3", "-Clto=fat"]);
    rustc.args(["-Cpanic=abort", "-Ccodegen-units=1", "--target", target, "-o"]);
    run(rustc.arg(&archive).arg(&source))?;
    let functions: BTreeSet<String> = SOURCE
        .lines()
        .filter_map(|line| line.strip_prefix("pub extern \"C\" fn ")?.split('(').next())
        .filter(|name| *name != "no_root")
        .map(str::to_owned)
        .collect();
    link(&archive, &functions, &linked)?;
    let sites = reach::sites(&object::read(&linked)?, &functions)?;
    let found: BTreeSet<&String> = sites.iter().flat_map(|site| &site.roots).collect();
    for function in &functions {
        if function.starts_with("reaches_") != found.contains(function) {
            return Err(format!(
                "the search is wrong about the planted function {function}; it found {:?}",
                sites.iter().map(|site| &site.name).collect::<Vec<_>>()
            )
            .into());
        }
    }
    let deep = sites.iter().find(|site| site.roots.contains("reaches_index")).ok_or("no site")?;
    if deep.chain.first().map(String::as_str) != Some("reaches_index") || deep.chain.len() < 2 {
        return Err(format!("the way to a planted panic is wrong: {:?}", deep.chain).into());
    }
    println!("of {} functions with planted panics or without, each is told right", functions.len());
    Ok(())
}
