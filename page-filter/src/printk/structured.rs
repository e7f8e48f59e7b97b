//! The log as records of variable length in one ring (3.5 to 5.9).

use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::key::Key;
use super::record::{Generation, LogError, Record, Tally};
use super::words::Words;

/// Where the fields of `struct printk_log` stand, in bytes.
struct Fields {
    size: u64,
    ts_nsec: u64,
    len: u64,
    text_len: u64,
    caller_id: Option<u64>,
}

impl Fields {
    fn find(info: &VmcoreInfo<'_>) -> Result<Self, LogError> {
        let fields = Self {
            size: Key::LogSize.require(info)?,
            ts_nsec: Key::LogTsNsec.require(info)?,
            len: Key::LogLen.require(info)?,
            text_len: Key::LogTextLen.require(info)?,
            caller_id: Key::LogCallerId.find(info),
        };
        // A record of no size would never end the walk.
        let last_field = fields.ts_nsec.max(fields.len).max(fields.text_len);
        if fields.size > last_field { Ok(fields) } else { Err(LogError::Corrupt { key: Key::LogSize }) }
    }
}

/// Visits the records from `log_first_idx` up to `log_next_idx`. The index only grows, but for one step back to 0 at
/// the end of the ring.
pub(super) fn walk(
    info: &VmcoreInfo<'_>,
    words: &mut Words<'_, '_>,
    text: &mut [u8],
    visit: &mut dyn FnMut(&Record<'_>),
) -> Result<Tally, LogError> {
    let fields = Fields::find(info)?;
    let log_buf = words.long(Key::LogBuf.require(info)?, 0)?;
    let log_buf_len = u64::from(words.u32(Key::LogBufLen.require(info)?, 0)?);
    let first = u64::from(words.u32(Key::LogFirstIdx.require(info)?, 0)?);
    let next = u64::from(words.u32(Key::LogNextIdx.require(info)?, 0)?);
    for (key, index) in [(Key::LogFirstIdx, first), (Key::LogNextIdx, next)] {
        if index > log_buf_len {
            return Err(LogError::Corrupt { key });
        }
    }
    let mut tally = Tally::new(Generation::Structured);
    let mut index = first;
    let mut wrapped = first < next;
    while index != next {
        let end = if wrapped { next } else { log_buf_len };
        let at = log_buf.checked_add(index).ok_or(LogError::Corrupt { key: Key::LogBuf })?;
        // `len` is the first thing that a wrap marker needs; the rest of it may stand outside the ring.
        let len = match index.checked_add(fields.size) {
            Some(body) if body <= end => u64::from(words.u16(at, fields.len)?),
            _ if wrapped => return Err(LogError::Corrupt { key: Key::LogLen }),
            _ => 0,
        };
        if len == 0 {
            if wrapped {
                return Err(LogError::Corrupt { key: Key::LogLen });
            }
            wrapped = true;
            index = 0;
            continue;
        }
        if len < fields.size || len > end.saturating_sub(index) {
            return Err(LogError::Corrupt { key: Key::LogLen });
        }
        match read_record(&fields, words, at, len, text) {
            Ok(record) => {
                visit(&record);
                tally.count_record();
            }
            Err(_) => tally.count_lost(),
        }
        index = index.saturating_add(len);
    }
    Ok(tally)
}

fn read_record<'t>(
    fields: &Fields,
    words: &mut Words<'_, '_>,
    at: u64,
    len: u64,
    text: &'t mut [u8],
) -> Result<Record<'t>, LogError> {
    let ts_nsec = words.u64(at, fields.ts_nsec)?;
    let text_len = u64::from(words.u16(at, fields.text_len)?).min(len.saturating_sub(fields.size));
    let caller_id = fields.caller_id.and_then(|offset| words.u32(at, offset).ok());
    let wanted = usize::try_from(text_len).unwrap_or(usize::MAX);
    let cut = wanted > text.len();
    let text = text.get_mut(..wanted.min(text.len())).unwrap_or_default();
    words.bytes(at, fields.size, text)?;
    Ok(Record { seq: None, ts_nsec: Some(ts_nsec), caller_id, text, cut })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use vmcore_format::Layout;

    use super::super::testing::{BASE, Machine};
    use super::*;

    const RING: usize = 0x100;
    const RING_LEN: u32 = 0x80;

    fn info(name: &str) -> String {
        format!(
            "SYMBOL(log_buf)={:x}\nSYMBOL(log_buf_len)={:x}\nSYMBOL(log_first_idx)={:x}\nSYMBOL(log_next_idx)={:x}\n\
             SIZE({name})=16\nOFFSET({name}.ts_nsec)=0\nOFFSET({name}.len)=8\nOFFSET({name}.text_len)=10\n",
            BASE,
            BASE + 8,
            BASE + 12,
            BASE + 16
        )
    }

    fn record(ts_nsec: u64, text: &[u8], dict: &[u8]) -> Vec<u8> {
        let len = (16 + text.len() + dict.len()).next_multiple_of(4);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&ts_nsec.to_le_bytes());
        for half in [len, text.len(), dict.len(), 0xc300] {
            bytes.extend_from_slice(&u16::try_from(half).unwrap().to_le_bytes());
        }
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(dict);
        bytes.resize(len, 0);
        bytes
    }

    fn machine(name: &str, first: u32, next: u32) -> Machine {
        let mut machine = Machine::new(Layout::LE64, &info(name));
        machine.put(0, &(BASE + 0x100).to_le_bytes());
        machine.put(8, &RING_LEN.to_le_bytes());
        machine.put(12, &first.to_le_bytes());
        machine.put(16, &next.to_le_bytes());
        machine
    }

    /// Three records from index 60 on; the last does not fit in the rest of the ring and stands at its start.
    fn wrapped() -> Machine {
        let mut machine = machine("printk_log", 60, 24);
        machine.put(RING, &record(3_000_000_000, b"third", b""));
        machine.put(RING + 24, &[0xee; 36]);
        machine.put(RING + 60, &record(1_000_001_999, b"first", b""));
        machine.put(RING + 84, &record(2_000_000_000, b"2nd", b"KEY=v"));
        machine.put(RING + 108, &[0; 20]);
        machine
    }

    #[test]
    fn records_are_read_across_the_wrap() {
        let (log, tally) = wrapped().log();
        assert_eq!(log, b"[    1.000001] first\n[    2.000000] 2nd\n[    3.000000] third\n");
        assert_eq!(tally, Ok(Tally { generation: Generation::Structured, records: 3, lost: 0 }));
    }

    #[test]
    fn the_older_name_of_the_record_is_known() {
        let mut machine = machine("log", 0, 20);
        machine.put(RING, &record(0, b"old", b""));
        assert_eq!(machine.log().0, b"[    0.000000] old\n");
    }

    #[test]
    fn the_caller_is_read_where_the_kernel_says_so() {
        let mut machine = wrapped();
        machine.info.push_str("OFFSET(printk_log.caller_id)=12\n");
        let mut callers = Vec::new();
        machine.visit(64, |record| callers.push(record.caller_id)).unwrap();
        assert_eq!(callers, [Some(0xc300_0000), Some(0xc300_0005), Some(0xc300_0000)]);
    }

    #[test]
    fn an_empty_ring_has_no_records() {
        assert_eq!(machine("printk_log", 40, 40).log().1.unwrap().records, 0);
    }

    #[test]
    fn a_long_text_is_cut_to_the_buffer() {
        wrapped()
            .visit(3, |record| assert_eq!((record.text.len(), record.cut), (3, record.text != b"2nd")))
            .unwrap();
    }

    #[test]
    fn a_ring_without_end_is_corrupt() {
        // Nothing but zeros: the marker of the wrap again and again.
        let corrupt = Err(LogError::Corrupt { key: Key::LogLen });
        assert_eq!(machine("printk_log", 64, 32).log().1, corrupt);
        let mut shorter_than_itself = machine("printk_log", 0, 64);
        shorter_than_itself.put(RING + 8, &[15, 0]);
        assert_eq!(shorter_than_itself.log().1, corrupt);
        let mut past_the_end = machine("printk_log", 0, 64);
        past_the_end.put(RING + 8, &[68, 0]);
        assert_eq!(past_the_end.log().1, corrupt);
        assert_eq!(machine("printk_log", 0, 0x81).log().1, Err(LogError::Corrupt { key: Key::LogNextIdx }));
        let mut sizeless = wrapped();
        sizeless.info = sizeless.info.replace("SIZE(printk_log)=16", "SIZE(printk_log)=0");
        assert_eq!(sizeless.log().1, Err(LogError::Corrupt { key: Key::LogSize }));
    }

    #[test]
    fn damage_ends_quietly() {
        wrapped().survive_damage(0..RING + 0x80);
    }
}
