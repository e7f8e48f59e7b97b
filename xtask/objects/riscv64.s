# Relocations that the compiler does not write by itself.
    .text
    .globl more
more:
1:  auipc a0, %pcrel_hi(counter)
    sd a1, %pcrel_lo(1b)(a0)
    beq a0, a1, digest
    call digest
    tail console
    ret
    .data
    .half 0x1234
    .byte 7
    .byte 0
    .word digest - more
    .dword digest - more
    .half digest - more
