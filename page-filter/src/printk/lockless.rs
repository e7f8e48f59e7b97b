//! The log as a lockless ring buffer (5.10 and newer): a ring of descriptors, one info for each, a ring of text.
//!
//! Layout and states: `kernel/printk/printk_ringbuffer.h` and `.c`. A descriptor's id counts up modulo
//! 2^(word size - 2); its two top bits are the state. A logical position counts the bytes ever stored; modulo the
//! ring's size it is an index.

use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::key::Key;
use super::record::{Generation, LogError, Record, Tally};
use super::words::Words;

/// `LOG_BUF_LEN_MAX` is 2^31 bytes, and a descriptor stands for 2^5 of them (`PRB_AVGBITS`).
const MOST_COUNT_BITS: u32 = 26;
const MOST_SIZE_BITS: u32 = 31;

/// Where the fields of descriptors and infos stand, in bytes.
struct Fields {
    desc_size: u64,
    state_var: u64,
    begin: u64,
    next: u64,
    info_size: u64,
    seq: u64,
    ts_nsec: u64,
    text_len: u64,
    caller_id: Option<u64>,
}

/// The rings, as the kernel left them.
struct Rings {
    count_mask: u64,
    descs: u64,
    infos: u64,
    head_id: u64,
    tail_id: u64,
    /// The bits of a state word that are the id.
    id_mask: u64,
    data: u64,
    data_size: u64,
    /// The size of the id that precedes a text, an `unsigned long`, in bytes.
    block_head: u64,
    /// The bits of a logical position.
    lpos_mask: u64,
}

/// The state of a descriptor (`enum desc_state`).
enum State {
    /// Being written: its text is not complete.
    Reserved,
    /// Committed or finalized: the text is complete (as far as it was ever written, for a committed one).
    Readable,
    /// Free, or of another turn of the ring.
    Gone,
}

/// Where a record's text stands.
enum Block {
    /// In the text ring: index and length in bytes.
    At(u64, u64),
    /// An empty line: it needs no text.
    EmptyLine,
    /// There was no room for the text.
    Failed,
}

/// Visits the records from the tail descriptor to the head descriptor.
pub(super) fn walk(
    info: &VmcoreInfo<'_>,
    words: &mut Words<'_, '_>,
    text: &mut [u8],
    visit: &mut dyn FnMut(&Record<'_>),
) -> Result<Tally, LogError> {
    let fields = Fields::find(info)?;
    let rings = Rings::read(info, words)?;
    let mut tally = Tally::new(Generation::Lockless);
    // Texts do not overlap, so together they are no longer than their ring.
    let mut budget = rings.data_size;
    let steps = rings.head_id.wrapping_sub(rings.tail_id) & rings.id_mask;
    if steps > rings.count_mask {
        return Err(LogError::Corrupt { key: Key::DescRingTailId });
    }
    for step in 0..=steps {
        let id = rings.tail_id.wrapping_add(step) & rings.id_mask;
        match read_record(&fields, &rings, words, id, text) {
            Ok(Some(record)) => {
                let len = u64::try_from(record.text.len()).unwrap_or(u64::MAX);
                budget = budget.checked_sub(len).ok_or(LogError::Corrupt { key: Key::DescTextBlkLpos })?;
                visit(&record);
                tally.count_record();
            }
            Ok(None) => {}
            Err(Lost) => tally.count_lost(),
        }
    }
    Ok(tally)
}

/// A record that stands in the ring and cannot be had.
struct Lost;

impl From<LogError> for Lost {
    fn from(_: LogError) -> Self {
        Self
    }
}

fn read_record<'t>(
    fields: &Fields,
    rings: &Rings,
    words: &mut Words<'_, '_>,
    id: u64,
    text: &'t mut [u8],
) -> Result<Option<Record<'t>>, Lost> {
    let slot = id & rings.count_mask;
    let desc = element(rings.descs, slot, fields.desc_size)?;
    match rings.state(words.long(desc, fields.state_var)?, id) {
        State::Reserved => return Err(Lost),
        State::Gone => return Ok(None),
        State::Readable => {}
    }
    let info = element(rings.infos, slot, fields.info_size)?;
    let ts_nsec = words.u64(info, fields.ts_nsec)?;
    let seq = words.u64(info, fields.seq)?;
    let caller_id = fields.caller_id.and_then(|offset| words.u32(info, offset).ok());
    let (index, room) = match rings.block(words.long(desc, fields.begin)?, words.long(desc, fields.next)?)? {
        Block::At(index, len) => (index, len),
        Block::EmptyLine => (0, 0),
        Block::Failed => return Err(Lost),
    };
    let text_len = u64::from(words.u16(info, fields.text_len)?).min(room);
    let wanted = usize::try_from(text_len).unwrap_or(usize::MAX);
    let cut = wanted > text.len();
    let text = text.get_mut(..wanted.min(text.len())).unwrap_or_default();
    if !text.is_empty() {
        words.bytes(rings.data, index, text)?;
    }
    Ok(Some(Record { seq: Some(seq), ts_nsec: Some(ts_nsec), caller_id, text, cut }))
}

/// The address of element `slot` of an array at `base`.
fn element(base: u64, slot: u64, size: u64) -> Result<u64, Lost> {
    slot.checked_mul(size).and_then(|offset| base.checked_add(offset)).ok_or(Lost)
}

impl Fields {
    fn find(info: &VmcoreInfo<'_>) -> Result<Self, LogError> {
        let sum = |outer: Key, inner: Key| {
            let offset = outer.require(info)?.checked_add(inner.require(info)?);
            offset.ok_or(LogError::Corrupt { key: outer })
        };
        Ok(Self {
            desc_size: Key::DescSize.require(info)?,
            state_var: sum(Key::DescStateVar, Key::AtomicLongCounter)?,
            begin: sum(Key::DescTextBlkLpos, Key::DataBlkLposBegin)?,
            next: sum(Key::DescTextBlkLpos, Key::DataBlkLposNext)?,
            info_size: Key::InfoSize.require(info)?,
            seq: Key::InfoSeq.require(info)?,
            ts_nsec: Key::InfoTsNsec.require(info)?,
            text_len: Key::InfoTextLen.require(info)?,
            caller_id: Key::InfoCallerId.find(info),
        })
    }
}

impl Rings {
    fn read(info: &VmcoreInfo<'_>, words: &mut Words<'_, '_>) -> Result<Self, LogError> {
        let prb = words.long(Key::Prb.require(info)?, 0)?;
        let within = |ring: Key| {
            let at = prb.checked_add(ring.require(info)?);
            at.ok_or(LogError::Corrupt { key: ring })
        };
        let desc_ring = within(Key::RingbufferDescRing)?;
        let data_ring = within(Key::RingbufferTextDataRing)?;
        let counter = Key::AtomicLongCounter.require(info)?;
        let count_bits = words.u32(desc_ring, Key::DescRingCountBits.require(info)?)?;
        let size_bits = words.u32(data_ring, Key::DataRingSizeBits.require(info)?)?;
        let id_mask = u64::MAX >> 64_u32.saturating_sub(words.long_bits()) >> 2;
        let size_of_ring = |key: Key, bits: u32, most: u32| {
            let size = 1_u64.checked_shl(bits).filter(|_| (1..=most).contains(&bits));
            size.ok_or(LogError::Corrupt { key })
        };
        let count = size_of_ring(Key::DescRingCountBits, count_bits, MOST_COUNT_BITS)?;
        let id = |words: &mut Words<'_, '_>, key: Key| {
            let offset = key.require(info)?.checked_add(counter).ok_or(LogError::Corrupt { key })?;
            words.long(desc_ring, offset)
        };
        Ok(Self {
            count_mask: count.wrapping_sub(1),
            descs: words.long(desc_ring, Key::DescRingDescs.require(info)?)?,
            infos: words.long(desc_ring, Key::DescRingInfos.require(info)?)?,
            head_id: id(words, Key::DescRingHeadId)? & id_mask,
            tail_id: id(words, Key::DescRingTailId)? & id_mask,
            id_mask,
            data: words.long(data_ring, Key::DataRingData.require(info)?)?,
            data_size: size_of_ring(Key::DataRingSizeBits, size_bits, MOST_SIZE_BITS)?,
            block_head: words.long_bytes(),
            lpos_mask: u64::MAX >> 64_u32.saturating_sub(words.long_bits()),
        })
    }

    /// The state of the descriptor that should belong to `id` (`get_desc_state`).
    fn state(&self, state_var: u64, id: u64) -> State {
        if state_var & self.id_mask != id {
            return State::Gone;
        }
        // What is above the id, two bits.
        match (state_var & !self.id_mask) >> self.id_mask.count_ones() & 3 {
            0 => State::Reserved,
            1 | 2 => State::Readable,
            _ => State::Gone,
        }
    }

    /// The block between two logical positions (`get_data`), without its id.
    fn block(&self, begin: u64, next: u64) -> Result<Block, Lost> {
        // `EMPTY_LINE_LPOS` is 3, `FAILED_LPOS` 1: positions of text are aligned to the word size.
        match (begin, next) {
            (3, 3) => return Ok(Block::EmptyLine),
            (1, 1) => return Ok(Block::Failed),
            _ if begin & 1 == 1 || next & 1 == 1 => return Err(Lost),
            _ => {}
        }
        let index_mask = self.data_size.wrapping_sub(1);
        let (begin_index, next_index) = (begin & index_mask, next & index_mask);
        let turn_of = |lpos: u64| lpos & self.lpos_mask & !index_mask;
        let (index, len) = if turn_of(begin) == turn_of(next) {
            (begin_index, next.wrapping_sub(begin))
        } else if turn_of(begin.wrapping_add(self.data_size)) != turn_of(next) {
            return Err(Lost);
        } else if next_index == 0 {
            // Ends where the ring ends: not wrapped, since 6.18; earlier kernels never leave this state.
            (begin_index, self.data_size.wrapping_sub(begin_index))
        } else {
            // Too long for the rest of the ring: stored at its start.
            (0, next_index)
        };
        let text_len = len.checked_sub(self.block_head).ok_or(Lost)?;
        if len > self.data_size {
            return Err(Lost);
        }
        let index = index.checked_add(self.block_head).ok_or(Lost)?;
        Ok(Block::At(index, text_len))
    }
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

    const RINGS: usize = 0x40;
    const DESCS: usize = 0x100;
    const INFOS: usize = 0x200;
    const DATA: usize = 0x400;
    /// Eight descriptors, 64 bytes of text.
    const COUNT_BITS: u32 = 3;
    const SIZE_BITS: u32 = 6;

    const COMMITTED: u64 = 1 << 62;
    const FINALIZED: u64 = 2 << 62;
    const REUSABLE: u64 = 3 << 62;
    const ID_MASK: u64 = u64::MAX >> 2;

    fn info() -> String {
        format!(
            "SYMBOL(prb)={BASE:x}\nSIZE(printk_ringbuffer)=80\nOFFSET(printk_ringbuffer.desc_ring)=0\n\
             OFFSET(printk_ringbuffer.text_data_ring)=40\nOFFSET(prb_desc_ring.count_bits)=0\n\
             OFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n\
             OFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=24\nOFFSET(prb_desc.state_var)=0\n\
             OFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\n\
             OFFSET(prb_data_blk_lpos.next)=8\nSIZE(printk_info)=32\nOFFSET(printk_info.seq)=0\n\
             OFFSET(printk_info.ts_nsec)=8\nOFFSET(printk_info.text_len)=16\nOFFSET(printk_info.caller_id)=20\n\
             OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\nOFFSET(atomic_long_t.counter)=0\n"
        )
    }

    fn machine(tail_id: u64, head_id: u64) -> Machine {
        let mut machine = Machine::new(Layout::LE64, &info());
        machine.put(0, &(BASE + 0x40).to_le_bytes());
        machine.put(RINGS, &COUNT_BITS.to_le_bytes());
        for (at, value) in
            [(8, BASE + 0x100), (16, BASE + 0x200), (24, head_id), (32, tail_id), (48, BASE + 0x400)]
        {
            machine.put(RINGS + at, &value.to_le_bytes());
        }
        machine.put(RINGS + 40, &SIZE_BITS.to_le_bytes());
        machine
    }

    /// Lays a record; `block` says begin, next and where the text's block stands in its ring.
    fn lay(machine: &mut Machine, state: u64, id: u64, (begin, next, at): (u64, u64, usize), text: &[u8]) {
        let slot = usize::try_from(id & 7).unwrap();
        for (word, value) in [state | id, begin, next].into_iter().enumerate() {
            machine.put(DESCS + slot * 24 + word * 8, &value.to_le_bytes());
        }
        machine.put(INFOS + slot * 32, &(id & 0xff).to_le_bytes());
        machine.put(INFOS + slot * 32 + 8, &((id & 0xff) * 1_000_000_000).to_le_bytes());
        machine.put(INFOS + slot * 32 + 16, &u16::try_from(text.len()).unwrap().to_le_bytes());
        machine.put(INFOS + slot * 32 + 20, &0x8000_0001_u32.to_le_bytes());
        machine.put(DATA + at, &id.to_le_bytes());
        machine.put(DATA + at + 8, text);
    }

    /// Ids and positions that wrap, and a record in every state.
    fn full() -> Machine {
        let first = ID_MASK - 2;
        let id = |number: u64| first.wrapping_add(number) & ID_MASK;
        let turn = u64::MAX - 63;
        let mut machine = machine(id(0), id(7));
        lay(&mut machine, FINALIZED, id(0), (turn + 16, turn + 40, 16), b"two\nlines");
        lay(&mut machine, FINALIZED, id(1), (3, 3, 56), b"");
        lay(&mut machine, FINALIZED, id(2), (1, 1, 56), b"");
        lay(&mut machine, COMMITTED, id(3), (turn + 40, 16, 0), b"wrapped");
        lay(&mut machine, 0, id(4), (16, 32, 16), b"being");
        lay(&mut machine, REUSABLE, id(5), (16, 32, 16), b"gone");
        lay(&mut machine, FINALIZED, id(6) ^ 8, (16, 32, 16), b"other turn");
        lay(&mut machine, COMMITTED, id(7), (40, 64, 40), b"exactly to the end");
        machine.put(DATA + 16, &[0; 8]);
        machine.put(DATA + 24, b"two\nlines");
        machine
    }

    #[test]
    fn every_state_and_place_of_a_record() {
        let (log, tally) = full().log();
        let text = String::from_utf8(log).unwrap();
        assert_eq!(
            text,
            "[  253.000000] two\nlines\n[  254.000000] \n[    0.000000] wrapped\n\
             [    4.000000] exactly to the e\n"
        );
        assert_eq!(tally, Ok(Tally { generation: Generation::Lockless, records: 4, lost: 2 }));
    }

    #[test]
    fn sequence_and_caller_come_from_the_info() {
        let mut seen = Vec::new();
        full().visit(64, |record| seen.push((record.seq, record.caller_id))).unwrap();
        assert_eq!(seen.first(), Some(&(Some(253), Some(0x8000_0001))));
    }

    #[test]
    fn thirty_two_bit_kernels_have_shorter_ids_and_positions() {
        let mut machine = Machine::new(Layout::BE32, &info().replace("ffff888000000000", "0"));
        machine.info = machine
            .info
            .replace("(prb_desc)=24", "(prb_desc)=12")
            .replace("text_blk_lpos)=8", "text_blk_lpos)=4")
            .replace("lpos.next)=8", "lpos.next)=4");
        machine.memory.clear();
        assert!(matches!(machine.log().1, Err(LogError::Unreadable { .. })));
        let info_text = machine.info.clone();
        let info = VmcoreInfo::new(info_text.as_bytes());
        let mut memory = std::vec![0_u8; 0x800];
        let mut put = |at: usize, value: u32| memory[at..at + 4].copy_from_slice(&value.to_be_bytes());
        put(0, 0x40);
        for (at, value) in
            [(0, COUNT_BITS), (8, 0x100), (16, 0x200), (24, 0), (32, 0), (40, SIZE_BITS), (48, 0x400)]
        {
            put(RINGS + at, value);
        }
        // Id 0x3fff_ffff + 1 is 0; the position wraps from the last turn of 32 bits to 0.
        put(DESCS, 2 << 30);
        put(DESCS + 4, u32::MAX - 7);
        put(DESCS + 8, 16);
        put(INFOS + 8, 0);
        put(INFOS + 12, 5_000_000);
        put(INFOS + 16, 3 << 16);
        memory[DATA + 4..DATA + 7].copy_from_slice(b"abc");
        let mut read = |addr: vmcore_format::VirtAddr, buf: &mut [u8]| {
            let start = usize::try_from(addr.0).unwrap();
            buf.copy_from_slice(memory.get(start..start + buf.len()).ok_or(crate::Fault::Hole)?);
            Ok(())
        };
        let mut words = Words::new(Layout::BE32, &mut read);
        let mut seen = 0;
        let tally = walk(&info, &mut words, &mut [0; 64], &mut |record| {
            seen += 1;
            assert_eq!((record.text, record.ts_nsec), (&b"abc"[..], Some(5_000_000)));
        });
        assert_eq!((seen, tally.unwrap().lost), (1, 0));
    }

    #[test]
    fn rings_that_no_kernel_makes_are_corrupt() {
        let mut machine = full();
        machine.put(RINGS, &27_u32.to_le_bytes());
        assert_eq!(machine.log().1, Err(LogError::Corrupt { key: Key::DescRingCountBits }));
        let mut machine = full();
        machine.put(RINGS + 40, &64_u32.to_le_bytes());
        assert_eq!(machine.log().1, Err(LogError::Corrupt { key: Key::DataRingSizeBits }));
        let mut machine = full();
        machine.put(RINGS + 24, &100_u64.to_le_bytes());
        assert_eq!(machine.log().1, Err(LogError::Corrupt { key: Key::DescRingTailId }));
    }

    #[test]
    fn more_text_than_the_ring_holds_is_corrupt() {
        let mut machine = machine(0, 1);
        lay(&mut machine, FINALIZED, 0, (0, 64, 0), &[b'x'; 56]);
        lay(&mut machine, FINALIZED, 1, (0, 64, 0), &[b'y'; 56]);
        assert_eq!(machine.log().1, Err(LogError::Corrupt { key: Key::DescTextBlkLpos }));
    }

    #[test]
    fn every_key_that_is_needed_is_named_when_missing() {
        let machine = full();
        for line in
            info().lines().filter(|line| !line.contains("caller_id") && !line.contains("SIZE(printk_r"))
        {
            let key = line.split_once('=').unwrap().0;
            if key == "SYMBOL(prb)" {
                continue;
            }
            let without =
                Machine { info: info().replace(line, ""), memory: machine.memory.clone(), ..full() };
            match without.log().1 {
                Err(LogError::MissingKey { key: missing }) => assert_eq!(missing.name(), key),
                other => panic!("{key}: {other:?}"),
            }
        }
    }

    #[test]
    fn damage_ends_quietly() {
        full().survive_damage(0..0x440);
    }
}
