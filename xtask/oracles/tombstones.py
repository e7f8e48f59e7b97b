"""tombstones.py VMCORE OUT: a copy of a vmcore in whose header slots are unused, as after a patch in place: one between the
PT_LOADs, one that still has its address, and some at the end."""

import shutil
import struct
import sys

PHDR = "<IIQQQQQQ"
PT_NULL, PT_LOAD = 0, 1


def main(core, out):
    shutil.copyfile(core, out)
    with open(out, "r+b") as file:
        ehdr = bytearray(file.read(64))
        phnum = struct.unpack_from("<H", ehdr, 56)[0]
        phdrs = [struct.unpack(PHDR, file.read(56)) for _ in range(phnum)]
        first = next(at for at, phdr in enumerate(phdrs) if phdr[0] == PT_LOAD)
        last = phdrs[-1]
        # What a removal leaves: p_type and the sizes are 0, the rest stands.
        removed = (PT_NULL, last[1], last[2], last[3], last[4], 0, 0, last[7])
        empty = (PT_NULL, 0, 0, 0, 0, 0, 0, 0)
        table = phdrs[: first + 2] + [removed, empty] + phdrs[first + 2 :] + [removed] + [empty] * 8
        if 64 + 56 * len(table) > min(phdr[2] for phdr in phdrs):
            sys.exit("no room before the notes")
        struct.pack_into("<H", ehdr, 56, len(table))
        file.seek(0)
        file.write(ehdr + b"".join(struct.pack(PHDR, *phdr) for phdr in table))
    print(f"{len(table)} program headers, {len(table) - len(phdrs)} of them unused")


if __name__ == "__main__":
    main(*sys.argv[1:])
