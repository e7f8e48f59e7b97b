//! Flattened streams: read in place, rearranged, and written.

use testkit::{FlattenOptions, Random, flatten};
use vmcore_format::flattened::{Extent, Flattened, Rearrange, Writer, is_flattened};
use vmcore_format::{ReadAt, WriteAt};

use crate::files::Out;
use crate::input::Input;

/// The header is given; it says nothing but that the stream is one.
const HEADER_LEN: usize = 4096;
/// The longest file that is compared.
const FILE: usize = 1 << 14;

/// The first byte: 0, the rest is a stream without its header; 1, with it; else a list of writes to make a stream of.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() {
        0 => {
            let mut stream = flatten(&[], &FlattenOptions { end: false, ..FlattenOptions::default() });
            assert_eq!(stream.len(), HEADER_LEN);
            stream.extend_from_slice(input.rest());
            read(&stream);
        }
        1 => read(input.rest()),
        _ => write(&mut input),
    }
}

fn read(stream: &[u8]) {
    let known = is_flattened(&stream);
    let mut table = [Extent::EMPTY; 200];
    let Ok(flat) = Flattened::open(&stream, &mut table) else { return };
    assert!(known);
    let extents = flat.extents();
    assert!(extents.windows(2).all(|pair| pair[0].range().end <= pair[1].range().start));
    assert!(extents.iter().all(|extent| !extent.range().is_empty()));

    let mut out = Out::new(FILE);
    let mut rearrange = Rearrange::new(&flat);
    let mut whole = false;
    for _ in 0..500 {
        match rearrange.step(&mut out, &mut [0; 777]) {
            Ok(true) => {
                whole = true;
                break;
            }
            Ok(false) => {}
            Err(_) => break,
        }
    }
    let mut buf = [0; 64];
    for extent in extents.iter().take(50) {
        for at in [extent.range().start, extent.range().end.wrapping_sub(32), extent.range().end] {
            let read = flat.read_at(at, &mut buf);
            let end = at.checked_add(64).filter(|end| *end <= out.bytes.len() as u64);
            if let (true, Ok(()), Some(end)) = (whole, read, end) {
                assert_eq!(buf, out.bytes[at as usize..end as usize], "{at:#x}");
            }
        }
    }
    let _far = (flat.read_at(u64::MAX, &mut buf), flat.read_at(i64::MAX as u64, &mut buf), flat.size());
}

/// What is written in any order reads back as if it had been written to a file.
fn write(input: &mut Input<'_>) {
    let mut file: Vec<u8> = Vec::new();
    let mut writer = Writer::new(Out::new(1 << 20)).expect("there is room for the header");
    for _ in 0..60 {
        if input.is_empty() {
            break;
        }
        let (at, len, byte) = (input.below(FILE / 2), input.below(3000), input.u8());
        let bytes: Vec<u8> = (0..len).map(|i| byte.wrapping_add(i as u8)).collect();
        writer.write_at(at as u64, &bytes).expect("there is room");
        if len > 0 {
            file.resize(file.len().max(at + len), 0);
            file[at..at + len].copy_from_slice(&bytes);
        }
    }
    let len = writer.stream_len();
    let mut stream = writer.finish().expect("there is room").bytes;
    assert!(stream.len() as u64 >= len);
    let mut table = [Extent::EMPTY; 400];
    {
        let stream = stream.as_slice();
        let flat = Flattened::open(&stream, &mut table).expect("it was written by us");
        assert!(flat.complete());
        let mut back = vec![0xaa; file.len()];
        flat.read_at(0, &mut back).expect("all of it is there");
        assert!(back == file);
    }
    // Cut anywhere, it opens or is refused.
    stream.truncate(input.below(stream.len() + 1));
    read(&stream);
}

/// Small files cut in records of several sizes, in order and not.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut random = Random::new(1);
    let file: Vec<u8> = (0..2000).map(|i| if i % 500 < 200 { 0 } else { random.below(256) as u8 }).collect();
    let mut seeds = Vec::new();
    for bits in 0..16 {
        let stream = flatten(
            &file,
            &FlattenOptions {
                record: if bits & 1 == 0 { 100 } else { 700 },
                shuffled: bits & 2 != 0,
                stale: bits & 4 != 0,
                gaps: bits & 8 != 0,
                end: bits != 5,
            },
        );
        seeds.push([&[0], &stream[HEADER_LEN..]].concat());
        if bits == 0 {
            seeds.push([&[1], stream.as_slice()].concat());
        }
    }
    seeds.push((0..200).map(|i| (i * 37 + 2) as u8).collect());
    seeds
}
