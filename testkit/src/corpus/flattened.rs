//! Flattened streams: headers, records that overlap, wrap, point nowhere or never come.

use super::{Expect, HostileDump, Meet, machine, pages_of};
use crate::{Arch, ElfOptions, FlattenOptions, flatten, kdump_of};

const HEADER: usize = 4096;
const RECORD: usize = 5000;
const END: usize = 16;

fn record(offset: i64, size: i64, bytes: &[u8]) -> Vec<u8> {
    [&offset.to_be_bytes(), &size.to_be_bytes(), bytes].concat()
}

/// Flattened streams of a kdump-compressed file and of an ELF core.
pub fn hostile_streams(meet: Meet<'_>) {
    let machine = machine(Arch::X86_64);
    let elf = machine.elf_with(&ElfOptions { text: false, ..ElfOptions::default() }).to_vec();
    for (name, file) in [("ELF", elf), ("kdump", kdump_of(&machine, 0).to_vec())] {
        let stream = flatten(&file, &FlattenOptions { record: RECORD, ..FlattenOptions::default() });
        let records = &stream[HEADER..stream.len() - END];
        let end = &stream[stream.len() - END..];
        let same = Expect::Pages(pages_of(&machine));
        let mut case = |what: &str, bytes: Vec<u8>, expect: Expect| {
            meet(HostileDump::new(format!("stream of {name}: {what}"), bytes, expect));
        };
        for (what, at, fields) in
            [("type", 16, &["makedumpfile_header.type"]), ("version", 24, &["makedumpfile_header.version"])]
        {
            for value in [0, 2, i64::MAX, i64::MIN, -1] {
                let mut bytes = stream.clone();
                bytes[at..at + 8].copy_from_slice(&i64::to_be_bytes(value));
                case(&format!("{what} {value}"), bytes, Expect::Refused(fields));
            }
        }
        for at in [12, 15] {
            let mut bytes = stream.clone();
            bytes[at] = b'x';
            case(&format!("signature with a letter at {at}"), bytes, Expect::Refused(&["signature"]));
        }
        for at in [0, 8, 16, 31, 32, 4095] {
            let fields: &[&str] = &["signature", "makedumpfile_header"];
            case(&format!("cut to {at} bytes"), stream[..at].to_vec(), Expect::Refused(fields));
        }
        for at in [HEADER, HEADER + 1, HEADER + 15] {
            case(&format!("cut to {at} bytes"), stream[..at].to_vec(), Expect::Refused(&[]));
        }
        case("an end and nothing else", [&stream[..HEADER], end].concat(), Expect::Refused(&[]));
        case("an end before its records", [&stream[..HEADER], end, records].concat(), Expect::Refused(&[]));

        // What comes after all records, before the end.
        let mut extra = |what: &str, more: &[u8], expect: Expect| {
            case(what, [&stream[..HEADER], records, more, end].concat(), expect);
        };
        let len = file.len() as i64;
        extra("a byte at 2^62", &record(1 << 62, 1, b"x"), same.clone());
        extra("a byte at 2^40", &record(1 << 40, 1, b"x"), same.clone());
        extra("a byte at the last offset", &record(i64::MAX - 1, 1, b"x"), same.clone());
        extra("a byte past the last offset", &record(i64::MAX, 1, b"x"), same.clone());
        extra("a record of nothing", &record(5, 0, b""), same.clone());
        extra("a record of zeros", &record(0, 0, b""), same.clone());
        extra("a negative offset", &record(-5, 1, b"x"), same.clone());
        extra("a negative size", &record(len, -2, b""), same.clone());
        extra("the least size", &record(len, i64::MIN, b""), same.clone());
        extra("a size past the end", &record(1 << 41, 1 << 20, b"x"), same.clone());
        extra("the largest size", &record(1 << 41, i64::MAX - (1 << 41), b"x"), same.clone());
        extra("a size that wraps", &record(1 << 62, 1 << 62, b"x"), same.clone());
        extra("half an end", &record(-1, 5, b"x"), same.clone());
        extra("everything lost", &record(0, i64::MAX, b""), Expect::Ends);
        extra("everything once more", records, same.clone());

        let single = flatten(&file, &FlattenOptions { record: 1 << 30, ..FlattenOptions::default() });
        case("one record", single, same.clone());
        let bytes = flatten(&file, &FlattenOptions { record: 64, ..FlattenOptions::default() });
        case("records of 64 bytes", bytes, same.clone());
        let bytes = flatten(
            &file,
            &FlattenOptions { record: 300, shuffled: true, stale: true, ..FlattenOptions::default() },
        );
        case("records in any order", bytes, same.clone());
        // Each record covers those before it but for a byte: every one of them leaves a piece.
        let mut nested = stream[..HEADER].to_vec();
        let steps = 4000;
        for i in (0..steps).rev() {
            nested.extend(record(
                i,
                2 * (steps - i),
                &vec![i as u8; 2 * (steps - i) as usize][..64.min(2 * (steps - i) as usize)],
            ));
        }
        case("records that promise more than they hold", nested, Expect::Ends);
        let mut stairs = stream[..HEADER].to_vec();
        for i in 0..3000 {
            stairs.extend(record(i, 64, &[i as u8; 64]));
        }
        stairs.extend_from_slice(records);
        stairs.extend_from_slice(end);
        case("records like stairs below the rest", stairs, same.clone());
        let ones: Vec<u8> = (0..30_000).flat_map(|i| record(i * 2 % 60_001, 1, &[0x5a])).collect();
        case(
            "30000 bytes one by one below the rest",
            [&stream[..HEADER], &ones, records, end].concat(),
            same,
        );
        // No end, at any place.
        for at in [
            HEADER + 16 + RECORD,
            HEADER + 17,
            HEADER + 10 * (16 + RECORD) + 7,
            stream.len() - END,
            stream.len() - 1,
        ] {
            case(&format!("cut to {at} bytes"), stream[..at].to_vec(), Expect::Ends);
        }
    }
}
