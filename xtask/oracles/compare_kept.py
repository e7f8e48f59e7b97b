"""compare_kept.py VMCORE OURS PEERS [zeros]: the pages two dumps of one vmcore keep, by their second bitmaps.

Every difference must be the documented one: the partial last page of a PT_LOAD, which we keep and makedumpfile drops; and zero
pages, with 'zeros'."""

import sys

import dumps
import vmcore


def main(core_path, ours_path, peers_path, zeros=None):
    core = vmcore.Vmcore(core_path)
    ours, peers = dumps.open_dump([ours_path]), dumps.open_dump([peers_path])
    partial = core.partial()
    ours_only, peers_only = ours.kept() - peers.kept(), peers.kept() - ours.kept()
    explained = ours_only & partial
    if zeros:
        partial = partial | {pfn for pfn in ours_only | peers_only if core.page(pfn) == dumps.ZEROS}
    print(f"{len(ours.kept())} kept by both but for {len(explained)} partial pages: {dumps.runs(explained)}")
    faults = 0
    for what, pfns in (("kept by us alone", ours_only - partial), ("kept by the peer alone", peers_only - partial)):
        if pfns:
            faults += 1
            print(f"  {len(pfns)} {what}: {dumps.runs(pfns)}")
    return faults


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
