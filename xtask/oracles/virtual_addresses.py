"""virtual_addresses.py VMCORE DUMP: some virtual addresses of pages that a kdump file keeps, by the PT_LOADs of the
vmcore: two of each PT_LOAD."""

import struct
import sys

import dumps
import vmcore

core = vmcore.Vmcore(sys.argv[1])
kept = dumps.open_dump([sys.argv[2]]).kept()
phoff, phnum = struct.unpack_from("<Q", core.bytes, 32)[0], struct.unpack_from("<H", core.bytes, 56)[0]
for at in range(phoff, phoff + phnum * 56, 56):
    p_type, _, _, vaddr, paddr, filesz, _ = struct.unpack_from("<IIQQQQQ", core.bytes, at)
    if p_type == vmcore.PT_LOAD and paddr % vmcore.PAGE == 0:
        frames = range(paddr // vmcore.PAGE, (paddr + filesz) // vmcore.PAGE)
        found = [pfn for pfn in frames if pfn in kept and core.page(pfn).strip(b"\0")]
        for pfn in found[len(found) // 3 :: len(found) // 2 + 1]:
            print(hex(vaddr + pfn * vmcore.PAGE - paddr))
