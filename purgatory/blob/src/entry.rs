//! The way in from the old kernel and the way out to the new one.

use core::arch::global_asm;
use core::mem::offset_of;
use purgatory::Parameters;

// The descriptors have their accessed bit set, so that loading them writes nothing. The new kernel keeps this table
// until it loads its own: it lies in the object's segment, which the new kernel finds as memory that it may use only
// after it has.
global_asm!(
    r#"
    .section .text.purgatory_start, "ax", @progbits
    .globl purgatory_start
    .type purgatory_start, @function
purgatory_start:
    cli
    cld
    lgdt [rip + gdt_pointer]
    mov eax, 0x18
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    lea rsp, [rip + stack_end]
    lea rax, [rip + 2f]
    push 0x10
    push rax
    retfq
2:
    xor ebp, ebp
    lea rdi, [rip + kcapture_parameters]
    call purgatory_main

    mov rsp, [rip + kcapture_parameters + {stack}]
    test rsp, rsp
    jnz 3f
    lea rsp, [rip + stack_end]
3:
    mov rsi, [rip + kcapture_parameters + {boot_params}]
    xor eax, eax
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor edi, edi
    xor ebp, ebp
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    jmp [rip + kcapture_parameters + {entry}]
    .size purgatory_start, . - purgatory_start

    .section .data.purgatory_gdt, "aw", @progbits
    .balign 8
gdt:
    .quad 0
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
gdt_pointer:
    .short gdt_pointer - gdt - 1
    .quad gdt

    .section .bss.purgatory_stack, "aw", @nobits
    .balign 16
    .skip 4096
stack_end:

    .section .note.GNU-stack, "", @progbits
    .text
"#,
    stack = const offset_of!(Parameters, stack),
    boot_params = const offset_of!(Parameters, boot_params),
    entry = const offset_of!(Parameters, entry),
);
