//! What `std` brings and a freestanding library needs: where a panic goes, and a personality that is never asked.

use core::panic::PanicInfo;

unsafe extern "C" {
    fn abort() -> !;
    fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32;
}

/// The compiler asks for it where it compares for equality only; a program without C's library has `memcmp` and not this.
///
/// # Safety
/// As for `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, len: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { memcmp(one, other, len) }
}

/// No function of the library panics; if one did all the same, the program's own `abort` ends it.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: `abort` takes nothing and does not return.
    unsafe { abort() }
}

/// Named by the unwind tables that `core` was compiled with. Nothing unwinds: panics abort.
#[cfg(not(target_os = "none"))]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
