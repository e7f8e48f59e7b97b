//! What a real kernel wrote: Debian's 6.1.176 (powerpc64le) on QEMU 7.2's pseries, 1 GiB in two nodes, of
//! `/sys/firmware/devicetree/base/ibm,dynamic-reconfiguration-memory/ibm,dynamic-memory-v2` after each step. `cargo xtask drmem`
//! does it again.

use super::*;

const BOOT: &str = "00000002 00000004 0000000000000000 00000000 ffffffff 000000a0 0000001c 0000000040000000 80000004 ffffffff 00000000";
/// A DIMM of five LMBs on node 0.
const FIVE_ADDED: &str = "00000003 00000004 0000000000000000 00000000 ffffffff 000000a0 00000005 0000000040000000 80000004 00000000 00000008 \
    00000017 0000000090000000 80000009 ffffffff 00000000";
/// One of one LMB on node 1, above a gap.
const ONE_ADDED: &str = "00000005 00000004 0000000000000000 00000000 ffffffff 000000a0 00000005 0000000040000000 80000004 00000000 00000008 \
    00000007 0000000090000000 80000009 ffffffff 00000000 00000001 0000000100000000 80000010 00000001 00000008 \
    0000000f 0000000110000000 80000011 ffffffff 00000000";
/// The first DIMM's middle LMB, and then two more, by `/sys/kernel/dlpar`.
const THREE_REMOVED: &str = "00000006 00000004 0000000000000000 00000000 ffffffff 000000a0 00000003 0000000040000000 80000004 ffffffff 00000000 \
    00000002 0000000070000000 80000007 00000000 00000008 00000007 0000000090000000 80000009 ffffffff 00000000 \
    00000001 0000000100000000 80000010 00000001 00000008 0000000f 0000000110000000 80000011 ffffffff 00000000";
/// The whole DIMM.
const DIMM_REMOVED: &str = "00000004 00000004 0000000000000000 00000000 ffffffff 000000a0 0000000c 0000000040000000 80000004 ffffffff 00000000 \
    00000001 0000000100000000 80000010 00000001 00000008 0000000f 0000000110000000 80000011 ffffffff 00000000";

fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn each_step_leaves_the_kernels_bytes() {
    let mut blob = tree(Layout::V2, &bytes(BOOT), Order::StringsFirst, 256);
    let before = others(&blob);
    let mut memory = DynamicMemory::open(&mut blob).unwrap();
    let at = |memory: &DynamicMemory<'_>, drc| memory.table().find_drc(drc).unwrap().base_addr;
    let five = at(&memory, 0x8000_0004);
    memory.apply(&mut [Change::assign(five, 5, 0)]).unwrap();
    assert_eq!(memory.value(), bytes(FIVE_ADDED));
    let one = at(&memory, 0x8000_0010);
    memory.apply(&mut [Change::assign(one, 1, 1)]).unwrap();
    assert_eq!(memory.value(), bytes(ONE_ADDED));
    let middle = at(&memory, 0x8000_0006);
    memory.apply(&mut [Change::release(middle, 1), Change::release(five, 2)]).unwrap();
    assert_eq!(memory.value(), bytes(THREE_REMOVED));
    memory.apply(&mut [Change::release(five, 5)]).unwrap();
    assert_eq!(memory.value(), bytes(DIMM_REMOVED));
    assert_eq!(others(&blob), before);
}
