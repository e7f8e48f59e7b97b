//! Links our purgatory so that it guards one file of memory: `link_purgatory ADDRESS KERNEL KERNEL_ADDRESS POLICY`
//! (hexadecimal addresses; halt, reset or continue) writes the image to standard output. The kernel's entry is 0x200
//! bytes into it, its `boot_params` 0x4200. Before it is entered, 95 bytes at 0x300000 are copied to 0x800000.

use kexec_core::object::Object;
use purgatory::{OnMismatch, PARAMETERS_SYMBOL, Parameters, Region, X86_64, digest};
use std::io::Write;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, kernel, kernel_address, policy] = arguments.as_slice() else {
        return Err("link_purgatory ADDRESS KERNEL KERNEL_ADDRESS POLICY".into());
    };
    let (address, start) = (u64::from_str_radix(address, 16)?, u64::from_str_radix(kernel_address, 16)?);
    let bytes = std::fs::read(kernel)?;

    let mut parameters = Parameters::new(start.checked_add(0x200).ok_or("the kernel's address")?, 0x4200);
    let (region, _) = parameters.regions.split_first_mut().ok_or("a block has regions")?;
    *region = Region::new(start, u64::try_from(bytes.len())?);
    parameters.digest = digest(&parameters, |_, _| Some(&bytes)).ok_or("the kernel's region")?;
    let policy = match policy.as_str() {
        "reset" => OnMismatch::Reset,
        "continue" => OnMismatch::Continue,
        _ => OnMismatch::Halt,
    };
    parameters.on_mismatch = policy.number();
    parameters.backup_source = Region::new(0x30_0000, 95);
    parameters.backup_copy = 0x80_0000.into();
    parameters.vga = 1;
    parameters.serial_port = 0x3f8.into();
    parameters.serial_baud = 115_200.into();

    let object = Object::parse(X86_64)?;
    let mut image = vec![0; usize::try_from(object.layout()?.file_len)?];
    object.link(address, &mut image)?;
    object.set_symbol(&mut image, PARAMETERS_SYMBOL, zerocopy::IntoBytes::as_bytes(&parameters))?;
    std::io::stdout().write_all(&image)?;
    Ok(())
}
