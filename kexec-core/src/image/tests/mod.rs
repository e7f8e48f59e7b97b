//! Images laid out by hand, cut, contradicted and damaged.

mod bzimage;
mod efi;
mod elf;
mod hostile;

use super::*;
use std::vec::Vec;

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn corrupt(field: Field, offset: u64) -> Error {
    Error::Corrupt { field, offset }
}

fn unsupported(field: Field, value: u64) -> Error {
    Error::Unsupported { field, value }
}

/// Nothing shorter than `whole` is taken for the image.
fn every_cut_is_refused(whole: &[u8]) {
    assert!(identify(whole).is_ok());
    for len in 0..whole.len() {
        assert!(identify(&whole[..len]).is_err(), "cut to {len:#x}");
    }
}

/// With the bytes of each case put in `good`, the image is refused so.
fn refusals(good: &[u8], cases: &[(usize, &[u8], Error)]) {
    assert!(identify(good).is_ok());
    for &(at, bytes, error) in cases {
        let mut bad = good.to_vec();
        put(&mut bad, at, bytes);
        assert_eq!(identify(&bad), Err(error), "{bytes:x?} at {at:#x}");
    }
}

#[test]
fn other_files_are_named_by_their_first_bytes() {
    let cases: [(&[u8], u64); 4] = [
        (b"", 0),
        (b"MB", 0x424d),
        (b"\x1f\x8b\x08\0\0\0\0\0\x02\x03", 0x0008_8b1f),
        (&[0xff; 4096], u64::MAX),
    ];
    for (file, value) in cases {
        assert_eq!(identify(file), Err(unsupported(Field::ImageMagic, value)));
    }
    assert_eq!(identify(b"MZ"), Err(corrupt(Field::DosHeader, 0x3c)));
}

#[test]
fn compressions_are_known_by_name_and_by_magic() {
    let cases: [(&[u8], &[u8], Compression); 9] = [
        (b"gzip", b"\x1f\x8b\x08\0", Compression::Gzip),
        (b"bzip2", b"BZh91AY", Compression::Bzip2),
        (b"lzma", b"\x5d\0\0\0\x04", Compression::Lzma),
        (b"xzkern", b"\xfd7zXZ\0\0\x01", Compression::Xz),
        (b"xz", b"\xfd7zXZ\0\0\x01", Compression::Xz),
        (b"lzo", b"\x89LZO\0\r\n\x1a\n", Compression::Lzo),
        (b"lz4", b"\x02\x21\x4c\x18", Compression::Lz4),
        (b"zstd", b"\x28\xb5\x2f\xfd", Compression::Zstd),
        (b"zstd22", b"\x28\xb5\x2f\xfd", Compression::Zstd),
    ];
    for (name, magic, compression) in cases {
        assert_eq!(Compression::from_name(name), Some(compression));
        assert_eq!(Compression::from_name(compression.name().as_bytes()), Some(compression));
        assert_eq!(Compression::detect(magic), Some(compression));
        assert_eq!(Compression::detect(&magic[..1]), None);
    }
    assert_eq!(Compression::from_name(b"GZIP"), None);
}
