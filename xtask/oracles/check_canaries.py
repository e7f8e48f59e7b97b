"""check_canaries.py FOLDER DUMP LEVEL..: the canary pages of each kind are in a dump, or not, as its level demands.

DUMP holds '{}' in place of the level. Every canary written must be found in the vmcore first, so that none can be
missed. FOLDER is a machine's folder in the cache."""

import os
import sys
from collections import Counter, defaultdict

import canaries
import dumps
import kpageflags
import vmcore

USER = {"anon", "thp", "mthp", "hugetlb", "ksm", "locked"}
CACHE = {"tmpfs", "tmpfs-huge", "rootfs", "ext4-1k", "ext4-4k", "ext4-1k-dirty", "ext4-4k-dirty", "bdev"}
# Cache pages on their way to an LRU list, or back from it to a CPU's free pages, carry no mark of a cache page.
IN_TRANSIT = 64


def written(folder):
    with open(os.path.join(folder, "canaries"), encoding="ascii") as file:
        return {name: int(count) for _, name, count in map(str.split, file)}


def per_cpu_free(folder):
    """How many free pages the CPUs hold back from the buddy lists: those are not marked as free."""
    with open(os.path.join(folder, "zoneinfo"), encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.strip().startswith("count:"))


def marked(flags, pfn, bit):
    return pfn < len(flags) and kpageflags.has(flags[pfn], bit)


def left_out(name, private, free, level, poison_known):
    """Whether a canary page has no place in a dump of a level."""
    if free or name == "freed":
        return level & kpageflags.FREE_LEVEL != 0
    if name in USER:
        return level & kpageflags.USER_LEVEL != 0
    if name in CACHE:
        cache = kpageflags.CACHE_PRIVATE_LEVEL | (0 if private else kpageflags.CACHE_LEVEL)
        return level & cache != 0
    return name == "hwpoison" and poison_known


def all_found(folder, found):
    """Every canary written is somewhere in the vmcore; those freed again may have been overwritten."""
    missing = 0
    indexes = defaultdict(set)
    for name, index in found.values():
        indexes[name].add(index)
    for name, count in written(folder).items():
        if name != "freed" and len(indexes[name]) != count:
            missing += 1
            print(f"  {name}: {count} written, {len(indexes[name])} found in the vmcore")
    return missing


def main(folder, dump_path, *levels):
    core = vmcore.Vmcore(os.path.join(folder, "vmcore"))
    flags = kpageflags.read(os.path.join(folder, "kpageflags"))
    poison_known = b"NUMBER(PG_hwpoison)" in core.bytes[: core.loads[0][3]]
    found = canaries.find(core)
    faults = all_found(folder, found)
    for level in map(int, levels):
        kept = dumps.open_dump([dump_path.format(level)]).kept()
        counts, wrong, held_back, in_transit = Counter(), defaultdict(list), [], []
        for pfn, (name, _) in found.items():
            free = marked(flags, pfn, kpageflags.BUDDY)
            drop = left_out(name, marked(flags, pfn, kpageflags.PRIVATE), free, level, poison_known)
            counts[name] += pfn in kept
            if drop == (pfn not in kept):
                continue
            if name in ("freed", "ksm") and drop and not free and not marked(flags, pfn, kpageflags.ANON):
                # Merging frees the copies.
                held_back.append(pfn)
            elif name in CACHE and drop and not marked(flags, pfn, kpageflags.LRU):
                in_transit.append(pfn)
            else:
                wrong[name].append(pfn)
        kinds = " ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)
        print(f"level {level}: kept {kinds or 'none'}; {len(in_transit)} in transit")
        if len(held_back) > per_cpu_free(folder) + IN_TRANSIT:
            wrong["freed"] += held_back
        if len(in_transit) > IN_TRANSIT:
            wrong["pages in transit"] += in_transit
        for name, pfns in wrong.items():
            faults += 1
            what = "kept" if pfns[0] in kept else "left out"
            print(f"  {len(pfns)} of {name} {what} wrongly: {dumps.runs(pfns)}")
    return faults


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
