//! Memory for what the C functions read and write.

use std::alloc::{Layout, alloc, dealloc};

use crate::input::Input;

/// Blocks of memory, each exactly as long as asked for, until the end.
#[derive(Default)]
pub(super) struct Blocks(Vec<(*mut u8, Layout)>);

impl Blocks {
    pub(super) fn bytes(&mut self, len: usize) -> *mut u8 {
        let layout = Layout::from_size_align(len.max(1), 16).expect("a sound layout");
        // SAFETY: the size is not 0; all of the block is written before it is read.
        let block = unsafe {
            let block = alloc(layout);
            assert!(!block.is_null());
            block.write_bytes(0x5a, layout.size());
            block
        };
        self.0.push((block, layout));
        block
    }

    pub(super) fn copy(&mut self, bytes: &[u8]) -> *mut u8 {
        let block = self.bytes(bytes.len());
        // SAFETY: the block is as long, and new.
        unsafe { block.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        block
    }

    /// Place for an answer of a fixed layout, zeroed.
    pub(super) fn out<T>(&mut self) -> *mut T {
        let block = self.bytes(size_of::<T>());
        // SAFETY: it is as long.
        unsafe { block.write_bytes(0, size_of::<T>()) };
        block.cast()
    }

    /// A struct that may grow, of a size of the input's choice, the size at its front.
    pub(super) fn growing<T>(&mut self, input: &mut Input<'_>) -> *mut T {
        let size = match input.u8() {
            0..192 => size_of::<T>(),
            192..224 => usize::from(input.u8()),
            224..240 => size_of::<T>() + 16,
            _ => 8,
        };
        self.sized(size)
    }

    /// A struct that may grow, all else of it 0, of this size.
    pub(super) fn sized<T>(&mut self, size: usize) -> *mut T {
        let block = self.bytes(size.max(8));
        // SAFETY: it has room for its size.
        unsafe {
            block.write_bytes(0, size.max(8));
            block.cast::<usize>().write(size);
        }
        block.cast()
    }

    /// The struct at `from`, of its own size, in one of a size of the input's choice.
    ///
    /// # Safety
    ///
    /// `from` is a struct that may grow, whose first word may be anything.
    pub(super) unsafe fn resized<T>(&mut self, input: &mut Input<'_>, from: *const T) -> *mut T {
        let block = self.growing::<T>(input);
        // SAFETY: both have so many bytes; the size stays.
        unsafe {
            let size = block.cast::<usize>().read().min(size_of::<T>());
            let (from, to) = (from.cast::<u8>().add(8), block.cast::<u8>().add(8));
            to.copy_from_nonoverlapping(from, size.saturating_sub(8));
        }
        block
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for (block, layout) in self.0.drain(..) {
            // SAFETY: it was allocated so, and no object lives on.
            unsafe { dealloc(block, layout) };
        }
    }
}
