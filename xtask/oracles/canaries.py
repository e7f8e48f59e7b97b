"""Canary pages: written before the crash by xtask/guest, one kind of page each; see canary.rs there for the layout."""

import struct

MAGIC = b"kcCANARY"
PAGE = 4096
NAMES = (
    "anon thp mthp hugetlb ksm tmpfs tmpfs-huge rootfs ext4-1k ext4-4k ext4-1k-dirty ext4-4k-dirty bdev pipe freed "
    "hwpoison locked"
).split()


def content(kind, index):
    """The bytes of a canary page."""
    words = [kind << 48 | index << 16 | at for at in range(PAGE // 8)]
    page = bytearray(struct.pack("<512Q", *words))
    page[:16] = MAGIC + struct.pack("<II", kind, index)
    return bytes(page)


def find(core):
    """{PFN: (name, index)} of every canary page of a vmcore."""
    found = {}
    for pfn in core.held():
        page = core.page(pfn)
        if page[:8] == MAGIC:
            kind, index = struct.unpack_from("<II", page, 8)
            if 1 <= kind <= len(NAMES) and page == content(kind, index):
                found[pfn] = (NAMES[kind - 1], index)
    return found
