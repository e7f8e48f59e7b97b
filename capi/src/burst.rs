//! When to load a crash kernel again where the running kernel does not keep its elfcorehdr up to date: once for all the
//! CPUs and memory blocks that come and go together, and not while they do.

use kexec_core::burst::Burst;

use crate::error::{answer, kcap_error};
use crate::ptr;
use crate::status::kcap_status;

/// Events that end in one load. It has no clock and waits for nothing: the caller says when an event came, and asks when the
/// load is due. All times count the caller's unit from the caller's zero, and do not go back.
///
/// Set `quiet` and `longest`, and the rest to 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct kcap_burst {
    /// The burst ends when no event came for so long,
    pub quiet: u64,
    /// at the latest so long after its first event.
    pub longest: u64,
    /// When the first event came.
    pub first: u64,
    /// When the last event came.
    pub last: u64,
    /// The number of events; 0: there is no burst.
    pub count: u64,
}

impl kcap_burst {
    fn burst(self) -> Burst {
        let mut burst = Burst::new(self.quiet, self.longest);
        if self.count > 0 {
            burst.event(self.first);
            burst.event(self.last);
        }
        burst
    }
}

/// An event came at `now`, or may have been missed.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_burst_event(
    burst: *mut kcap_burst,
    now: u64,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let burst = ptr::get_mut(burst)?;
        (burst.first, burst.last) =
            if burst.count == 0 { (now, now) } else { (burst.first, burst.last.max(now)) };
        burst.count = burst.count.saturating_add(1);
        Ok(())
    })
}

/// Writes the time at which to load to `due`; `UINT64_MAX` where no event came.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_burst_due(
    burst: *const kcap_burst,
    due: *mut u64,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(due)?;
        place.put(ptr::get(burst)?.burst().due().unwrap_or(u64::MAX));
        Ok(())
    })
}

/// Writes to `ends` whether the load is due at `now`: 1 or 0. If so the burst has ended, and the next event begins another one.
///
/// Errors: `KCAP_ERR_NULL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kcap_burst_ends(
    burst: *mut kcap_burst,
    now: u64,
    ends: *mut u32,
    error: *mut kcap_error,
) -> kcap_status {
    answer(error, || {
        let place = ptr::out(ends)?;
        let burst = ptr::get_mut(burst)?;
        let has_ended = burst.burst().ends(now);
        if has_ended {
            burst.count = 0;
        }
        place.put(has_ended.into());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::undocumented_unsafe_blocks, reason = "pointers to values here, or NULL")]

    use core::ptr::{null, null_mut};

    use super::*;
    use crate::status::{KCAP_ERR_NULL, KCAP_OK};

    fn due(burst: &kcap_burst) -> u64 {
        let mut due = 0;
        assert_eq!(unsafe { kcap_burst_due(burst, &raw mut due, null_mut()) }, KCAP_OK);
        due
    }

    fn ends(burst: &mut kcap_burst, now: u64) -> u32 {
        let mut ends = 7;
        assert_eq!(unsafe { kcap_burst_ends(burst, now, &raw mut ends, null_mut()) }, KCAP_OK);
        ends
    }

    #[test]
    fn events_end_in_one_load() {
        let mut burst = kcap_burst { quiet: 20, longest: 30, ..kcap_burst::default() };
        assert_eq!((due(&burst), ends(&mut burst, 1000)), (u64::MAX, 0));
        for (now, at) in [(100, 120), (105, 125), (115, 130)] {
            assert_eq!(unsafe { kcap_burst_event(&raw mut burst, now, null_mut()) }, KCAP_OK);
            assert_eq!(due(&burst), at);
        }
        assert_eq!((burst.count, ends(&mut burst, 129), ends(&mut burst, 130)), (3, 0, 1));
        assert_eq!((due(&burst), ends(&mut burst, 131)), (u64::MAX, 0));
    }

    #[test]
    fn null_is_refused() {
        let (mut burst, mut ends) = (kcap_burst::default(), 0);
        unsafe {
            assert_eq!(kcap_burst_event(null_mut(), 0, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_burst_due(null(), &raw mut burst.first, null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_burst_due(&raw const burst, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_burst_ends(&raw mut burst, 0, null_mut(), null_mut()), KCAP_ERR_NULL);
            assert_eq!(kcap_burst_ends(null_mut(), 0, &raw mut ends, null_mut()), KCAP_ERR_NULL);
        }
    }
}
