//! Memory nodes, reservations, and what a capture kernel may use.

use crate::fdt::{Property, Token, Tree, corrupt};
use crate::map::{MemoryMap, Range, RangeKind, Span};
use crate::sources::paint;
use crate::{Error, Field};
use vmcore_format::{PhysAddr, sort_by_key};

/// How many entries of `linux,usable-memory-range` the kernel reads.
const MAX_USABLE_RANGES: usize = 2;

/// Paints what the flattened device tree `blob` says of memory over `map`.
///
/// - Children of the root with `device_type = "memory"` are RAM: their `linux,usable-memory` where they have one,
///   else their `reg`.
/// - `linux,usable-memory-range` in `/chosen` bounds it: the map forgets all outside.
/// - RAM in the memory reservation block and in `/reserved-memory` is [`RangeKind::ReservedRam`]; what is `no-map`
///   there is [`RangeKind::Reserved`].
///
/// Nodes whose `status` is not `okay` are skipped, and so are reservations without `reg`, which the kernel places.
/// `blob` may be longer than the tree.
///
/// # Errors
/// - [`Error::Corrupt`]: no tree, a tree that ends early, tokens that do not balance, cells that are missing or do not
///   divide a property, memory past the end of the address space. Offsets count from the start of `blob`.
/// - [`Error::Unsupported`]: a version older than 16 or not compatible with 17, other cells than 1 or 2, more than 2
///   usable ranges.
/// - [`Error::BufferTooSmall`]: so many ranges are enough.
///
/// The map is then empty.
pub fn parse(blob: &[u8], map: &mut MemoryMap<'_>) -> Result<(), Error> {
    let mut count = 0_usize;
    let counted = Tree::new(blob).and_then(|tree| {
        each_region(&tree, &mut |_| {
            count = count.saturating_add(1);
            Ok(())
        })?;
        Ok(tree)
    });
    let painted = counted.and_then(|tree| paint_tree(&tree, map));
    painted.map_err(|error| paint::enough_for(count, map, error))
}

/// What the tree says of one span of memory.
#[derive(Clone, Copy)]
enum Region {
    Memory(Span),
    Usable(Span),
    Reserved { span: Span, no_map: bool },
}

/// Memory may stand behind what bounds and reserves it, so the tree is walked once for each.
fn paint_tree(tree: &Tree<'_>, map: &mut MemoryMap<'_>) -> Result<(), Error> {
    each_region(tree, &mut |region| match region {
        Region::Memory(span) => map.set(Range::new(span, RangeKind::SystemRam)),
        _ => Ok(()),
    })?;
    let mut usable = [None; MAX_USABLE_RANGES];
    let mut slots = usable.iter_mut();
    each_region(tree, &mut |region| {
        if let Region::Usable(span) = region {
            let too_many = Error::Unsupported { field: Field::FdtUsableMemoryRange, value: span.start.0 };
            *slots.next().ok_or(too_many)? = Some(span);
        }
        Ok(())
    })?;
    bound(map, usable)?;
    each_region(tree, &mut |region| match region {
        Region::Reserved { span, no_map: true } => map.set(Range::new(span, RangeKind::Reserved)),
        Region::Reserved { span, no_map: false } => reserve(map, span),
        _ => Ok(()),
    })
}

/// Forgets what lies outside of the usable ranges, if there are any.
fn bound(map: &mut MemoryMap<'_>, mut usable: [Option<Span>; MAX_USABLE_RANGES]) -> Result<(), Error> {
    sort_by_key(&mut usable, |span| span.map_or(PhysAddr(u64::MAX), |span| span.start));
    let mut at = PhysAddr(0);
    for span in usable.iter().flatten() {
        map.remove(Span { start: at, end: span.start })?;
        at = at.max(span.end);
    }
    match at {
        PhysAddr(0) => Ok(()),
        start => map.remove(Span { start, end: PhysAddr(u64::MAX) }),
    }
}

/// Makes the RAM in `span` reserved RAM.
fn reserve(map: &mut MemoryMap<'_>, span: Span) -> Result<(), Error> {
    let mut left = span;
    while !left.is_empty() {
        let before = map.ranges().partition_point(|range| range.end <= left.start);
        let Some(range) = map.ranges().get(before).copied() else { break };
        if range.kind == RangeKind::SystemRam {
            map.set(Range::new(range.span().intersection(left), RangeKind::ReservedRam))?;
        }
        left.start = range.end;
    }
    Ok(())
}

/// What a node says, as far as it is of interest here.
#[derive(Clone, Copy, Default)]
struct Node<'a> {
    name: &'a [u8],
    is_memory: bool,
    is_disabled: bool,
    no_map: bool,
    address_cells: Option<Property<'a>>,
    size_cells: Option<Property<'a>>,
    reg: Option<Property<'a>>,
    usable_memory: Option<Property<'a>>,
    usable_memory_range: Option<Property<'a>>,
}

impl<'a> Node<'a> {
    fn take(&mut self, property: Property<'a>) {
        match property.name {
            b"device_type" => self.is_memory = property.value == b"memory\0",
            b"status" => self.is_disabled = !matches!(property.value, b"okay\0" | b"ok\0"),
            b"no-map" => self.no_map = true,
            b"#address-cells" => self.address_cells = Some(property),
            b"#size-cells" => self.size_cells = Some(property),
            b"reg" => self.reg = Some(property),
            b"linux,usable-memory" => self.usable_memory = Some(property),
            b"linux,usable-memory-range" => self.usable_memory_range = Some(property),
            _ => {}
        }
    }
}

fn each_region(tree: &Tree<'_>, each: &mut dyn FnMut(Region) -> Result<(), Error>) -> Result<(), Error> {
    for entry in tree.reservations() {
        let (address, len, at) = entry?;
        let span = Span::with_len(address, len).ok_or(corrupt(Field::FdtReserve, at))?;
        each(Region::Reserved { span, no_map: false })?;
    }
    // The root, a child of it, a child of that: deeper nodes say nothing of memory.
    let (mut root, mut child, mut grandchild) = (Node::default(), Node::default(), Node::default());
    let mut depth = 0_usize;
    for token in tree.tokens() {
        match token? {
            Token::BeginNode { name } => {
                depth = depth.saturating_add(1);
                let node = Node { name, ..Node::default() };
                match depth {
                    1 => root = node,
                    2 => child = node,
                    3 => grandchild = node,
                    _ => {}
                }
            }
            Token::Property(property) => match depth {
                1 => root.take(property),
                2 => child.take(property),
                3 => grandchild.take(property),
                _ => {}
            },
            Token::EndNode => {
                match depth {
                    2 => child_regions(tree, &root, &child, each)?,
                    3 if child.name == b"reserved-memory" => {
                        reserved_regions(tree, &root, &child, &grandchild, each)?;
                    }
                    _ => {}
                }
                depth = depth.saturating_sub(1);
            }
        }
    }
    Ok(())
}

fn child_regions(
    tree: &Tree<'_>,
    root: &Node<'_>,
    child: &Node<'_>,
    each: &mut dyn FnMut(Region) -> Result<(), Error>,
) -> Result<(), Error> {
    let spans = |property, field, each: &mut dyn FnMut(Span) -> Result<(), Error>| {
        Cells::of(tree, root, root)?.each_span(property, field, each)
    };
    if let Some(range) = child.usable_memory_range.filter(|_| child.name == b"chosen") {
        spans(range, Field::FdtUsableMemoryRange, &mut |span| each(Region::Usable(span)))?;
    }
    if !child.is_memory || child.is_disabled {
        return Ok(());
    }
    match (child.usable_memory, child.reg) {
        (Some(usable), _) => spans(usable, Field::FdtUsableMemory, &mut |span| each(Region::Memory(span))),
        (None, Some(reg)) => spans(reg, Field::FdtReg, &mut |span| each(Region::Memory(span))),
        (None, None) => Ok(()),
    }
}

fn reserved_regions(
    tree: &Tree<'_>,
    root: &Node<'_>,
    parent: &Node<'_>,
    node: &Node<'_>,
    each: &mut dyn FnMut(Region) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(reg) = node.reg.filter(|_| !node.is_disabled) else { return Ok(()) };
    let no_map = node.no_map;
    Cells::of(tree, parent, root)?
        .each_span(reg, Field::FdtReg, &mut |span| each(Region::Reserved { span, no_map }))
}

/// How many 32-bit cells an address and a size have: 1 or 2 each.
#[derive(Clone, Copy)]
struct Cells {
    address: usize,
    size: usize,
}

impl Cells {
    /// The cells that `node` gives its children, or `root` in its place.
    fn of(tree: &Tree<'_>, node: &Node<'_>, root: &Node<'_>) -> Result<Self, Error> {
        let cells = |property: Option<Property<'_>>, field| {
            let property = property.ok_or(corrupt(field, tree.struct_at()))?;
            let value = match property.value {
                &[a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
                _ => return Err(Error::Corrupt { field, offset: property.offset }),
            };
            match value {
                1 => Ok(1),
                2 => Ok(2),
                value => Err(Error::Unsupported { field, value: u64::from(value) }),
            }
        };
        Ok(Self {
            address: cells(node.address_cells.or(root.address_cells), Field::FdtAddressCells)?,
            size: cells(node.size_cells.or(root.size_cells), Field::FdtSizeCells)?,
        })
    }

    fn each_span(
        self,
        property: Property<'_>,
        field: Field,
        each: &mut dyn FnMut(Span) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let corrupt = Error::Corrupt { field, offset: property.offset };
        let (cells, rest) = property.value.as_chunks::<4>();
        let entries = cells.chunks_exact(self.address.saturating_add(self.size));
        if !rest.is_empty() || !entries.remainder().is_empty() {
            return Err(corrupt);
        }
        for entry in entries {
            let (address, size) = entry.split_at_checked(self.address).ok_or(corrupt)?;
            each(Span::with_len(number(address), number(size)).ok_or(corrupt)?)?;
        }
        Ok(())
    }
}

/// The value of one or two cells.
fn number(cells: &[[u8; 4]]) -> u64 {
    cells.iter().fold(0, |value, cell| value << 32 | u64::from(u32::from_be_bytes(*cell)))
}
