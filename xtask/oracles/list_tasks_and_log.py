"""Run by drgn: every task and the kernel's log."""

from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.printk import get_dmesg

for task in for_each_task(prog):  # noqa: F821 (drgn's own)
    print("task", task.pid.value_(), task.comm.string_().decode(), hex(task.value_()))
print(get_dmesg(prog).decode(errors="replace"))  # noqa: F821
