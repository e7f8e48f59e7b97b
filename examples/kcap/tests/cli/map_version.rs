//! What kcap says of the map that a header was made of: the note, and whether the program headers are of that map.

use serde_json::{Value, json};

use crate::machine::{Folder, code, kcap_in, read, stderr, stdout, vmcore};

/// Of what the vmcore's program headers name, by Python's hashlib.
const SHA256: &str = "0180391b1b3e4746b93a70c3e236635c792ecd78bada2fc0677c3fb2f90983c2";

/// The vmcore with a note of a map of this digest.
fn vmcore_of(sha256: &str) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [9, 40, 0x4b43_0001_u32] {
        note.extend_from_slice(&word.to_le_bytes());
    }
    note.extend_from_slice(b"KCAPTURE\0\0\0\0");
    note.extend_from_slice(&5_u64.to_le_bytes());
    let digit = |at: usize| u8::from_str_radix(&sha256[at..at + 2], 16).unwrap();
    note.extend((0..64).step_by(2).map(digit));
    let mut file = vmcore(None);
    file[64 + 3 * 56..][..64].copy_from_slice(&note);
    // p_filesz and p_memsz
    for at in [64 + 32, 64 + 40] {
        file[at..at + 8].copy_from_slice(&64_u64.to_le_bytes());
    }
    file
}

fn said(folder: &Folder, file: &str) -> String {
    let output = kcap_in(folder, &format!("info @{file}"));
    assert_eq!(code(&output), 0, "{file}: {}", stderr(&output));
    let text = stdout(&output);
    text.lines().find_map(|line| line.strip_prefix("memory map    ")).unwrap().to_owned()
}

#[test]
fn a_header_is_of_the_map_that_its_note_names_or_is_not() {
    let folder = Folder::new();
    let other = SHA256.replace(&SHA256[62..], "00");
    folder.write("right", &vmcore_of(SHA256));
    folder.write("wrong", &vmcore_of(&other));
    folder.write("without", &vmcore(None));
    let epoch = format!("epoch 5, sha256 {}", &SHA256[..16]);
    assert_eq!(said(&folder, "right"), format!("{epoch}, as the program headers have it"));
    assert_eq!(
        said(&folder, "wrong"),
        format!("{epoch}; the program headers are not of the map that the note names")
    );
    assert_eq!(said(&folder, "without"), "unknown");
    for (file, expected) in [
        ("right", json!({ "epoch": 5, "sha256": SHA256, "header_agrees": true })),
        ("wrong", json!({ "epoch": 5, "sha256": other, "header_agrees": false })),
        ("without", Value::Null),
    ] {
        for options in ["-z", "-E"] {
            let line = format!("dump -f {options} --message-level 22 --report @report @{file} @dump");
            let output = kcap_in(&folder, &line);
            assert_eq!(code(&output), 0, "{line}: {}", stderr(&output));
            let map = format!("{:<16}{}", "memory map", said(&folder, file));
            let all = stdout(&output) + &stderr(&output);
            assert!(all.contains(&map), "{line}: {all}");
            let report: Value = serde_json::from_slice(&read(&folder.path("report"))).unwrap();
            assert_eq!(report["input"]["map_version"], expected, "{line}");
            let kept = said(&folder, "dump");
            let known = if expected.is_null() { "unknown" } else { epoch.as_str() };
            assert!(kept.starts_with(known), "{line}: {kept}");
            assert_eq!(kept == known, options == "-z" || expected.is_null(), "{line}: {kept}");
        }
    }
}
