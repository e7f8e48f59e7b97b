"""drgn_pages.py VMCORE DUMP, run by drgn on a dump: the pages that it keeps are the vmcore's."""

import sys

import dumps
import vmcore

core = vmcore.Vmcore(sys.argv[1])
kept = sorted(dumps.open_dump([sys.argv[2]]).kept())
wrong = [pfn for pfn in kept if prog.read(pfn * vmcore.PAGE, vmcore.PAGE, True) != core.page(pfn)]  # noqa: F821 (drgn's own)
print(f"{len(kept)} pages read, {len(wrong)} differ{': ' + dumps.runs(wrong) if wrong else ''}")
sys.exit(bool(wrong) or not kept)
