// Relocations that the compiler does not write by itself.
    .text
    .globl more
more:
    movz x0, #:abs_g3:counter
    movk x0, #:abs_g2_nc:counter
    movk x0, #:abs_g1_nc:counter
    movk x0, #:abs_g0_nc:counter
    ldr x1, literal
    adr x2, more
    adrp x3, wide
    ldr q0, [x3, :lo12:wide]
    cbz x0, digest
    tbz x0, #3, near
    b digest
near:
    ret
    .globl literal
literal:
    .quad counter + 8
    .word digest - .
    .quad digest - .
    .data
    .balign 16
    .globl wide
wide:
    .quad 1, 2
