/* The new kernel: at its 64-bit entry it prints "K", bits 8-15 of rsi, CS and SS plus 0x30, and "C" if the 95 bytes at
   0x300000, of the old kernel, lie at 0x800000 too and nothing behind them; then it ends QEMU. */
.text
.code64
.skip 0x200, 0x90
  mov $0x3f8,%dx
  mov $'K',%al; out %al,%dx
  mov %esi,%eax; shr $8,%eax; out %al,%dx
  mov %cs,%eax; add $0x30,%al; out %al,%dx
  mov %ss,%eax; add $0x30,%al; out %al,%dx
  mov $0x300000,%esi; mov $0x800000,%edi; mov $95,%ecx; mov $'-',%al
  repe cmpsb; jne 2f
  cmpb $0,(%rdi); jne 2f
  mov $'C',%al
2: out %al,%dx
  mov $10,%al; out %al,%dx
  mov $0xf4,%dx; mov $0x10,%al; out %al,%dx
1: hlt; jmp 1b
/* Code and data that is not reached, of no round size. */
.skip 100000, 0x5a
