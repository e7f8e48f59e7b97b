"""The raw ELF vmcore, read with nothing but its own PT_LOAD table: what every dump of it is compared with."""

import mmap
import struct

PAGE = 4096
PT_LOAD = 1


class Vmcore:
    """Little-endian ELF64 cores, as x86-64 kernels and QEMU write them."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.bytes[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path}: not a little-endian ELF64 file")
        (phoff,) = struct.unpack_from("<Q", self.bytes, 32)
        phentsize, phnum = struct.unpack_from("<HH", self.bytes, 54)
        if phnum == 0xFFFF:
            (shoff,) = struct.unpack_from("<Q", self.bytes, 40)
            (phnum,) = struct.unpack_from("<I", self.bytes, shoff + 44)
        # (start, end of memory, end of bytes in the file, offset), addresses in bytes
        self.loads = []
        for at in range(phoff, phoff + phnum * phentsize, phentsize):
            p_type, _, offset, _, paddr, filesz, memsz = struct.unpack_from("<IIQQQQQ", self.bytes, at)
            if p_type == PT_LOAD:
                self.loads.append((paddr, paddr + memsz, paddr + filesz, offset))

    def held(self):
        """Every PFN of which the file has at least one byte."""
        pfns = set()
        for start, _, end, _ in self.loads:
            if end > start:
                pfns.update(range(start // PAGE, -(-end // PAGE)))
        return pfns

    def partial(self):
        """PFNs of which only the beginning lies in a PT_LOAD, and no other PT_LOAD has the whole."""
        whole = set()
        for start, _, end, _ in self.loads:
            whole.update(range(-(-start // PAGE), end // PAGE))
        return {end // PAGE for _, _, end, _ in self.loads if end % PAGE} - whole

    def page(self, pfn):
        """The page's bytes, zeros where no PT_LOAD has any; None if the file holds nothing of it."""
        address = pfn * PAGE
        pieces = None
        for start, _, end, offset in self.loads:
            if start <= address and address + PAGE <= end:
                at = offset + address - start
                return self.bytes[at : at + PAGE]
            low, high = max(start, address), min(end, address + PAGE)
            if low < high:
                pieces = pieces or bytearray(PAGE)
                at = offset + low - start
                pieces[low - address : high - address] = self.bytes[at : at + high - low]
        return None if pieces is None else bytes(pieces)

    def in_memory(self, pfn):
        """Whether a PT_LOAD says that the page exists, with bytes in the file or not."""
        return any(start <= pfn * PAGE < end for start, end, _, _ in self.loads)
