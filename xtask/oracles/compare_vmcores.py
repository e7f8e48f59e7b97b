"""compare_vmcores.py PEER CPUS OURS THEIRS: what /proc/vmcore says of a machine that crashed twice from one state, once into
a kernel that kcap loaded, once into one that PEER loaded (kexec-tools or kernel). The files hold at least its headers and
notes. All must agree but what is listed here."""

import sys

from vmcore_headers import Headers

PAGE = 4096
MIB = 1 << 20

# By design:
# - RAM that /proc/iomem lists in pieces that touch is one PT_LOAD of ours, and one a piece of the peers'. The capture kernel
#   rounds each to whole pages: where pieces meet within a page, the peers' vmcore holds that page twice.
# - PT_LOADs that only the peer has: how many, which, why.
ONLY_PEERS = {
    "kexec-tools": [
        (
            1,
            lambda load: load["p_paddr"] + load["p_memsz"] <= MIB,
            "a copy of the memory below 1 MiB, for first kernels that let the capture kernel have the original; "
            "since 5.5 they reserve it",
        ),
    ],
    # The kernel leaves that memory out as well.
    "kernel": [],
}
# - The note of the map that the header was made of, which only ours has, and only if the kernel does not rewrite the header.
OUR_NOTE, OUR_NOTE_LEN = b"KCAPTURE\0", 64
# Each crash has its own second.
OTHER_VALUE = {"CRASHTIME"}


def pages(load):
    return (load["p_paddr"] % PAGE + load["p_memsz"] + PAGE - 1) // PAGE * PAGE


def offsets(notes, loads):
    """Where the capture kernel puts the segments: one after the other, in whole pages."""
    at = (notes["p_offset"] + notes["p_filesz"] + PAGE - 1) // PAGE * PAGE
    for load in loads:
        yield at + load["p_paddr"] % PAGE
        at += pages(load)


def check_offsets(name, headers):
    said = [load["p_offset"] for load in headers.loads]
    if said != list(offsets(headers.phdrs[0], headers.loads)):
        sys.exit(f"{name}: offsets that overlap or leave gaps:{shown(headers.phdrs)}")


def as_ours_would_be(peer, headers):
    """The peer's program headers without what differs by design, laid out anew."""
    loads = headers.loads
    for wanted, only, why in ONLY_PEERS[peer]:
        if sum(map(only, loads)) != wanted:
            sys.exit(f"{peer}: {sum(map(only, loads))} PT_LOADs, not {wanted}: {why}")
        loads = [load for load in loads if not only(load)]
    joined = []
    for load in loads:
        last = joined[-1] if joined else load
        if all(last[start] + last["p_memsz"] == load[start] for start in ("p_paddr", "p_vaddr")):
            last["p_memsz"] += load["p_memsz"]
            last["p_filesz"] += load["p_filesz"]
        else:
            joined.append(dict(load))
    for load, offset in zip(joined, offsets(headers.phdrs[0], joined)):
        load["p_offset"] = offset
    return [headers.phdrs[0], *joined]


def shown(phdrs):
    return "".join(f"\n  {' '.join(f'{field}={value:#x}' for field, value in phdr.items())}" for phdr in phdrs)


def check_registers(name, headers, cpus):
    """Every CPU was in the kernel when it stopped: none of these machines has anything else to do."""
    registers = headers.registers()
    if len(registers) != cpus:
        sys.exit(f"{name}: registers of {len(registers)} CPUs, not {cpus}")
    text = headers.loads[0]
    for cpu, values in enumerate(registers):
        if not text["p_vaddr"] <= values["rip"] < text["p_vaddr"] + text["p_memsz"]:
            sys.exit(f"{name}: CPU {cpu} was at {values['rip']:#x}, the kernel is at{shown([text])}")


def main(peer, cpus, ours, theirs):
    ours, theirs = Headers(ours), Headers(theirs)
    for name, headers in [("kcap", ours), (peer, theirs)]:
        check_offsets(name, headers)
        check_registers(name, headers, cpus)
    if ours.ehdr != theirs.ehdr:
        sys.exit(f"ELF header {ours.ehdr}, of {peer} {theirs.ehdr}")
    own = [note for note in ours.notes if note[0] == OUR_NOTE]
    for size in ("p_filesz", "p_memsz"):
        theirs.phdrs[0][size] += OUR_NOTE_LEN * len(own)
    expected = as_ours_would_be(peer, theirs)
    if ours.phdrs != expected:
        sys.exit(f"program headers:{shown(ours.phdrs)}\nof {peer}:{shown(expected)}")
    kinds = [
        [(note[0], note[1], len(note[2])) for note in headers.notes if note not in own] for headers in (ours, theirs)
    ]
    if kinds[0] != kinds[1]:
        sys.exit(f"notes {kinds[0]}, of {peer} {kinds[1]}")
    infos = [headers.vmcoreinfo() for headers in (ours, theirs)]
    differ = {key for key in infos[0].keys() | infos[1].keys() if infos[0].get(key) != infos[1].get(key)}
    if list(infos[0]) != list(infos[1]) or differ - OTHER_VALUE:
        sys.exit(f"VMCOREINFO differs from that of {peer}: {sorted(differ)}")
    print(
        f"/proc/vmcore as where {peer} loaded: {len(ours.loads)} PT_LOADs, {len(ours.notes)} notes with {len(own)} of ours, "
        f"{len(infos[0])} lines of VMCOREINFO"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
