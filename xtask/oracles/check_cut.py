"""check_cut.py VMCORE DUMP: libkdumpfile opens a dump that was cut off, and every page that it gives is the vmcore's; it
refuses the others."""

import sys

import kdumpfile
from kdumpfile.exceptions import KDumpBaseException

import dumps
import vmcore


def main(core_path, dump_path):
    core = vmcore.Vmcore(core_path)
    context = kdumpfile.kdumpfile(dump_path)
    context.attr["addrxlat.ostype"] = "linux"
    right, lost, wrong = 0, 0, []
    for pfn in dumps.open_dump([dump_path]).kept():
        try:
            page = context.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * vmcore.PAGE, vmcore.PAGE)
        except KDumpBaseException:
            lost += 1
            continue
        if bytes(page) == core.page(pfn):
            right += 1
        else:
            wrong.append(pfn)
    print(f"{context.attr['file.description']}: {right} pages alike, {lost} refused")
    if wrong:
        print(f"  {len(wrong)} differ: {dumps.runs(wrong)}")
    return not right or bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
