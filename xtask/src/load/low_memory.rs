//! The memory below 640 KiB, in which a capture kernel boots: where the kernel that crashes uses it too (Linux before 5.5),
//! our purgatory copies it first, and `/proc/vmcore` shows the copy.

use std::path::Path;

use crate::guest::Guest;
use crate::run::{Outcome, command, output};

/// In the first kernel: from now on it is an older one to kcap. Then it says where its low memory is.
pub(super) const OLDER_KERNEL: &str = "\
echo 5.4.0 > /tmp/osrelease
mount -o bind /tmp/osrelease /proc/sys/kernel/osrelease || poweroff -f
echo \"kcapture: low $(grep -m 1 'System RAM' /proc/iomem)\"";

/// In the capture kernel, before all else: the digest of each `PT_LOAD` below 1 MiB. A program header is seven words of
/// 64 bits; the lower half of the first is `p_type`.
pub(super) const SUM: &str = "#!/bin/busybox sh
/bin/busybox --install -s /tmp
export PATH=/tmp
mount -t proc proc /proc
headers=$(od -A n -t u2 -j 56 -N 2 /proc/vmcore)
od -v -A n -t u8 -w56 -j 64 -N $((headers * 56)) /proc/vmcore |
while read kind offset vaddr paddr filesz memsz align; do
if [ $((kind % 4294967296)) = 1 ] && [ $paddr -lt 1048576 ]; then
sum=$(dd if=/proc/vmcore bs=1024 skip=$((offset / 1024)) count=$((memsz / 1024)) 2> /dev/null | sha256sum)
echo \"kcapture: low memory $paddr $memsz ${sum%% *}\"
fi
done
umount /proc
exec /init
";

/// What the capture kernel must say: the digest of that memory as QEMU has it now.
pub(super) fn expected(guest: &Guest, console: &[String], folder: &Path) -> Outcome<String> {
    let (start, end) =
        console.iter().find_map(|line| range(line)).ok_or("the kernel does not say its low memory")?;
    let file = folder.join("low-memory");
    guest.save_memory(start, end - start, &file)?;
    let sum = output(command(&["sha256sum"]).arg(&file))?;
    let sum = sum.split_whitespace().next().ok_or("sha256sum says nothing")?;
    Ok(format!("kcapture: low memory {start} {} {sum}", end - start))
}

/// `kcapture: low 00001000-0009fbff : System RAM`
fn range(line: &str) -> Option<(u64, u64)> {
    let (start, last) = line.strip_prefix("kcapture: low ")?.split_once(" : ")?.0.split_once('-')?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((number(start)?, number(last)? + 1))
}
