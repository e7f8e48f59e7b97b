# Relocations that the compiler does not write by itself.
    .abiversion 2
    .text
    .globl more
more:
    lis 3, counter@highest
    ori 3, 3, counter@higher
    lis 4, counter@highesta
    ori 4, 4, counter@highera
    oris 3, 3, counter@high
    addis 5, 5, counter@higha
    ori 3, 3, counter@l
    ld 6, counter@l(3)
    bl digest
    beq digest
    blr
    .data
    .balign 8
    .long digest - .
    .quad digest - .
    .quad counter + 8
