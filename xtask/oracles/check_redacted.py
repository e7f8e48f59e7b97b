"""check_redacted.py VMCORE DUMP[,PART...] START END WHAT: libkdumpfile (of a split set the C codecs) reads every page that a dump
keeps. If WHAT is "hidden" the bytes from START to
END (hexadecimal) are X, and what the vmcore has there is nowhere; if it is "control" it is there and nowhere else. All other bytes are
the vmcore's (of an ELF file, in which zeros may stand for an excluded page, the file's own)."""

import os
import sys

import kdumpfile

import dumps
import vmcore


def pages(dump, paths):
    """(PFN, bytes) of every page kept, in order."""
    if len(paths) > 1:
        yield from dump.pages()
        return
    context = kdumpfile.kdumpfile(paths[0])
    context.attr["addrxlat.ostype"] = "linux"
    for pfn in sorted(dump.kept()):
        yield pfn, bytes(context.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * vmcore.PAGE, vmcore.PAGE))


def main(core_path, dump_path, start, end, what):
    start, end, hidden = int(start, 16), int(end, 16), what == "hidden"
    core = vmcore.Vmcore(core_path)
    first, last = start // vmcore.PAGE, (end - 1) // vmcore.PAGE
    around = b"".join(core.page(pfn) for pfn in range(first, last + 1))
    secret = around[start - first * vmcore.PAGE :][: end - start]
    paths = [dumps.plain(path) for path in dump_path.split(",")]
    dump = dumps.open_dump(paths)
    is_elf = isinstance(dump, dumps.Elf)
    found, differ, filled, before = [], [], 0, (None, b"")
    count = 0
    for pfn, page in pages(dump, paths):
        count += 1
        address = pfn * vmcore.PAGE
        # Over the end of the page before, if it is the neighbour.
        tail = before[1][-(len(secret) - 1) :] if before[0] == pfn - 1 else b""
        at = (tail + page).find(secret)
        if at >= 0:
            found.append(address - len(tail) + at)
        before = (pfn, page)
        expected = bytearray(core.page(pfn))
        if hidden:
            low, high = max(start, address) - address, min(end, address + vmcore.PAGE) - address
            if low < high:
                expected[low:high] = b"X" * (high - low)
                filled += page[low:high].count(b"X")
        if page != expected and not (is_elf and not any(page)):
            differ.append(pfn)
    for copy in dumps.COPIES:
        os.unlink(copy)
    print(f"{count} pages, {filled} bytes hidden, secret at {[hex(at) for at in found]}")
    wrong = found != ([] if hidden else [start]) or filled != (end - start if hidden else 0)
    if differ:
        print(f"  {len(differ)} pages differ: {dumps.runs(differ)}")
    return wrong or bool(differ)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
