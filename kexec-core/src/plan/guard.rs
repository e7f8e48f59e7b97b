//! Purgatory, linked at its place and told what to check and what to enter.

use purgatory::{PARAMETERS_SYMBOL, Parameters, REGIONS};
use vmcore_format::PhysAddr;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use crate::digest::Regions;
use crate::elfcorehdr::Backup;
use crate::object::Object;
use crate::{Error, Field};

use super::PlanError;
use super::request::{Profile, Purgatory};

/// Addresses and lengths in bytes of what the digest covers; unused entries are 0.
pub(super) type Table = [purgatory::Region; REGIONS];

/// What purgatory is told, whatever its profile.
pub(super) struct Orders {
    /// The 64-bit entry of the kernel.
    pub(super) entry: PhysAddr,
    pub(super) boot_params: PhysAddr,
    pub(super) digest: [u8; 32],
    pub(super) backup: Option<Backup>,
    pub(super) regions: Table,
}

pub(super) fn table(regions: &Regions<'_>) -> Table {
    let mut table = [purgatory::Region::new(0, 0); REGIONS];
    for (entry, region) in table.iter_mut().zip(regions.as_slice()) {
        let len = u64::try_from(region.bytes().len()).unwrap_or(u64::MAX);
        *entry = purgatory::Region::new(region.start().0, len);
    }
    table
}

/// Links the object for the address `at` in `image`, and tells it its orders.
pub(super) fn link(
    request: &Purgatory<'_>,
    at: PhysAddr,
    orders: &Orders,
    image: &mut [u8],
) -> Result<(), PlanError> {
    let object = Object::parse(request.object)?;
    object.link(at.0, image)?;
    match request.profile {
        Profile::Kcapture => {
            object.set_symbol(image, PARAMETERS_SYMBOL, parameters(request, orders).as_bytes())?;
        }
        Profile::KexecTools => {
            let stack = stack_end(&object, at)?;
            let regs = Registers { stack, order: KEXEC_TOOLS_ORDER };
            object.set_symbol(image, b"sha256_regions", used(request, orders).as_bytes())?;
            object.set_symbol(image, b"sha256_digest", &digest(request, orders))?;
            object.set_symbol(image, b"entry64_regs", regs.of(orders).as_bytes())?;
            object.set_symbol(image, b"skip_checks", &u32::from(!request.check).to_le_bytes())?;
            if let Some(backup) = orders.backup {
                object.set_symbol(image, b"panic_kernel", &[1])?;
                object.set_symbol(image, b"backup_start", &backup.copy.0.to_le_bytes())?;
                object.set_symbol(image, b"backup_src_start", &backup.source.start.0.to_le_bytes())?;
                object.set_symbol(image, b"backup_src_size", &backup.source.len().to_le_bytes())?;
            }
            object.set_symbol(image, b"console_vga", &[u8::from(request.vga)])?;
            object.set_symbol(image, b"console_serial", &[u8::from(request.serial_port != 0)])?;
            if request.serial_port != 0 {
                object.set_symbol(image, b"serial_base", &request.serial_port.to_le_bytes())?;
                object.set_symbol(image, b"serial_baud", &request.serial_baud.to_le_bytes())?;
            }
        }
        Profile::Kernel => {
            // It had symbols for a backup while the kernel's own loader made one, before Linux 5.5.
            if let Some(backup) = orders.backup {
                let field = Field::BackupRegion;
                return Err(Error::Unsupported { field, value: backup.copy.0 }.into());
            }
            let stack = stack_end(&object, at)?;
            let regs = Registers { stack, order: KERNEL_ORDER };
            object.set_symbol(image, b"purgatory_sha_regions", used(request, orders).as_bytes())?;
            object.set_symbol(image, b"purgatory_sha256_digest", &digest(request, orders))?;
            object.set_symbol(image, b"entry64_regs", regs.of(orders).as_bytes())?;
        }
    }
    Ok(())
}

fn parameters(request: &Purgatory<'_>, orders: &Orders) -> Parameters {
    let mut parameters = Parameters::new(orders.entry.0, orders.boot_params.0);
    parameters.digest = orders.digest;
    parameters.regions = orders.regions;
    if let Some(backup) = orders.backup {
        parameters.backup_source = purgatory::Region::new(backup.source.start.0, backup.source.len());
        parameters.backup_copy = U64::new(backup.copy.0);
    }
    parameters.on_mismatch = request.on_mismatch.number();
    parameters.skip_check = u8::from(!request.check);
    parameters.vga = u8::from(request.vga);
    parameters.serial_port = U16::new(request.serial_port);
    parameters.serial_baud = U32::new(request.serial_baud);
    parameters
}

/// The table of a purgatory that has no other way to check nothing.
fn used(request: &Purgatory<'_>, orders: &Orders) -> Table {
    if request.check { orders.regions } else { [purgatory::Region::new(0, 0); REGIONS] }
}

/// The digest that goes with [`used`].
fn digest(request: &Purgatory<'_>, orders: &Orders) -> [u8; 32] {
    if request.check { orders.digest } else { Regions::new().sha256() }
}

/// The registers with which a foreign purgatory enters the kernel: 17 numbers of 64 bits.
struct Registers {
    stack: u64,
    order: Order,
}

/// Where rsi, rsp and rip stand among the 17.
struct Order {
    rsi: usize,
    rsp: usize,
    rip: usize,
}

/// rax rbx rcx rdx rsi rdi rsp rbp r8-r15 rip.
const KEXEC_TOOLS_ORDER: Order = Order { rsi: 4, rsp: 6, rip: 16 };
/// rax rcx rdx rbx rsp rbp rsi rdi r8-r15 rip.
const KERNEL_ORDER: Order = Order { rsi: 6, rsp: 4, rip: 16 };

impl Registers {
    /// The kernel wants its `boot_params` in rsi; the other registers are 0.
    fn of(&self, orders: &Orders) -> [U64; 17] {
        let mut registers = [U64::new(0); 17];
        let set = [
            (self.order.rsi, orders.boot_params.0),
            (self.order.rsp, self.stack),
            (self.order.rip, orders.entry.0),
        ];
        for (at, value) in set {
            if let Some(register) = registers.get_mut(at) {
                *register = U64::new(value);
            }
        }
        registers
    }
}

/// The end of the object's stack, which the kernel starts with.
fn stack_end(object: &Object<'_>, at: PhysAddr) -> Result<u64, PlanError> {
    let place = object.symbol(b"stack_end")?;
    let past_the_end = Error::Unsupported { field: Field::LinkAddress, value: at.0 };
    Ok(at.0.checked_add(place.offset).ok_or(past_the_end)?)
}
