"""crash_pages.py commands DUMP FOLDER: prints commands for crash that copy the pages that a dump keeps into files of a folder.
crash_pages.py check VMCORE DUMP FOLDER: whether they are the vmcore's."""

import pathlib
import sys

import dumps
import vmcore


def stretches(dump_path):
    """Neighbouring pages: frames and how many."""
    found = []
    for pfn in sorted(dumps.open_dump([dump_path]).kept()):
        if found and found[-1][0] + found[-1][1] == pfn:
            found[-1][1] += 1
        else:
            found.append([pfn, 1])
    return found


def commands(dump_path, folder):
    for pfn, count in stretches(dump_path):
        print(f"rd -p -r {folder}/{pfn:x} {pfn * vmcore.PAGE:x} {count * vmcore.PAGE}")
    print("quit")


def check(core_path, dump_path, folder):
    core = vmcore.Vmcore(core_path)
    count, wrong = 0, []
    for pfn, pages in stretches(dump_path):
        copied = pathlib.Path(folder, f"{pfn:x}").read_bytes()
        for at in range(pages):
            count += 1
            if copied[at * vmcore.PAGE : (at + 1) * vmcore.PAGE] != core.page(pfn + at):
                wrong.append(pfn + at)
    print(f"{count} pages read, {len(wrong)} differ{': ' + dumps.runs(wrong) if wrong else ''}")
    return bool(wrong) or not count


if __name__ == "__main__":
    sys.exit({"commands": commands, "check": check}[sys.argv[1]](*sys.argv[2:]))
