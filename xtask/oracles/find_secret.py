"""find_secret.py VMCORE DUMP: 32 bytes over the end of a page that stand once in the pages that the dump keeps; prints their
physical address and the one after them, hexadecimal."""

import sys

import dumps
import vmcore

BEFORE = 20
LEN = 32


def main(core_path, dump_path):
    core = vmcore.Vmcore(core_path)
    kept = sorted(dumps.open_dump([dump_path]).kept())
    everything = b"".join(core.page(pfn) for pfn in kept)
    pairs = [pfn for pfn, after in zip(kept, kept[1:]) if after == pfn + 1]
    for pfn in pairs[len(pairs) // 2 :]:
        secret = (core.page(pfn) + core.page(pfn + 1))[vmcore.PAGE - BEFORE :][:LEN]
        # As random as a key is, and in no other place.
        if len(set(secret)) > 24 and everything.count(secret) == 1:
            start = (pfn + 1) * vmcore.PAGE - BEFORE
            print(f"{start:x} {start + LEN:x}")
            return False
    print("there is none")
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
