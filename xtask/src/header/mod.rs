//! `cargo xtask header`: `include/kcapture.h` from `capi/`, by a pinned cbindgen.

mod arrange;
mod sources;

use std::fs;
use std::sync::Mutex;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::run::Outcome;
use crate::targets;

/// What cbindgen had to complain of.
static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

struct Warnings(Mutex<Vec<String>>);

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        // Private items, and callbacks that the library gives out by pointer, are not declared: that is as it should be.
        let private = text.contains("(not `pub`)") || text.contains("(not `no_mangle`,");
        if self.enabled(record.metadata()) && !private {
            self.0.lock().unwrap().push(text);
        }
    }

    fn flush(&self) {}
}

/// Makes the header, and writes it, or fails where the committed one differs. A warning is a failure.
pub(crate) fn make(write: bool) -> Outcome<()> {
    log::set_logger(&WARNINGS)?;
    log::set_max_level(LevelFilter::Warn);
    let root = targets::workspace();
    let config = cbindgen::Config::from_file(root.join("include/cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new().with_crate(root.join("capi")).with_config(config).generate()?;
    let warnings = WARNINGS.0.lock().unwrap();
    if !warnings.is_empty() {
        return Err(format!("cbindgen warns:\n{}", warnings.join("\n")).into());
    }
    let mut made = Vec::new();
    bindings.write(&mut made);
    let files = sources::files(&root.join("capi/src"), "lib.rs")?;
    let made = arrange::arrange(str::from_utf8(&made)?, &files, &sources::conventions(&files))?;
    let path = root.join("include/kcapture.h");
    if write {
        fs::write(&path, made)?;
    } else if fs::read_to_string(&path).ok().as_ref() != Some(&made) {
        return Err("include/kcapture.h is not what capi/ makes: run `cargo xtask header --write`".into());
    }
    println!("header: {}", path.display());
    Ok(())
}
