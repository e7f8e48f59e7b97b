//! Writes the inputs from which a fuzzer starts: `fuzz-seeds FOLDER [TARGET..]` makes `FOLDER/TARGET/seed-NN` of every target,
//! or of those named, and prints `TARGET MAX_LEN` for each.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().expect("fuzz-seeds FOLDER [TARGET..]");
    let names: Vec<String> = arguments.collect();
    for target in fuzz_targets::TARGETS {
        if !names.is_empty() && !names.iter().any(|name| name == target.name) {
            continue;
        }
        let folder = Path::new(&folder).join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
        println!("{} {}", target.name, target.max_len);
    }
    Ok(())
}
