//! Every decoder over arbitrary bytes: what it accepts, the C library accepts, with the same bytes; and the other way round.

use std::cell::RefCell;

use page_filter::codec::{DecodeError, DecodeScratch, Lzo1x, PageCodec, Raw, Snappy, Zlib, Zstd};

use crate::c_libraries::{CLibraries, c_libraries};
use crate::input::Input;

type ByC = fn(&CLibraries, &[u8], &mut [u8]) -> Option<usize>;

/// The largest page tried; longer ones take more time and no other way through the code but for LZO's distances.
const PAGE: usize = 0x1_0000;

thread_local! {
    static ROOM: RefCell<(DecodeScratch, Vec<u8>, Vec<u8>)> =
        RefCell::new((DecodeScratch::new(), vec![0; PAGE], vec![0; PAGE + 1]));
}

/// The first byte: the codec, and whether the page is 4 KiB, or as long as the next two bytes say.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.u8();
    let len = if how & 8 == 0 { 4096 } else { usize::from(input.u16()) + 1 };
    let src = input.rest();
    let (codec, by_c): (&dyn PageCodec, ByC) = match how & 7 {
        0 | 5 => (&Zlib, CLibraries::zlib_decode),
        1 | 6 => (&Lzo1x, CLibraries::lzo_decode),
        2 => (&Snappy, CLibraries::snappy_decode),
        3 | 7 => (&Zstd, CLibraries::zstd_decode),
        _ => (&Raw, |_, src, out| {
            let room = out.get_mut(..src.len())?;
            room.copy_from_slice(src);
            Some(src.len())
        }),
    };
    ROOM.with_borrow_mut(|(scratch, ours, theirs)| {
        let ours = &mut ours[..len];
        let result = codec.decode(src, ours, scratch);
        let by_c = by_c(c_libraries(), src, &mut theirs[..len + 1]);
        match (result, by_c) {
            (Ok(()), Some(found)) => {
                assert!(found == len && *ours == theirs[..len], "{codec:?}: other bytes")
            }
            (Ok(()), None) => panic!("{codec:?}: accepted, which C refuses"),
            (Err(error), Some(found)) if found == len => {
                assert!(forgiven(how & 7, error), "{codec:?}: {error:?}")
            }
            (Err(_), _) => {}
        }
    });
}

/// libzstd forgives streams that end too early or too late, and reads several frames; RFC 8878 and this library do not.
fn forgiven(codec: u8, error: DecodeError) -> bool {
    matches!(codec, 3 | 7) || error == DecodeError::Unsupported
}

/// Pages that the C libraries and testkit packed.
pub fn seeds() -> Vec<Vec<u8>> {
    let c = c_libraries();
    let mut seeds = Vec::new();
    let pages = crate::encoders::pages();
    for page in &pages {
        let encoders: [(u8, ByC); 4] = [
            (0, CLibraries::zlib_encode),
            (1, CLibraries::lzo_encode),
            (2, CLibraries::snappy_encode),
            (3, CLibraries::zstd_encode),
        ];
        for (codec, encode) in encoders {
            let mut out = vec![0; 2 * page.len()];
            let len = encode(c, page, &mut out).expect("C packs any page");
            if len < 3000 {
                seeds.push([&[codec][..], &out[..len]].concat());
            }
        }
    }
    let short = &pages[0][..300];
    for (codec, packed) in
        [testkit::zlib(short), testkit::lzo(short), testkit::snappy(short), testkit::zstd(short)]
            .iter()
            .enumerate()
    {
        seeds.push([&[codec as u8 | 8, (299 & 0xff) as u8, 1][..], packed].concat());
    }
    seeds
}
