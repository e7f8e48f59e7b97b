//! Small ELF cores laid out by hand, a scratch folder, and the program itself.

use core::sync::atomic::{AtomicU32, Ordering};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const PAGE: usize = 4096;

/// A folder of its own for one test, removed when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kcap-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs kcap with `args`.
pub(crate) fn kcap<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kcap")).args(args).output().unwrap()
}

/// Runs kcap with a line of words, of which `@name` is a file of `folder`.
pub(crate) fn kcap_in(folder: &Folder, line: &str) -> Output {
    kcap(line.split_whitespace().map(|word| match word.strip_prefix('@') {
        Some(name) => folder.path(name).into_os_string(),
        None => word.into(),
    }))
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// A page that is not zero and says which frame it is.
pub(crate) fn page(pfn: u64) -> Vec<u8> {
    pfn.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().repeat(PAGE / 8)
}

/// The frames of [`vmcore`], which are 0x10..0x20 and 0x100..0x104. Frame 0x12 and frame 0x101 are zero.
pub(crate) fn frames() -> impl Iterator<Item = u64> {
    (0x10..0x20).chain(0x100..0x104)
}

/// What is in a frame of [`vmcore`].
pub(crate) fn content(pfn: u64) -> Vec<u8> {
    if matches!(pfn, 0x12 | 0x101) { vec![0; PAGE] } else { page(pfn) }
}

/// An ELF core of x86_64 with two segments, and a note with `vmcoreinfo` if there is any.
pub(crate) fn vmcore(vmcoreinfo: Option<&str>) -> Vec<u8> {
    let mut note = Vec::new();
    if let Some(text) = vmcoreinfo {
        for word in [11, text.len() as u32, 0] {
            note.extend_from_slice(&word.to_le_bytes());
        }
        note.extend_from_slice(b"VMCOREINFO\0\0");
        note.extend_from_slice(text.as_bytes());
        note.resize(note.len().next_multiple_of(4), 0);
    }
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [4_u16, 62] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1_u32.to_le_bytes());
    for word in [0_u64, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 3, 0, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    let page = PAGE as u64;
    let mut phdr = |p_type: u32, offset: u64, vaddr: u64, paddr: u64, size: u64| {
        file.extend_from_slice(&p_type.to_le_bytes());
        file.extend_from_slice(&7_u32.to_le_bytes());
        for word in [offset, vaddr, paddr, size, size, 0] {
            file.extend_from_slice(&word.to_le_bytes());
        }
    };
    phdr(4, 64 + 3 * 56, 0, 0, note.len() as u64);
    phdr(1, page, 0xffff_8880_0001_0000, 0x10 * page, 16 * page);
    phdr(1, 17 * page, 0xffff_8880_0010_0000, 0x100 * page, 4 * page);
    file.extend_from_slice(&note);
    assert!(file.len() <= PAGE);
    file.resize(PAGE, 0);
    frames().for_each(|pfn| file.extend(content(pfn)));
    file
}
