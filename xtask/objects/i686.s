# Relocations that the compiler does not write by itself.
    .text
    .globl more
more:
    movl $counter, %eax
    jmp digest
    call digest@PLT
    .data
    .long digest - .
    .long counter + 8
