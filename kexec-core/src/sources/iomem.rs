//! `/proc/iomem`: the running kernel's resources, a line each, indented by two spaces per level.
//!
//! Source: `kernel/resource.c` (Linux 6.12), and where the names come from: `arch/*/kernel/setup.c`,
//! `arch/x86/kernel/aperture_64.c`, `drivers/dax/kmem.c`, `drivers/virtio/virtio_mem.c`.

use super::firmware_memmap::{hexadecimal, kind};
use super::paint;
use crate::map::{Beneath, MemoryMap, Range, RangeKind, Span};
use crate::{Error, Field};

/// Where the running kernel's own image lies, as far as `/proc/iomem` says. It stays `System RAM` in the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelImage {
    /// `Kernel image`, on riscv: all of the following.
    pub image: Option<Span>,
    /// `Kernel code`.
    pub code: Option<Span>,
    /// `Kernel rodata`.
    pub rodata: Option<Span>,
    /// `Kernel data`.
    pub data: Option<Span>,
    /// `Kernel bss`.
    pub bss: Option<Span>,
}

/// Paints what `text`, the bytes of `/proc/iomem`, says of memory over `map`, and answers with where the kernel lies.
///
/// A line counts at any depth, and deeper lines lie on top. `System RAM` with `(kmem)` or `(virtio_mem)` after
/// it is [`RangeKind::DriverManagedRam`], which keeps what kind of memory the lines around it told of; every
/// `Crash kernel` is its own kind; `reserved` inside RAM is [`RangeKind::ReservedRam`], but a `GART` is none.
/// Devices and other names are skipped.
///
/// # Errors
/// [`Error::AddressesHidden`] where every address reads 0; [`Error::Corrupt`] for a line that is none, with its offset
/// in bytes; [`Error::BufferTooSmall`]: so many ranges are enough. The map is then empty.
pub fn parse(text: &[u8], map: &mut MemoryMap<'_>) -> Result<KernelImage, Error> {
    let mut kernel = KernelImage::default();
    let mut count = 0_usize;
    let painted = lines(text).try_for_each(|line| {
        let line = line?;
        count = count.saturating_add(1);
        kernel.note(&line);
        paint_line(&line, map)
    });
    let hidden = lines(text).all(|line| line.is_ok_and(|line| line.is_zero())) && count > 0;
    match painted {
        Ok(()) if hidden => {
            map.clear();
            Err(Error::AddressesHidden)
        }
        Ok(()) => Ok(kernel),
        Err(error) => {
            let count = lines(text).count();
            Err(paint::enough_for(count, map, error))
        }
    }
}

/// One line: addresses, the last included, and a name.
struct Line<'a> {
    start: u64,
    last: u64,
    name: &'a [u8],
}

impl Line<'_> {
    fn span(&self) -> Span {
        Span::inclusive(self.start, self.last)
    }

    fn is_zero(&self) -> bool {
        self.start == 0 && self.last == 0
    }
}

impl KernelImage {
    fn note(&mut self, line: &Line<'_>) {
        let part = match line.name {
            b"Kernel image" => &mut self.image,
            b"Kernel code" => &mut self.code,
            b"Kernel rodata" => &mut self.rodata,
            b"Kernel data" => &mut self.data,
            b"Kernel bss" => &mut self.bss,
            _ => return,
        };
        part.get_or_insert(line.span());
    }
}

fn paint_line(line: &Line<'_>, map: &mut MemoryMap<'_>) -> Result<(), Error> {
    let kind = match line.name {
        b"Crash kernel" => RangeKind::CrashKernel,
        // The aperture of an AGP bridge inside RAM: a read of it may stop the machine.
        b"GART" => return map.set(Range::new(line.span(), RangeKind::Reserved)),
        name if name.starts_with(b"System RAM (") => {
            RangeKind::DriverManagedRam(Beneath::of(map.kind_at(line.span().start)))
        }
        name => match kind(name) {
            Some(kind) => kind,
            None => return Ok(()),
        },
    };
    let kind = match (kind, map.kind_at(line.span().start)) {
        (RangeKind::Reserved, Some(RangeKind::CrashKernel | RangeKind::DriverManagedRam(_))) => return Ok(()),
        (RangeKind::Reserved, Some(around)) if around.is_ram() => RangeKind::ReservedRam,
        (kind, _) => kind,
    };
    map.set(Range::new(line.span(), kind))
}

fn lines(text: &[u8]) -> impl Iterator<Item = Result<Line<'_>, Error>> {
    let (mut offset, mut rest) = (0_u64, text);
    let raw_lines = core::iter::from_fn(move || {
        let len = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at.saturating_add(1));
        let (raw, after) = rest.split_at_checked(len)?;
        rest = after;
        (!raw.is_empty()).then_some(raw)
    });
    raw_lines.filter_map(move |raw| {
        let at = offset;
        offset = offset.saturating_add(u64::try_from(raw.len()).unwrap_or(u64::MAX));
        let raw = raw.trim_ascii();
        let corrupt = Error::Corrupt { field: Field::IomemLine, offset: at };
        (!raw.is_empty()).then(|| line(raw).ok_or(corrupt))
    })
}

fn line(raw: &[u8]) -> Option<Line<'_>> {
    let dash = raw.iter().position(|&byte| byte == b'-')?;
    let (start, rest) = raw.split_at_checked(dash)?;
    let rest = rest.strip_prefix(b"-")?;
    let space = rest.iter().position(|&byte| byte == b' ')?;
    let (last, rest) = rest.split_at_checked(space)?;
    let name = rest.strip_prefix(b" : ")?;
    let (start, last) = (hexadecimal(start)?, hexadecimal(last)?);
    (start <= last).then_some(Line { start, last, name })
}

#[cfg(test)]
mod tests;
