//! A finished dump looked at: every descriptor and every page.

use core::ffi::c_void;

use page_filter::codec::DecodeScratch;
use page_filter::verify::{Block, Flaw, Verifier};
use vmcore_format::kdump::Part;

use crate::error::{answer, kcap_error};
use crate::kdump::{INDEX, kcap_kdump};
use crate::memory::kcap_memory;
use crate::ptr::{self, Growing, Work, room};
use crate::status::{
    Failure, KCAP_END, KCAP_ERR_CORRUPT, KCAP_ERR_HOLE, KCAP_ERR_IO, KCAP_ERR_LOST, KCAP_ERR_NOT_FOUND,
    KCAP_ERR_OVERLAP, io, kcap_status,
};

/// Looks at every page of a dump, a few at a time. It writes nothing.
///
/// One thread at a time.
#[derive(Debug)]
pub struct kcap_verifier {
    verifier: Verifier<'static>,
}

/// The size of a `kcap_verifier`, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_verifier_size() -> usize {
    size_of::<kcap_verifier>()
}

/// What the address of a `kcap_verifier` must be a multiple of.
#[unsafe(no_mangle)]
pub extern "C" fn kcap_verifier_align() -> usize {
    align_of::<kcap_verifier>()
}

/// What a verifier of `kdump` needs besides its table of data: reader, decoder, two pages, index.
fn fixed(kdump: &kcap_kdump) -> usize {
    let pages = kdump.file.page_size().len().saturating_mul(2);
    let tables = room::<Part<'static>>(kdump.file.parts().len()).saturating_add(room::<DecodeScratch>(1));
    tables.saturating_add(pages).saturating_add(room::<u64>(INDEX))
}

/// The memory that `kcap_verifier_init_kdump` needs for `kdump`, in bytes, and 16 more for each of the `pages` pages whose data are
/// to be checked for overlaps with those of others; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_verifier_kdump_work(kdump: *const kcap_kdump, pages: usize) -> usize {
    ptr::get(kdump).map_or(0, |kdump| fixed(kdump).saturating_add(pages.saturating_mul(size_of::<Block>())))
}

/// A verifier of `kdump`, in the `verifier_len` bytes at `verifier`.
///
/// `work`, of `work_len` bytes (see `kcap_verifier_kdump_work`) and aligned to 8, and the inputs of `kdump` are used for as long as
/// the object is; `kdump` itself is not. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `verifier`, or for `work`), those of `kcap_kdump_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_verifier_init_kdump(
    verifier: *mut kcap_verifier,
    verifier_len: usize,
    kdump: *const kcap_kdump,
    work: *mut c_void,
    work_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(verifier, verifier_len)?;
        let kdump = ptr::get(kdump)?;
        let needed = fixed(kdump);
        let mut work = Work::new(work, work_len, needed)?;
        let count = work.left().saturating_sub(needed).checked_div(size_of::<Block>()).unwrap_or(0);
        let decode = work.one(DecodeScratch::new())?;
        let buffer = work.table(kdump.file.page_size().len().saturating_mul(2), 0_u8)?;
        let blocks = work.table(count, Block::default())?;
        let file = kdump.again(&mut work)?;
        place.put(kcap_verifier { verifier: Verifier::of_kdump(file, decode, buffer, blocks)? });
        Ok(())
    })
}

/// A verifier of any other memory, as that of an ELF core, in the `verifier_len` bytes at `verifier`: whether every page that
/// `memory` says it holds can be read. `truncated`, not 0: the input ends too early, and every known page is asked for; those that
/// were to be there are lost.
///
/// `page`, of `page_len` bytes, has room for one page. It and `memory`, by nothing else in the meantime, are used for as long as the
/// object is. `error` may be NULL.
///
/// Errors: `KCAP_ERR_BUFFER_TOO_SMALL` (bytes for `verifier`, or for `page`), `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_verifier_init(
    verifier: *mut kcap_verifier,
    verifier_len: usize,
    memory: *mut kcap_memory,
    truncated: u32,
    page: *mut u8,
    page_len: usize,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::object(verifier, verifier_len)?;
        let memory = ptr::get_mut(memory)?;
        let page = ptr::slice_mut(page, page_len)?;
        place.put(kcap_verifier { verifier: Verifier::of_memory(memory, truncated != 0, page)? });
        Ok(())
    })
}

/// Looks at some pages. `KCAP_END`: all were looked at. `error` may be NULL.
///
/// Errors: those of the table that says which pages there are, without which there is nothing to look at: `KCAP_ERR_CORRUPT`,
/// `KCAP_ERR_IO`; `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_verifier_step(
    verifier: *mut kcap_verifier,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let done = ptr::get_mut(verifier)?.verifier.step()?;
        if done { Err(KCAP_END.into()) } else { Ok(()) }
    })
}

/// What a verifier found so far. Set `size`. The dump is whole if `lost` and `damaged` are 0 and it is not marked as incomplete.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct kcap_verified {
    /// `sizeof(kcap_verified)`.
    pub size: usize,
    /// Pages that the dump is to hold.
    pub pages: u64,
    /// Those that are there and decode.
    pub right: u64,
    /// Those that are lost.
    pub lost: u64,
    /// Those that are there and are not right.
    pub damaged: u64,
    /// Those among the right ones whose data are another page's too.
    pub shared: u64,
    /// The page frame that comes next.
    pub next_pfn: u64,
}

// SAFETY: `repr(C)`, begins with a `usize`, holds nothing but integers.
unsafe impl Growing for kcap_verified {}

/// Writes what `verifier` found so far to `verified`.
///
/// Errors: `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_verifier_get_verified(
    verifier: *const kcap_verifier,
    verified: *mut kcap_verified,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let verifier = &ptr::get(verifier)?.verifier;
        let found = verifier.verified();
        ptr::out_growing(verified)?.put(&kcap_verified {
            size: 0,
            pages: found.pages,
            right: found.right,
            lost: found.lost,
            damaged: found.damaged,
            shared: found.shared,
            next_pfn: verifier.position().0,
        });
        Ok(())
    })
}

/// Flaws that a verifier names.
pub const KCAP_NAMED_FLAWS: usize = 64;
const _: () = assert!(KCAP_NAMED_FLAWS == page_filter::verify::NAMED_FLAWS);

/// Writes the page frame of flaw number `index`, of the first `KCAP_NAMED_FLAWS` of them and from 0, to `pfn`, and what is wrong to
/// `flaw`, each of which may be NULL: a status with what `kcap_error` says beside it. `KCAP_ERR_LOST`: the page is not there;
/// `KCAP_ERR_CORRUPT`: its descriptor is damaged (`field` names the member); `KCAP_ERR_OVERLAP`: its data share bytes with those of
/// another page and are not the same; `KCAP_ERR_HOLE`: the machine had no such page; `KCAP_ERR_PAGE_...`: its data do not decode;
/// `KCAP_ERR_IO`.
///
/// Errors: `KCAP_ERR_NOT_FOUND`, `KCAP_ERR_NULL`, `KCAP_ERR_LENGTH`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_verifier_get_flaw(
    verifier: *const kcap_verifier,
    index: usize,
    pfn: *mut u64,
    flaw: *mut kcap_error,
) -> kcap_status {
    answer(core::ptr::null_mut(), || {
        let flaws = &ptr::get(verifier)?.verifier.verified().flaws;
        let &(frame, found) = flaws.iter().flatten().nth(index).ok_or(KCAP_ERR_NOT_FOUND)?;
        let pfn = if pfn.is_null() { None } else { Some(ptr::out(pfn)?) };
        if !flaw.is_null() {
            ptr::out_growing(flaw)?;
            answer(flaw, || Err(failure(found)));
        }
        if let Some(place) = pfn {
            place.put(frame.0);
        }
        Ok(())
    })
}

fn failure(flaw: Flaw) -> Failure {
    match flaw {
        Flaw::Desc(field) => Failure { field: field.name(), ..KCAP_ERR_CORRUPT.into() },
        Flaw::Data(error) => error.into(),
        Flaw::Overlap => KCAP_ERR_OVERLAP.into(),
        Flaw::Unknown => KCAP_ERR_HOLE.into(),
        Flaw::Code(code) => io(KCAP_ERR_IO, code),
        _ => KCAP_ERR_LOST.into(),
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::null_mut;
    use std::vec::Vec;

    use testkit::kdump_of;

    use super::*;
    use crate::callback::kcap_read_at;
    use crate::kdump::{kcap_kdump_init, kcap_kdump_work};
    use crate::status::{KCAP_ERR_BUFFER_TOO_SMALL, KCAP_OK};
    use crate::testing::{Memory, Room, input, machine, sized};

    /// The counts and the first flaw of a file, of which the bytes at each of `holes` are set to zero.
    fn verify(holes: &[core::ops::Range<usize>]) -> ([u64; 4], Option<(u64, kcap_status)>, Vec<u8>) {
        let mut bytes = kdump_of(machine(), 31).to_vec();
        holes.iter().for_each(|hole| bytes[hole.clone()].fill(0));
        let inputs: [*const kcap_read_at; 1] = [input(bytes.clone())];
        let mut kdump = Room::<kcap_kdump>::new();
        let mut work = Memory::new(kcap_kdump_work(1));
        let mut verifier = Room::<kcap_verifier>::new();
        // SAFETY: all pointers are to what they say; sizes of structs are set first.
        unsafe {
            let len = Room::<kcap_kdump>::LEN;
            let opened =
                kcap_kdump_init(kdump.at(), len, inputs.as_ptr(), 1, 0, work.at(), work.len(), null_mut());
            assert_eq!(opened, KCAP_OK);
            let least = kcap_verifier_kdump_work(kdump.at(), 0);
            let mut tables = Memory::new(kcap_verifier_kdump_work(kdump.at(), 1 << 14));
            let mut init = |tables: *mut c_void, len: usize| {
                let room = Room::<kcap_verifier>::LEN;
                kcap_verifier_init_kdump(verifier.at(), room, kdump.at(), tables, len, null_mut())
            };
            assert_eq!(init(tables.at(), least - 8), KCAP_ERR_BUFFER_TOO_SMALL);
            assert_eq!(init(tables.at(), least), KCAP_OK);
            assert_eq!(init(tables.at(), tables.len()), KCAP_OK);
            let ended = core::iter::repeat_with(|| kcap_verifier_step(verifier.at(), null_mut()))
                .find(|&status| status != KCAP_OK);
            assert_eq!(ended, Some(KCAP_END));
            let mut found: kcap_verified = sized();
            assert_eq!(kcap_verifier_get_verified(verifier.at(), &raw mut found), KCAP_OK);
            let (mut pfn, mut flaw) = (0, sized::<kcap_error>());
            let named = kcap_verifier_get_flaw(verifier.at(), 0, &raw mut pfn, &raw mut flaw);
            let first = (named == KCAP_OK).then_some((pfn, flaw.status));
            assert_eq!(first.is_none(), named == KCAP_ERR_NOT_FOUND);
            ([found.pages, found.right, found.lost, found.damaged], first, bytes)
        }
    }

    #[test]
    fn a_dump_is_looked_at_page_by_page() {
        let (whole, none, bytes) = verify(&[]);
        assert_eq!((whole[1..].to_vec(), none), (Vec::from([whole[0], 0, 0]), None));
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let descs = (1 + word(432) + word(436)) * 4096;
        let (found, first, _) = verify(&[descs..descs + 24, descs + 56..descs + 60]);
        // Neither a descriptor without offset nor one without size has data.
        assert_eq!(found, [whole[0], whole[0] - 2, 2, 0]);
        assert_eq!(first.map(|(_, status)| status), Some(KCAP_ERR_LOST));
    }
}
