"""check_kpageflags.py FOLDER LEVEL DUMP: the pages a kdump file keeps are those that /proc/kpageflags, read just before
the crash, says it should. Pages whose use changed in between are listed, and may be few.

FOLDER is a machine's folder in the cache."""

import os
import sys
from collections import Counter

import dumps
import kpageflags
import vmcore

# Between the reading of kpageflags and the crash a handful of pages are allocated and freed.
MAY_DIFFER = 128
NAMES = {
    getattr(kpageflags, name): name.lower()
    for name in "LRU SLAB BUDDY ANON SWAPCACHE HEAD TAIL HUGETLB HWPOISON NOPAGE OFFLINE PRIVATE".split()
}


def describe(flags):
    return "+".join(name for bit, name in NAMES.items() if flags >> bit & 1) or "none of them"


def main(folder, level, dump_path):
    core = vmcore.Vmcore(os.path.join(folder, "vmcore"))
    flags = kpageflags.read(os.path.join(folder, "kpageflags"))
    poison_known = b"NUMBER(PG_hwpoison)" in core.bytes[: core.loads[0][3]]
    dump = dumps.open_dump([dump_path])
    kept, held = dump.kept(), core.held()
    expected = {
        pfn for pfn in held if pfn >= len(flags) or not kpageflags.left_out(flags[pfn], level, poison_known)
    }
    differing = kept ^ expected
    print(f"{len(held)} pages, {len(kept)} kept, {len(differing)} changed between the recording and the crash")
    for what, pfns in (("kept though it should not be", kept - expected), ("missing", expected - kept)):
        by_flags = Counter(describe(flags[pfn]) for pfn in pfns)
        for name, count in by_flags.most_common():
            of_these = [pfn for pfn in pfns if describe(flags[pfn]) == name]
            print(f"  {count} {what}, recorded as {name}: {dumps.runs(of_these)}")
    unknown = dump.known() ^ held
    if unknown:
        print(f"  the first bitmap is not what the vmcore holds: {dumps.runs(unknown)}")
    return len(differing) > MAY_DIFFER or bool(unknown)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], int(sys.argv[2]), sys.argv[3]) else 0)
