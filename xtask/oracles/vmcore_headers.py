"""The beginning of a /proc/vmcore of x86-64: ELF header, program headers, notes."""

import struct
import sys

PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS = 1
FIELDS = "p_type p_flags p_offset p_vaddr p_paddr p_filesz p_memsz p_align".split()
# pr_reg of struct elf_prstatus, in the order of struct user_regs_struct.
PR_REG = 112
REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss fs.base gs.base ds es fs gs"
).split()


class Headers:
    """Fails where they are not what the capture kernel writes: one PT_NOTE and then PT_LOADs, every note whole."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        ehdr = list(struct.unpack_from("<16sHHIQQQIHHHHHH", self.data))
        phoff, phentsize, phnum = ehdr[5], ehdr[9], ehdr.pop(10)
        # Without e_phnum.
        self.ehdr = ehdr
        ends = range(phoff, phoff + phnum * phentsize, phentsize)
        self.phdrs = [dict(zip(FIELDS, struct.unpack_from("<IIQQQQQQ", self.data, at))) for at in ends]
        types = [phdr["p_type"] for phdr in self.phdrs]
        if types != [PT_NOTE] + [PT_LOAD] * (phnum - 1) or phnum < 2:
            sys.exit(f"{path}: not one PT_NOTE and then PT_LOADs: {types}")
        self.loads = self.phdrs[1:]
        # (name, type, desc)
        self.notes = list(self.parse_notes(path))

    def parse_notes(self, path):
        at = self.phdrs[0]["p_offset"]
        end = at + self.phdrs[0]["p_filesz"]
        if end > len(self.data):
            sys.exit(f"{path}: the notes end at {end:#x}, the file at {len(self.data):#x}")
        while at < end:
            namesz, descsz, kind = struct.unpack_from("<III", self.data, at)
            name = at + 12
            desc = name + (namesz + 3) // 4 * 4
            yield self.data[name : name + namesz], kind, self.data[desc : desc + descsz]
            at = desc + (descsz + 3) // 4 * 4
        if at != end:
            sys.exit(f"{path}: the last note ends at {at:#x}, their segment at {end:#x}")

    def vmcoreinfo(self):
        """Its lines as a dictionary."""
        texts = [desc for name, kind, desc in self.notes if (name, kind) == (b"VMCOREINFO\0", 0)]
        if len(texts) != 1:
            sys.exit(f"{len(texts)} notes VMCOREINFO")
        return dict(line.split("=", 1) for line in texts[0].decode("ascii").splitlines())

    def registers(self):
        """Of every CPU, by name."""
        words = struct.Struct(f"<{len(REGISTERS)}Q")
        prstatus = [desc for name, kind, desc in self.notes if (name, kind) == (b"CORE\0", NT_PRSTATUS)]
        return [dict(zip(REGISTERS, words.unpack_from(desc, PR_REG))) for desc in prstatus]
