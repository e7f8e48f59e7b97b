# Relocations that the compiler does not write by itself.
    .text
    .globl more
more:
    la %r1, small_number(%r2)
    lay %r1, large_number(%r2)
    brasl %r14, digest
    j digest
    br %r14
    .data
    .byte tiny_number
    .balign 2
    .short small_number
    .long large_number
    .long digest - .
    .quad digest - .
