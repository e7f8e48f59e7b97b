//! The VMCOREINFO keys that say where the log stands (`kernel/printk/printk.c`, `log_buf_vmcoreinfo_setup`).

use core::fmt;

use vmcore_format::vmcoreinfo::VmcoreInfo;

use super::record::LogError;

macro_rules! keys {
    ($($name:ident => $kind:ident $text:literal $inner:literal $(or $older:literal)?,)*) => {
        /// A VMCOREINFO key that the walk over the kernel log uses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Key {
            $(#[doc = concat!("`", $text, "(", $inner, ")`" $(, " or `", $text, "(", $older, ")`")?)] $name,)*
        }

        impl Key {
            /// The key as VMCOREINFO spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($text, "(", $inner, ")"),)*
                }
            }

            /// The key's value, if VMCOREINFO has it.
            pub(super) fn find(self, info: &VmcoreInfo<'_>) -> Option<u64> {
                match self {
                    $(Self::$name => info.$kind($inner)$(.or_else(|| info.$kind($older)))?,)*
                }
            }
        }
    };
}

keys! {
    Prb => symbol "SYMBOL" "prb",
    RingbufferDescRing => offset "OFFSET" "printk_ringbuffer.desc_ring",
    RingbufferTextDataRing => offset "OFFSET" "printk_ringbuffer.text_data_ring",
    DescRingCountBits => offset "OFFSET" "prb_desc_ring.count_bits",
    DescRingDescs => offset "OFFSET" "prb_desc_ring.descs",
    DescRingInfos => offset "OFFSET" "prb_desc_ring.infos",
    DescRingHeadId => offset "OFFSET" "prb_desc_ring.head_id",
    DescRingTailId => offset "OFFSET" "prb_desc_ring.tail_id",
    DescSize => size "SIZE" "prb_desc",
    DescStateVar => offset "OFFSET" "prb_desc.state_var",
    DescTextBlkLpos => offset "OFFSET" "prb_desc.text_blk_lpos",
    DataBlkLposBegin => offset "OFFSET" "prb_data_blk_lpos.begin",
    DataBlkLposNext => offset "OFFSET" "prb_data_blk_lpos.next",
    InfoSize => size "SIZE" "printk_info",
    InfoSeq => offset "OFFSET" "printk_info.seq",
    InfoTsNsec => offset "OFFSET" "printk_info.ts_nsec",
    InfoTextLen => offset "OFFSET" "printk_info.text_len",
    InfoCallerId => offset "OFFSET" "printk_info.caller_id",
    DataRingSizeBits => offset "OFFSET" "prb_data_ring.size_bits",
    DataRingData => offset "OFFSET" "prb_data_ring.data",
    AtomicLongCounter => offset "OFFSET" "atomic_long_t.counter",
    LogBuf => symbol "SYMBOL" "log_buf",
    LogBufLen => symbol "SYMBOL" "log_buf_len",
    LogFirstIdx => symbol "SYMBOL" "log_first_idx",
    LogNextIdx => symbol "SYMBOL" "log_next_idx",
    LogSize => size "SIZE" "printk_log" or "log",
    LogTsNsec => offset "OFFSET" "printk_log.ts_nsec" or "log.ts_nsec",
    LogLen => offset "OFFSET" "printk_log.len" or "log.len",
    LogTextLen => offset "OFFSET" "printk_log.text_len" or "log.text_len",
    LogCallerId => offset "OFFSET" "printk_log.caller_id",
    LogEnd => symbol "SYMBOL" "log_end",
}

impl Key {
    /// The key's value.
    pub(super) fn require(self, info: &VmcoreInfo<'_>) -> Result<u64, LogError> {
        self.find(info).ok_or(LogError::MissingKey { key: self })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
