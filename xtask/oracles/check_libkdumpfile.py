"""check_libkdumpfile.py VMCORE DUMP: libkdumpfile opens a dump and reads the vmcore's bytes of the pages it keeps; of an
ELF file, in which zeros may stand for an excluded page, the file's own."""

import sys

import kdumpfile

import dumps
import vmcore


def main(core_path, dump_path):
    dump = dumps.open_dump([dump_path])
    core = dump.core if isinstance(dump, dumps.Elf) else vmcore.Vmcore(core_path)
    kept = sorted(dump.kept())
    context = kdumpfile.kdumpfile(dump_path)
    context.attr["addrxlat.ostype"] = "linux"
    faults = []
    for pfn in kept:
        page = context.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * vmcore.PAGE, vmcore.PAGE)
        if bytes(page) != core.page(pfn):
            faults.append(pfn)
    print(f"{context.attr['file.description']}: {len(kept)} pages alike")
    if faults:
        print(f"  {len(faults)} differ: {dumps.runs(faults)}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
