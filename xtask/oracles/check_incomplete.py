"""check_incomplete.py VMCORE DUMP: a dump that could not be finished says so itself, and whatever page it gives is the
vmcore's. A page that was lost has a page_desc with offset 0 or one that was not written to its end, or lies past the end of the
file: it does not decode."""

import struct
import sys

import codecs_in_c
import dumps
import vmcore

INCOMPLETE = 8
ELF_INCOMPLETE = 1


def main(core_path, dump_path):
    core = vmcore.Vmcore(core_path)
    with open(dump_path, "rb") as file:
        start = file.read(64)
    if start[:4] == b"\x7fELF":
        (flags,) = struct.unpack_from("<I", start, 48)
        marked, right, lost, wrong = flags & ELF_INCOMPLETE, *elf(core, dump_path)
    else:
        part = dumps.Kdump(dump_path)
        marked, right, lost, wrong = part.status & INCOMPLETE, *kdump(core, part)
    print(f"{right} pages saved, {lost} lost{'' if marked else '; not marked incomplete'}")
    if wrong:
        print(f"  {len(wrong)} pages are not the vmcore's: {dumps.runs(wrong)}")
    return not marked or not right or bool(wrong)


def kdump(core, part):
    codecs, right, lost, wrong = codecs_in_c.Codecs(), 0, 0, []
    for slot, pfn in enumerate(part.kept()):
        at = part.descriptors + slot * 24
        if at + 24 > len(part.bytes):
            lost += 1
            continue
        offset, size, flags, _ = struct.unpack_from("<qIIQ", part.bytes, at)
        page = codecs.decode(flags, part.bytes[offset : offset + size]) if offset else None
        if page is None:
            lost += 1
        elif page == core.page(pfn):
            right += 1
        else:
            wrong.append(pfn)
    return right, lost, wrong


def elf(core, path):
    dump, right, lost, wrong = vmcore.Vmcore(path), 0, 0, []
    for pfn in sorted(dump.held()):
        page = dump.page(pfn)
        if page == core.page(pfn):
            right += 1
        elif page == dumps.ZEROS or len(page) < vmcore.PAGE:
            lost += 1
        else:
            wrong.append(pfn)
    return right, lost, wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
