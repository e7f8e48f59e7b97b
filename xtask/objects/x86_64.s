# Relocations that the compiler does not write by itself.
    .text
    .globl more
more:
    movq counter@GOTPCREL(%rip), %rax
    movabs $counter, %rax
    jmp digest
    .data
    .quad digest - .
    .quad counter + 8
