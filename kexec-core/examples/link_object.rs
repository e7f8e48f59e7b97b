//! Links a relocatable object to an address: `link_object OBJECT ADDRESS` (hexadecimal) writes the image to standard
//! output.

use kexec_core::object::Object;
use std::io::Write;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("link_object OBJECT ADDRESS".into());
    };
    let bytes = std::fs::read(path)?;
    let object = Object::parse(&bytes)?;
    let layout = object.layout()?;
    let mut image = vec![0; usize::try_from(layout.file_len)?];
    object.link(u64::from_str_radix(address.trim_start_matches("0x"), 16)?, &mut image)?;
    std::io::stdout().write_all(&image)?;
    Ok(())
}
