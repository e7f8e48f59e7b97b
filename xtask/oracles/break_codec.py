"""break_codec.py DUMP: gives one page of a kdump file a page_desc with flags that name no codec; prints its PFN."""

import struct
import sys

import dumps

part = dumps.Kdump(sys.argv[1])
kept = part.kept()
slot = len(kept) // 2
with open(sys.argv[1], "r+b") as file:
    while True:
        at = part.descriptors + slot * 24
        (flags,) = struct.unpack_from("<I", part.bytes, at + 12)
        if flags == 2:
            break
        slot += 1
    file.seek(at + 12)
    file.write(struct.pack("<I", 0x400))
print(f"{kept[slot]:x}")
