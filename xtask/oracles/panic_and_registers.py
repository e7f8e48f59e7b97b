"""panic_and_registers.py CPUS HEADERS, run by drgn on a dump: the stack of the task that panicked goes from the system call
to the crash, and every CPU has the registers that the notes of /proc/vmcore had; HEADERS holds their bytes."""

import sys

from drgn.helpers.linux.sched import cpu_curr

from vmcore_headers import Headers

prog = prog  # noqa: F821 (drgn's own)
# Innermost first.
CALLS = ["__crash_kexec", "panic", "sysrq_handle_crash", "write_sysrq_trigger", "ksys_write"]

trace = prog.stack_trace(prog.crashed_thread().object)
names = [frame.name for frame in trace]
if [name for name in names if name in CALLS] != CALLS:
    sys.exit(f"the task that panicked was not in {CALLS}:\n{trace}")

of_notes = Headers(sys.argv[2]).registers()
if len(of_notes) != int(sys.argv[1]):
    sys.exit(f"notes of {len(of_notes)} CPUs, not {sys.argv[1]}")
for cpu, expected in enumerate(of_notes):
    frame = prog.stack_trace(cpu_curr(prog, cpu))[0]
    registers = frame.registers()
    # A kernel's stack frame does not have the system call's number.
    del expected["orig_rax"]
    if registers != expected:
        sys.exit(f"CPU {cpu}: {registers}, in the notes {expected}")
    print(f"CPU {cpu} in {frame.name}")
