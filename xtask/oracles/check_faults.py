"""check_faults.py VMCORE DUMP LOST: libkdumpfile opens a dump that was made of an input with unreadable pages. Every page that
it reads is the vmcore's; the pages that it does not read (kdump) or reads as zeros (ELF) are those of the list, no more and no
fewer."""

import sys

import kdumpfile

import dumps
import vmcore


def main(core_path, dump_path, lost_path):
    with open(lost_path, encoding="ascii") as file:
        lost = {int(line, 16) for line in file}
    core = vmcore.Vmcore(core_path)
    dump = dumps.open_dump([dump_path])
    is_elf = isinstance(dump, dumps.Elf)
    context = kdumpfile.kdumpfile(dump_path)
    context.attr["addrxlat.ostype"] = "linux"
    right, wrong, missing = 0, [], set()
    for pfn in sorted(core.held()):
        try:
            page = bytes(context.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * vmcore.PAGE, vmcore.PAGE))
        except Exception:  # Each kind of failure has a class of its own.
            missing.add(pfn)
            continue
        if page == core.page(pfn):
            right += 1
        elif is_elf and not any(page):
            missing.add(pfn)
        else:
            wrong.append(pfn)
    zeros = {pfn for pfn in lost if not any(core.page(pfn))} if is_elf else set()
    print(f"{context.attr['file.description']}: {right} pages alike, {len(missing)} lost")
    for what, pfns in [("wrong", wrong), ("lost unsaid", missing - lost), ("not lost", lost - missing - zeros)]:
        if pfns:
            print(f"  {what}: {dumps.runs(sorted(pfns))}")
    return bool(wrong) or missing | zeros != lost


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
