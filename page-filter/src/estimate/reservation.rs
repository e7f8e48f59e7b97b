//! How much memory a crash kernel needs.

/// What `crashkernel=` should set aside, in bytes: the same for every dump level, since a dump is made in a memory of its own
/// size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// Less than this is not enough for a kernel of the size of the running one and a small RAM disk.
    pub least: u64,
    /// What distributions set aside for their own RAM disks, with drivers of every device.
    pub safe: u64,
}

const MIB: u64 = 1 << 20;
/// A small RAM disk, unpacked and packed, and what runs in it.
const SMALL_SYSTEM: u64 = 48 * MIB;

/// For a machine with `ram` bytes whose kernel takes `kernel` bytes: code, data and bss.
///
/// Source: `1G-4G:192M,4G-64G:256M,64G-:512M`, the default of kdump-utils (Fedora, RHEL) for x86-64.
#[must_use]
pub const fn crash_kernel(ram: u64, kernel: u64) -> Reservation {
    let least = round_up(kernel.saturating_add(SMALL_SYSTEM));
    let usual = match ram {
        0..0x1_0000_0000 => 192 * MIB,
        0x1_0000_0000..0x10_0000_0000 => 256 * MIB,
        _ => 512 * MIB,
    };
    Reservation { least, safe: if least > usual { least } else { usual } }
}

/// To whole 16 MiB.
const fn round_up(bytes: u64) -> u64 {
    bytes.div_ceil(16 * MIB).saturating_mul(16 * MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_grows_with_the_machine() {
        let mib = |ram: u64, kernel: u64| {
            let found = crash_kernel(ram << 30, kernel * MIB);
            (found.least / MIB, found.safe / MIB)
        };
        assert_eq!(mib(2, 40), (96, 192));
        assert_eq!(mib(4, 40), (96, 256));
        assert_eq!(mib(64, 40), (96, 512));
        assert_eq!(mib(1, 300), (352, 352));
        assert_eq!(crash_kernel(u64::MAX, u64::MAX).least % MIB, MIB - 1);
    }
}
