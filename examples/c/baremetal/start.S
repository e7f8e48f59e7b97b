/* The entry of a PVH guest: 32-bit code without paging, ebx at the start info. It maps the first 4 GiB one to one, enters long mode
   and calls kernel(start_info). */
.section .note.pvh,"a",@note
.long 4,4,18
.asciz "Xen"
.long start
.text
.code32
.globl start
start:
  cli
  movl $stack_end, %esp
  movl $pml4, %edi; movl $pdpt+3, (%edi)
  movl $pdpt, %edi; movl $pd+3, %eax; movl $4, %ecx
1: movl %eax,(%edi); addl $8,%edi; addl $0x1000,%eax; loop 1b
  movl $pd, %edi; movl $0x83, %eax; movl $2048, %ecx
2: movl %eax,(%edi); addl $8,%edi; addl $0x200000,%eax; loop 2b
  movl $0x20,%eax; movl %eax,%cr4
  movl $pml4,%eax; movl %eax,%cr3
  movl $0xc0000080,%ecx; rdmsr; orl $0x100,%eax; wrmsr
  movl $0x80000001,%eax; movl %eax,%cr0
  lgdt gdtp
  ljmp $8,$long_mode
.code64
long_mode:
  movl $16,%eax; movl %eax,%ds; movl %eax,%es; movl %eax,%ss
  movl $stack_end,%esp
  xorl %ebp,%ebp
  movl %ebx,%edi
  call kernel
3: hlt; jmp 3b
.balign 8
gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtp: .short 23; .long gdt; .long 0
.bss
.balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4*4096
.skip 256*1024
stack_end:
.section .note.GNU-stack,"",@progbits
