"""list_pages.py VMCORE FILE[,PART..]: every page that a file holds, one a line: its PFN and the first 16 bytes that the
vmcore has of it, in hexadecimal."""

import os
import sys

import dumps
import vmcore

core = vmcore.Vmcore(sys.argv[1])
dump = dumps.open_dump(sys.argv[2].split(","))
for pfn in sorted(dump.kept()):
    print(f"{pfn:x} {core.page(pfn)[:16].hex()}")
for copy in dumps.COPIES:
    os.unlink(copy)
