//! The log as plain text in one ring (before 3.5).

use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::key::Key;
use super::record::{Generation, LogError, Record, Tally};
use super::words::Words;

/// Visits the last `min(log_end, log_buf_len)` bytes of the ring, which end at `log_end % log_buf_len`.
pub(super) fn walk(
    info: &VmcoreInfo<'_>,
    words: &mut Words<'_, '_>,
    text: &mut [u8],
    visit: &mut dyn FnMut(&Record<'_>),
) -> Result<Tally, LogError> {
    let log_end = u64::from(words.u32(Key::LogEnd.require(info)?, 0)?);
    let log_buf = words.long(Key::LogBuf.require(info)?, 0)?;
    let log_buf_len = u64::from(words.u32(Key::LogBufLen.require(info)?, 0)?);
    // The kernel indexes with a mask (LOG_BUF(idx), kernel/printk.c, 3.4).
    if !log_buf_len.is_power_of_two() {
        return Err(LogError::Corrupt { key: Key::LogBufLen });
    }
    let end = log_end & log_buf_len.wrapping_sub(1);
    let mut tally = Tally::new(Generation::Flat);
    let older = if log_end >= log_buf_len { end..log_buf_len } else { 0..0 };
    for run in [older, 0..end] {
        let mut at = run.start;
        while at < run.end {
            let left = run.end.saturating_sub(at);
            let len = text.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let Some(piece) = text.get_mut(..len).filter(|piece| !piece.is_empty()) else { return Ok(tally) };
            match words.bytes(log_buf, at, piece) {
                Ok(()) => {
                    visit(&Record { seq: None, ts_nsec: None, caller_id: None, text: piece, cut: false });
                    tally.count_record();
                }
                Err(_) => tally.count_lost(),
            }
            at = at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use vmcore_format::Layout;

    use super::super::testing::{BASE, Machine};
    use super::*;

    fn machine(text: &[u8], log_end: u32, log_buf_len: u32) -> Machine {
        let info = format!(
            "SYMBOL(log_buf)={:x}\nSYMBOL(log_buf_len)={:x}\nSYMBOL(log_end)={:x}\nSYMBOL(logged_chars)={:x}\n",
            BASE,
            BASE + 4,
            BASE + 8,
            BASE + 12
        );
        let mut machine = Machine::new(Layout::BE32, &info);
        machine.put(4, &log_buf_len.to_be_bytes());
        machine.put(8, &log_end.to_be_bytes());
        machine.put(0x100, text);
        machine
    }

    fn machine_64(text: &[u8], log_end: u32, log_buf_len: u32) -> Machine {
        let mut machine = machine(text, log_end, log_buf_len);
        machine.layout = Layout::BE64;
        machine.info = machine.info.replace(&format!("{BASE:x}"), &format!("{:x}", BASE + 0x10));
        machine.put(0x10, &(BASE + 0x100).to_be_bytes());
        machine
    }

    #[test]
    fn a_ring_that_never_wrapped_is_read_from_its_start() {
        let (log, tally) = machine_64(b"<4>one\n\x01\x80\nno end", 16, 64).log();
        assert_eq!(log, b"<4>one\n\x01\x80\nno end");
        assert_eq!(tally.unwrap().generation, Generation::Flat);
    }

    #[test]
    fn a_ring_that_wrapped_is_read_from_its_oldest_byte() {
        let (log, tally) = machine_64(b"0123456789abcdef", 16 * 3 + 7, 16).log();
        assert_eq!(log, b"789abcdef0123456");
        assert_eq!(tally.unwrap().records, 2);
        assert_eq!(machine_64(b"0123456789abcdef", 16, 16).log().0, b"0123456789abcdef");
    }

    #[test]
    fn text_comes_in_pieces_of_the_callers_buffer() {
        let mut pieces = 0;
        let machine = machine_64(b"0123456789abcdef", 10, 16);
        machine
            .visit(4, |piece| {
                pieces += 1;
                assert!(piece.text.len() <= 4);
            })
            .unwrap();
        assert_eq!(pieces, 3);
        assert_eq!(machine.visit(0, |_| panic!("no room")).unwrap().records, 0);
    }

    #[test]
    fn a_length_that_no_kernel_has_is_corrupt() {
        for len in [0, 3, u32::MAX] {
            assert_eq!(
                machine_64(b"", 1, len).log().1,
                Err(LogError::Corrupt { key: Key::LogBufLen }),
                "{len}"
            );
        }
    }

    #[test]
    fn damage_ends_quietly() {
        machine_64(b"0123456789abcdef", 16 * 3 + 7, 16).survive_damage(0..0x18);
        machine(b"0123456789abcdef", 16 * 3 + 7, 16).survive_damage(0..0x18);
    }
}
