"""Dump files, read independently of the code under test: kdump-compressed (also split), ELF, flattened streams of both.

A dump knows which pages it keeps and hands each out decoded."""

import mmap
import struct
import tempfile

import codecs_in_c
import vmcore

PAGE = 4096
ZEROS = bytes(PAGE)
FLATTENED = b"makedumpfile\0\0\0\0"


def open_dump(paths):
    """A dump by the paths of its files: one, or the parts of a split set."""
    files = [plain(path) for path in paths]
    with open(files[0], "rb") as file:
        magic = file.read(8)
    if magic == b"KDUMP   ":
        return KdumpSet(files)
    return Elf(files[0])


def plain(path):
    """The path itself, or of a rearranged copy if the file is flattened. The end record must be there."""
    with open(path, "rb") as file:
        if file.read(16) != FLATTENED:
            return path
        kind, version = struct.unpack(">qq", file.read(16))
        if (kind, version) != (1, 1):
            raise ValueError(f"{path}: flattened of type {kind}, version {version}")
        file.seek(4096)
        copy = tempfile.NamedTemporaryFile(dir="/tmp", prefix="kcapture-", delete=False)
        COPIES.append(copy.name)
        while True:
            offset, size = struct.unpack(">qq", file.read(16))
            if offset == -1:
                break
            copy.seek(offset)
            copy.write(file.read(size))
        if file.read(1):
            raise ValueError(f"{path}: bytes after the end record")
        copy.close()
        return copy.name


# Rearranged copies, for the caller to remove.
COPIES = []


class Kdump:
    """One file in the kdump-compressed format, version 6, of a 64-bit little-endian machine."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        data = self.bytes
        (version,) = struct.unpack_from("<i", data, 8)
        if version != 6:
            raise ValueError(f"{path}: header version {version}")
        self.status, block, sub_blocks, bitmap_blocks = struct.unpack_from("<IiiI", data, 424)
        self.level, self.split = struct.unpack_from("<ii", data, block + 8)
        self.start, self.end, self.max_mapnr = struct.unpack_from("<QQQ", data, block + 80)
        if not self.split:
            self.start, self.end = 0, self.max_mapnr
        bitmaps = (1 + sub_blocks) * block
        size = bitmap_blocks * block // 2
        self.first = data[bitmaps : bitmaps + size]
        self.second = data[bitmaps + size : bitmaps + 2 * size]
        self.descriptors = bitmaps + 2 * size

    def kept(self):
        """PFNs of the second bitmap that are this file's own, in order."""
        return [pfn for pfn in bits(self.second) if self.start <= pfn < self.end]


class KdumpSet:
    """A whole dump: one file, or the parts of a split set."""

    def __init__(self, paths):
        self.parts = sorted((Kdump(path) for path in paths), key=lambda part: part.start)
        for part in self.parts[1:]:
            if part.second != self.parts[0].second or part.first != self.parts[0].first:
                raise ValueError("the parts' bitmaps differ")
        self.codecs_seen = set()

    def known(self):
        return set(bits(self.parts[0].first))

    def kept(self):
        return set(bits(self.parts[0].second))

    def pages(self):
        """(PFN, bytes or None if they do not decode) of every page kept."""
        codecs = codecs_in_c.Codecs()
        for part in self.parts:
            data = part.bytes
            zero_at = {}
            at = part.descriptors
            for pfn in part.kept():
                offset, size, flags, _ = struct.unpack_from("<qIIQ", data, at)
                at += 24
                self.codecs_seen.add(flags)
                if offset in zero_at:
                    yield pfn, zero_at[offset]
                    continue
                page = codecs.decode(flags, data[offset : offset + size])
                if page == ZEROS:
                    zero_at[offset] = page
                yield pfn, page


class Elf:
    """An ELF dump: pages without bytes in the file are excluded."""

    def __init__(self, path):
        self.core = vmcore.Vmcore(path)
        self.codecs_seen = set()

    def kept(self):
        return self.core.held()

    def pages(self):
        for pfn in sorted(self.core.held()):
            yield pfn, self.core.page(pfn)


def bits(bitmap):
    """Positions of the bits that are set, least significant first."""
    for at, byte in enumerate(bitmap):
        if byte:
            for bit in range(8):
                if byte >> bit & 1:
                    yield at * 8 + bit


def runs(pfns):
    """Sorted PFNs as text, in half-open ranges."""
    text, start, end = [], None, None
    for pfn in sorted(pfns):
        if pfn != end:
            if start is not None:
                text.append(f"{start:#x}..{end:#x}")
            start = pfn
        end = pfn + 1
    if start is not None:
        text.append(f"{start:#x}..{end:#x}")
    return " ".join(text[:20]) + (f" and {len(text) - 20} more ranges" if len(text) > 20 else "")
