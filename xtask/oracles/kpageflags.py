"""What /proc/kpageflags said of every page frame just before the crash (include/uapi/linux/kernel-page-flags.h and
fs/proc/page.c of Linux 6.1 and 6.12), and which pages a dump level leaves out by it."""

import struct

ERROR, LRU, SLAB, BUDDY, ANON, SWAPCACHE, SWAPBACKED = 1, 5, 7, 10, 12, 13, 14
HEAD, TAIL, HUGETLB, HWPOISON, NOPAGE, OFFLINE, PRIVATE = 15, 16, 17, 19, 20, 23, 35

ZERO_LEVEL, CACHE_LEVEL, CACHE_PRIVATE_LEVEL, USER_LEVEL, FREE_LEVEL = 1, 2, 4, 8, 16


def read(path):
    """The flags by PFN. Some are given for the first page of a compound page alone: its other pages share them."""
    with open(path, "rb") as file:
        words = file.read()
    flags = [word for (word,) in struct.iter_unpack("<Q", words)]
    head = 0
    for pfn, own in enumerate(flags):
        if own >> HEAD & 1:
            head = own
        elif own >> TAIL & 1:
            flags[pfn] = own | head & ~(1 << HEAD)
    return flags


def has(flags, bit):
    return flags >> bit & 1 == 1


def left_out(flags, level, poison_known):
    """Whether a page with these flags has no place in a dump of this level."""
    if has(flags, OFFLINE) or (poison_known and has(flags, HWPOISON)):
        return True
    if has(flags, BUDDY):
        return level & FREE_LEVEL != 0
    if has(flags, SLAB):
        return False
    if has(flags, ANON) or has(flags, HUGETLB):
        return level & USER_LEVEL != 0
    if has(flags, LRU) or (has(flags, SWAPCACHE) and has(flags, SWAPBACKED)):
        wanted = CACHE_PRIVATE_LEVEL if has(flags, PRIVATE) else CACHE_LEVEL | CACHE_PRIVATE_LEVEL
        return level & wanted != 0
    return False
