//! The system's C codecs, run by a script.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// Decodes each of `pages`, a page's length and what it was compressed to; `None` for what the library
/// refuses.
pub(crate) fn decode(codec: &str, pages: &[(usize, Vec<u8>)]) -> Vec<Option<Vec<u8>>> {
    run(&["decode", codec], pages)
}

/// Compresses each of `pages`.
pub(crate) fn encode(codec: &str, options: &[&str], pages: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
    let pages: Vec<_> = pages.iter().map(|page| (page.len(), page.clone())).collect();
    run(&[&["encode", codec], options].concat(), &pages)
}

fn run(arguments: &[&str], records: &[(usize, Vec<u8>)]) -> Vec<Option<Vec<u8>>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/codecs/c_libraries.py");
    let mut python = Command::new("/usr/bin/python3")
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("/usr/bin/python3: {error}: install the package python3"));
    let mut request = Vec::new();
    for (page_len, bytes) in records {
        request.extend_from_slice(&(*page_len as u32).to_le_bytes());
        request.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        request.extend_from_slice(bytes);
    }
    let mut stdin = python.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(&request));
    let output = python.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    assert!(output.status.success(), "{arguments:?} failed, see above");
    written.unwrap();

    let mut replies = output.stdout.as_slice();
    let mut decoded = Vec::new();
    while let Some((len, rest)) = replies.split_first_chunk::<4>() {
        let len = u32::from_le_bytes(*len);
        let (bytes, rest) = rest.split_at(if len == u32::MAX { 0 } else { len as usize });
        decoded.push((len != u32::MAX).then(|| bytes.to_vec()));
        replies = rest;
    }
    assert_eq!(decoded.len(), records.len(), "{arguments:?}: replies");
    decoded
}
