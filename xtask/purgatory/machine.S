/* The old kernel, as the purgatory meets it: started by the PVH note, it enters long mode with the first GiB mapped
   one to one, no descriptor tables and SSE off, and jumps to the purgatory. */
.section .note.pvh,"a",@note
.long 4,4,18
.asciz "Xen"
.long start
.text
.code32
.globl start
start:
  cli
  movl $pml4, %edi; movl $pdpt+3, (%edi)
  movl $pdpt, %edi; movl $pd+3, (%edi)
  movl $pd, %edi; movl $0x83, %eax; movl $512, %ecx
1: movl %eax,(%edi); movl $0,4(%edi); addl $8,%edi; addl $0x200000,%eax; loop 1b
  movl $0x20,%eax; movl %eax,%cr4
  movl $pml4,%eax; movl %eax,%cr3
  movl $0xc0000080,%ecx; rdmsr; orl $0x100,%eax; wrmsr
  movl $0x80000001,%eax; movl %eax,%cr0
  lgdt gdtp
  ljmp $8,$long
.code64
long:
  lgdt zero
  lidt zero
  movq $0x390000,%rsp
  xorl %ebx,%ebx; xorl %esi,%esi; xorl %edi,%edi
  movl $0x400000,%eax
  jmp *%rax
.balign 8
gdt: .quad 0, 0x00af9b000000ffff
gdtp: .short 15; .long gdt; .long 0
zero: .short 0; .quad 0
.section .purgatory,"awx"
.incbin "image.bin"
.section .kernel,"awx"
.incbin "kernel.bin"
.bss
.balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
