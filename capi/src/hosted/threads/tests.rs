//! A dump on threads is the dump of one thread.

use core::ptr::{null, null_mut};
use std::vec::Vec;

use super::*;
use crate::dump::kcap_dumper_step;
use crate::memory::kcap_memory_init_again;
use crate::status::*;
use crate::testing::{Room, Setup, input, output, vmcore};

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let vmcore = input(vmcore());
    let mut by_steps = Vec::new();
    // SAFETY: all pointers are to what they say, or NULL.
    unsafe {
        let mut setup = Setup::new(vmcore);
        let (mut dump, _work) = setup.dumper(31);
        let out = output(&mut by_steps);
        let memory = setup.memory.at();
        while kcap_dumper_step(dump.at(), memory, &raw const out, null_mut(), null_mut()) == KCAP_OK {}
        for count in [0, 1, 3] {
            let mut setup = Setup::new(vmcore);
            let (mut dump, _work) = setup.dumper(31);
            let (at, memory) = (dump.at(), setup.memory.at());
            let mut rooms: Vec<_> = (0..count).map(|_| Room::<kcap_memory>::new()).collect();
            let readers: Vec<_> = rooms.iter_mut().map(Room::at).collect();
            for &reader in &readers {
                let len = Room::<kcap_memory>::LEN;
                assert_eq!(kcap_memory_init_again(reader, len, memory, null_mut(), 0, null_mut()), KCAP_OK);
            }
            let mut by_threads = Vec::new();
            let out = output(&mut by_threads);
            let finish = |dumper, memory, readers, count, out| {
                kcap_dumper_finish_on_threads(dumper, memory, readers, count, out, null_mut())
            };
            let (list, to) = (readers.as_ptr(), &raw const out);
            assert_eq!(finish(null_mut(), memory, list, count, to), KCAP_ERR_NULL);
            assert_eq!(finish(at, null_mut(), list, count, to), KCAP_ERR_NULL);
            assert_eq!(finish(at, memory, null(), 1, to), KCAP_ERR_NULL);
            assert_eq!(finish(at, memory, [null_mut()].as_ptr(), 1, to), KCAP_ERR_NULL);
            assert_eq!(finish(at, memory, list, usize::MAX, to), KCAP_ERR_LENGTH);
            assert_eq!(finish(at, memory, list, count, null()), KCAP_ERR_NULL);
            assert_eq!(finish(at, memory, [memory].as_ptr(), 1, to), KCAP_ERR_INVALID);
            if let Some(&first) = readers.first() {
                assert_eq!(finish(at, memory, [first, first].as_ptr(), 2, to), KCAP_ERR_INVALID);
            }
            assert_eq!(finish(at, memory, list, count, to), KCAP_OK);
            assert!(by_threads == by_steps, "{count}");
        }
    }
    assert!(!by_steps.is_empty());
}
