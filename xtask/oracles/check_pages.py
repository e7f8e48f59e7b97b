"""check_pages.py VMCORE REFERENCE DUMP[,PART..]..: every page of every dump, decoded, equals the vmcore's; a kdump file
keeps exactly the pages that the reference (a kdump file) keeps, an ELF file at least those that are not zero.

REFERENCE may be '-': no comparison of what is kept; 'all': every page of the vmcore is kept; or 'peer': the dump was made from one of makedumpfile's, which lacks
the partial pages. Prints a line for each dump; exits with 1 at the first fault of any."""

import os
import sys

import codecs_in_c
import dumps
import vmcore


def main(core_path, reference_path, *dump_paths):
    core = vmcore.Vmcore(core_path)
    if reference_path == "all":
        reference = core.held()
    else:
        reference = None if reference_path in ("-", "peer") else dumps.open_dump([reference_path]).kept()
    unknown = core.partial() if reference_path == "peer" else set()
    faults = 0
    for names in dump_paths:
        dump = dumps.open_dump(names.split(","))
        if isinstance(dump, dumps.Elf):
            count, wrong = elf(core, dump, reference)
        else:
            count, wrong = kdump(core, dump, reference, unknown)
        codecs = ", ".join(codecs_in_c.NAMES[flags] for flags in sorted(dump.codecs_seen))
        print(f"{os.path.basename(names)}: {count} pages{' of ' + codecs if codecs else ''}")
        for what, pfns in wrong.items():
            if pfns:
                faults += 1
                print(f"  {len(pfns)} {what}: {dumps.runs(pfns)}")
    return faults


def kdump(core, dump, reference, unknown):
    wrong = {"do not decode": [], "differ from the vmcore": [], "not in the vmcore": []}
    count = 0
    for pfn, page in dump.pages():
        count += 1
        expected = core.page(pfn)
        if page is None:
            wrong["do not decode"].append(pfn)
        elif expected is None:
            wrong["not in the vmcore"].append(pfn)
        elif page != expected:
            wrong["differ from the vmcore"].append(pfn)
    wrong["known but not in the vmcore, or the other way round"] = (dump.known() ^ core.held()) - unknown
    if reference is not None:
        kept = dump.kept()
        wrong["kept, the reference does not"] = kept - reference
        wrong["not kept, the reference does"] = reference - kept
    return count, wrong


def elf(core, dump, reference):
    """Zeros may stand for an excluded page between kept ones; a zero page may be left out."""
    wrong = {"differ from the vmcore": [], "not in the vmcore": [], "missing": [], "whose existence is lost": []}
    present = set()
    for pfn, page in dump.pages():
        present.add(pfn)
        expected = core.page(pfn)
        if expected is None:
            wrong["not in the vmcore"].append(pfn)
        elif page != expected and (page != dumps.ZEROS or reference is None or pfn in reference):
            wrong["differ from the vmcore"].append(pfn)
    for pfn in core.held():
        if not dump.core.in_memory(pfn):
            wrong["whose existence is lost"].append(pfn)
    for pfn in (reference or set()) - present:
        if core.page(pfn) != dumps.ZEROS:
            wrong["missing"].append(pfn)
    return len(present), wrong


if __name__ == "__main__":
    try:
        sys.exit(1 if main(*sys.argv[1:]) else 0)
    finally:
        for copy in dumps.COPIES:
            os.unlink(copy)
