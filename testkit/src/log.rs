//! The kernel log in its three generations (`kernel/printk/printk_ringbuffer.h`; printk.c of 5.9; printk.c of 3.4).

use crate::{Bytes, Machine, Use};

/// How the kernel keeps its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Lockless ring buffer, 5.10 and later.
    Ringbuffer,
    /// Records of variable length in one buffer, 3.5 to 5.9.
    Records,
    /// Text in one buffer, before 3.5.
    Flat,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Time since boot, in nanoseconds.
    pub ts_nsec: u64,
    /// Level, 0 to 7.
    pub level: u8,
    /// Facility, 0 for the kernel.
    pub facility: u8,
    /// The caller's id: a task, or a CPU with bit 31.
    pub caller: u32,
    /// The message.
    pub text: String,
}

impl LogRecord {
    /// A message of the kernel at level 6.
    #[must_use]
    pub fn new(ts_nsec: u64, text: &str) -> Self {
        Self { ts_nsec, level: 6, facility: 0, caller: 1, text: text.to_owned() }
    }

    /// `count` numbered messages of different lengths, some of several lines, some empty.
    #[must_use]
    pub fn sample(count: usize) -> Vec<Self> {
        (0..count)
            .map(|i| {
                let text = match i % 10 {
                    3 => String::new(),
                    7 => format!("first line of {i}\nsecond line"),
                    _ => format!("message {i} {}", "x".repeat(i * 7 % 90)),
                };
                Self::new(i as u64 * 1_234_567_891, &text)
            })
            .collect()
    }

    /// As vmcore-dmesg prints it.
    fn printed(&self) -> String {
        let (seconds, micros) = (self.ts_nsec / 1_000_000_000, self.ts_nsec / 1000 % 1_000_000);
        format!("[{seconds:5}.{micros:06}] {}\n", self.text)
    }
}

/// Lays out the log, if the machine has one: its bytes, its keys, its expected text.
pub(crate) fn lay_out(m: &mut Machine) {
    let Some((generation, records)) = m.spec.log.clone() else { return };
    let kept = match generation {
        Generation::Ringbuffer => ringbuffer(m, &records),
        Generation::Records => variable_records(m, &records),
        Generation::Flat => {
            flat(m, &records);
            return;
        }
    };
    m.log_text = Some(kept.iter().map(LogRecord::printed).collect());
}

fn offsets(m: &mut Machine, of: &str, size: usize, fields: &[(&str, usize)]) {
    m.keys.push(format!("SIZE({of})={size}"));
    for (name, at) in fields {
        m.keys.push(format!("OFFSET({of}.{name})={at}"));
    }
}

fn pages_for(m: &mut Machine, bytes: u64) -> u64 {
    m.alloc(bytes.div_ceil(m.spec.page_size), 1, Use::Kernel)
}

const COUNT_BITS: u32 = 6;
const SIZE_BITS: u32 = 12;

/// 64 descriptors and 4 KiB of text: old messages are overwritten. Answers the messages that are left.
fn ringbuffer(m: &mut Machine, records: &[LogRecord]) -> Vec<LogRecord> {
    let wide = m.spec.arch.wide();
    let word = if wide { 8usize } else { 4 };
    let (count, size) = (1u64 << COUNT_BITS, 1u64 << SIZE_BITS);
    let state_shift = word as u32 * 8 - 2;
    let id_mask = (1u64 << state_shift) - 1;
    let lpos_mask = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let text_at = pages_for(m, size);
    let (desc_size, info_size) = (3 * word as u64, 88u64);
    let descs_at = pages_for(m, count * desc_size);
    let infos_at = pages_for(m, count * info_size);

    // Ids and positions start just below their wrap, as the kernel's own do.
    let mut id = 0u64.wrapping_sub(count + 1) & id_mask;
    let mut head_lpos = 0u64.wrapping_sub(size) & lpos_mask;
    // The first descriptor stands for none: reusable from the start.
    let first_id = id;
    m.poke_word(descs_at + id % count * desc_size, 3 << state_shift | id);
    let mut live: Vec<(u64, u64, usize)> = Vec::new();
    for (seq, record) in records.iter().enumerate() {
        id = id.wrapping_add(1) & id_mask;
        let (begin, next) = if record.text.is_empty() {
            // An empty line has no block: both positions are EMPTY_LINE_LPOS.
            (3, 3)
        } else {
            let len = (word + record.text.len()).next_multiple_of(word) as u64;
            let begin = head_lpos;
            let mut next = begin.wrapping_add(len) & lpos_mask;
            let mut data_at = begin % size;
            if begin / size != next / size {
                // The block does not fit before the end: its id stays there, its data starts over.
                m.poke_word(text_at + data_at, id);
                next = next / size * size + len;
                data_at = 0;
            }
            let mut block = m.bytes();
            block.word(id).raw(record.text.as_bytes());
            m.poke(text_at + data_at, &block.bytes);
            head_lpos = next;
            (begin, next)
        };
        live.push((id, begin, seq));
        let slot = id % count;
        // Every other message is finalized (2), the rest only committed (1).
        let state = if seq % 2 == 0 || seq + 1 < records.len() { 2 } else { 1 };
        let mut desc = m.bytes();
        desc.word(state << state_shift | id).word(begin).word(next);
        m.poke(descs_at + slot * desc_size, &desc.bytes);
        let mut info = m.bytes();
        info.u64(seq as u64).u64(record.ts_nsec).u16(record.text.len() as u16).u8(record.facility);
        // flags:5, level:3: the compiler fills bit fields from the low end, or from the high end on big-endian.
        info.u8(if m.spec.arch.big() { record.level } else { record.level << 5 });
        info.u32(record.caller).raw(b"pci\0\0\0\0\0\0\0\0\0\0\0\0\0");
        info.pad_to(info_size as usize);
        m.poke(infos_at + slot * info_size, &info.bytes);
    }
    // What the text ring no longer holds was made reusable first, oldest first.
    let mut kept_from = records.len().saturating_sub(count as usize);
    while live[kept_from..]
        .iter()
        .any(|(_, begin, _)| *begin != 3 && head_lpos.wrapping_sub(*begin) & lpos_mask > size)
    {
        let (old, _, _) = live[kept_from];
        m.poke_word(descs_at + old % count * desc_size, 3 << state_shift | old);
        kept_from += 1;
    }
    let tail_lpos = live[kept_from..].iter().find(|(_, b, _)| *b != 3).map_or(head_lpos, |(_, b, _)| *b);
    // The tail names the oldest descriptor, reusable or not.
    let tail_id =
        if records.len() < count as usize { first_id } else { id.wrapping_sub(count - 1) & id_mask };

    let ring = printk_ringbuffer(m, wide, [descs_at, infos_at, text_at], [id, tail_id, head_lpos, tail_lpos]);
    let at = m.symbol_at("printk_rb_static", ring.len() as u64);
    m.poke(at, &ring.bytes);
    let pointer = m.symbol_at("prb", word as u64);
    let virt = m.symbols["printk_rb_static"];
    m.poke_word(pointer, virt);
    ringbuffer_keys(m, wide);
    records[kept_from..].to_vec()
}

fn printk_ringbuffer(m: &Machine, wide: bool, at: [u64; 3], ids: [u64; 4]) -> Bytes {
    let mut ring = m.bytes();
    let word = if wide { 8 } else { 4 };
    ring.u32(COUNT_BITS).align(word).word(m.linear(at[0])).word(m.linear(at[1]));
    ring.word(ids[0]).word(ids[1]).word(0);
    ring.u32(SIZE_BITS).align(word).word(m.linear(at[2])).word(ids[2]).word(ids[3]);
    ring.word(0);
    ring
}

fn ringbuffer_keys(m: &mut Machine, wide: bool) {
    let w = if wide { 8 } else { 4 };
    for symbol in ["prb", "printk_rb_static"] {
        let line = format!("SYMBOL({symbol})={:x}", m.symbols[symbol]);
        m.keys.push(line);
    }
    let (desc_ring, data_ring) = (6 * w, 4 * w);
    offsets(
        m,
        "printk_ringbuffer",
        desc_ring + data_ring + w,
        &[("desc_ring", 0), ("text_data_ring", desc_ring), ("fail", desc_ring + data_ring)],
    );
    offsets(
        m,
        "prb_desc_ring",
        desc_ring,
        &[("count_bits", 0), ("descs", w), ("infos", 2 * w), ("head_id", 3 * w), ("tail_id", 4 * w)],
    );
    offsets(m, "prb_desc", 3 * w, &[("state_var", 0), ("text_blk_lpos", w)]);
    offsets(m, "prb_data_blk_lpos", 2 * w, &[("begin", 0), ("next", w)]);
    offsets(
        m,
        "printk_info",
        88,
        &[("seq", 0), ("ts_nsec", 8), ("text_len", 16), ("caller_id", 20), ("dev_info", 24)],
    );
    offsets(m, "dev_printk_info", 64, &[("subsystem", 0), ("device", 16)]);
    m.keys.push("LENGTH(printk_info_subsystem)=16".to_owned());
    m.keys.push("LENGTH(printk_info_device)=48".to_owned());
    offsets(
        m,
        "prb_data_ring",
        data_ring,
        &[("size_bits", 0), ("data", w), ("head_lpos", 2 * w), ("tail_lpos", 3 * w)],
    );
    offsets(m, "atomic_long_t", w, &[("counter", 0)]);
    offsets(m, "latched_seq", 24, &[("val", 8)]);
}

/// A buffer of 4 KiB; a record of length 0 sends the reader back to its start. Answers the messages that are left.
fn variable_records(m: &mut Machine, records: &[LogRecord]) -> Vec<LogRecord> {
    const LEN: usize = 4096;
    let word = if m.spec.arch.wide() { 8 } else { 4 };
    let buffer = pages_for(m, LEN as u64);
    let mut next = 0usize;
    let mut live: Vec<(usize, usize)> = Vec::new();
    for record in records {
        // struct printk_log: ts_nsec, len, text_len, dict_len, facility, flags:5 level:3, text, dict.
        let dict = b"SUBSYSTEM=pci\0DEVICE=+pci:0000";
        let len = (16 + record.text.len() + dict.len()).next_multiple_of(8);
        if next + len + 16 > LEN {
            live.retain(|(at, _)| *at < next);
            m.poke(buffer + next as u64, &[0; 16]);
            next = 0;
        }
        live.retain(|(at, size)| *at + *size <= next || *at >= next + len + 16);
        let mut out = m.bytes();
        out.u64(record.ts_nsec).u16(len as u16).u16(record.text.len() as u16).u16(dict.len() as u16);
        out.u8(record.facility);
        out.u8(if m.spec.arch.big() { record.level } else { record.level << 5 });
        out.raw(record.text.as_bytes()).raw(dict).pad_to(len);
        m.poke(buffer + next as u64, &out.bytes);
        live.push((next, len));
        next += len;
    }
    let first = live.first().map_or(next, |(at, _)| *at);
    for (name, value, wide) in [
        ("log_buf", m.linear(buffer), true),
        ("log_buf_len", LEN as u64, false),
        ("log_first_idx", first as u64, false),
        ("clear_idx", 0, false),
        ("log_next_idx", next as u64, false),
    ] {
        number_symbol(m, name, value, if wide { word } else { 4 });
    }
    offsets(m, "printk_log", 16, &[("ts_nsec", 0), ("len", 8), ("text_len", 10), ("dict_len", 12)]);
    records[records.len() - live.len()..].to_vec()
}

fn number_symbol(m: &mut Machine, name: &str, value: u64, size: u64) {
    let at = m.symbol_at(name, size);
    if size == 4 {
        let mut out = m.bytes();
        out.u32(value as u32);
        m.poke(at, &out.bytes);
    } else {
        m.poke_word(at, value);
    }
    let line = format!("SYMBOL({name})={:x}", m.symbols[name]);
    m.keys.push(line);
}

/// A buffer of 4 KiB that wraps in the middle of a line.
fn flat(m: &mut Machine, records: &[LogRecord]) {
    const LEN: usize = 4096;
    let text: String = records.iter().map(|r| format!("<{}>{}", r.level, r.printed())).collect();
    let buffer = pages_for(m, LEN as u64);
    let bytes = text.as_bytes();
    let kept = &bytes[bytes.len().saturating_sub(LEN)..];
    let start = bytes.len() - kept.len();
    for (i, byte) in kept.iter().enumerate() {
        m.poke(buffer + ((start + i) % LEN) as u64, &[*byte]);
    }
    let word = if m.spec.arch.wide() { 8 } else { 4 };
    number_symbol(m, "log_buf", m.linear(buffer), word);
    number_symbol(m, "log_end", bytes.len() as u64, 4);
    number_symbol(m, "log_buf_len", LEN as u64, 4);
    number_symbol(m, "logged_chars", kept.len() as u64, 4);
    m.log_text = Some(String::from_utf8_lossy(kept).into_owned());
}
