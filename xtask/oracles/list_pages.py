"""list_pages.py VMCORE FILE[,PART..]: every page that a file holds, one a line: its PFN and its first 16 bytes, in
hexadecimal. The bytes are the vmcore's, but for an ELF file, in which zeros may stand for an excluded page."""

import os
import sys

import dumps
import vmcore

dump = dumps.open_dump(sys.argv[2].split(","))
core = dump.core if isinstance(dump, dumps.Elf) else vmcore.Vmcore(sys.argv[1])
for pfn in sorted(dump.kept()):
    print(f"{pfn:x} {core.page(pfn)[:16].hex()}")
for copy in dumps.COPIES:
    os.unlink(copy)
