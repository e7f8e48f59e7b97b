//! Every target over its seeds, and over each input that was a finding once.

use std::fs;
use std::path::Path;

#[test]
fn seeds() {
    for target in fuzz_targets::TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            println!("{} seed-{number:03}", target.name);
            assert!(seed.len() <= target.max_len, "{} seed-{number:03}: {} bytes", target.name, seed.len());
            (target.run)(seed);
        }
        (target.run)(&[]);
    }
}

#[test]
fn regressions() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../regressions");
    for entry in fs::read_dir(&folder).expect("the folder is there") {
        let folder = entry.expect("a folder").path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let target = fuzz_targets::TARGETS.iter().find(|target| target.name == name);
        let target = target.unwrap_or_else(|| panic!("{}: no such target", folder.display()));
        for file in fs::read_dir(&folder).expect("a folder") {
            let file = file.expect("a file").path();
            println!("{}", file.display());
            (target.run)(&fs::read(&file).expect("readable"));
        }
    }
}
