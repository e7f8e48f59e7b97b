//! Memories that contradict themselves: the dump ends, with an error at worst.

use super::*;

/// Answers what it likes.
#[derive(Debug, Clone, Copy)]
enum Liar {
    /// Runs without frames.
    Empty,
    /// Runs that start and end before the frame asked for.
    Behind,
    /// Runs to the end of all numbers.
    Endless,
    /// Other frames each time.
    Fickle(u64),
    /// No table of frames.
    Broken,
}

impl PhysMemory for Liar {
    fn page_size(&self) -> PageSize {
        PageSize::KIB_4
    }

    fn read(&mut self, _addr: PhysAddr, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::Hole)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(Some(match self {
            Self::Empty => from..from,
            Self::Behind => Pfn(0)..Pfn(from.0 / 2),
            Self::Endless => from..Pfn(u64::MAX),
            Self::Fickle(state) => {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let start = from.0 + (*state >> 60);
                Pfn(start)..Pfn(start + (*state >> 59) % 9)
            }
            Self::Broken => return Err(Fault::Code(7)),
        }))
    }
}

#[test]
fn a_memory_that_lies_does_not_hold_up_the_dump() {
    for liar in [Liar::Empty, Liar::Behind, Liar::Endless, Liar::Fickle(1), Liar::Broken] {
        for format in [Format::Kdump, Format::Elf] {
            for plenty in [false, true] {
                let mut memory = liar;
                let source = source(&Machine::default(), 10_000);
                let options = options(1, format);
                let size = if plenty { 1 << 16 } else { least_words(source, options) };
                let mut words = vec![0; size];
                let mut out = File::default();
                let mut dumper = Dumper::new(source, None, options, &mut words).unwrap();
                let end = (0..100_000).find_map(|_| match dumper.step(&mut memory, &mut out) {
                    Ok(progress) => (progress.phase == Phase::Finished).then_some(None),
                    Err(error) => Some(Some(error)),
                });
                match (liar, end.unwrap()) {
                    (Liar::Broken, error) => assert_eq!(error, Some(Error::Frames(Fault::Code(7)))),
                    (Liar::Fickle(_), error) => assert!(matches!(error, None | Some(Error::Changed))),
                    (_, error) => assert_eq!(error, None),
                }
                let report = dumper.report();
                assert_eq!(report.saved, 0);
                if let Liar::Endless = liar {
                    assert_eq!((report.known, report.lost), (10_000, 10_000));
                }
            }
        }
    }
}

/// A file that starts as zeros and keeps what is written to it.
#[derive(Debug, Default)]
struct Sparse {
    pieces: BTreeMap<u64, Vec<u8>>,
    starts_as_zeros: bool,
}

impl WriteAt for Sparse {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), i32> {
        self.pieces.insert(offset, bytes.to_vec());
        Ok(())
    }

    fn starts_as_zeros(&self) -> bool {
        self.starts_as_zeros
    }
}

/// The steps to the end, or to the error.
fn steps(
    memory: &mut dyn PhysMemory,
    end: u64,
    format: Format,
    out: &mut Sparse,
) -> (u32, Result<Report, Error>) {
    let mut words = vec![0; 1 << 15];
    let source = source(&Machine::default(), end);
    let mut dumper = Dumper::new(source, None, options(0, format), &mut words).unwrap();
    for step in 1..1000 {
        match dumper.step(memory, out) {
            Ok(progress) if progress.phase == Phase::Finished => return (step, Ok(*dumper.report())),
            Ok(_) => {}
            Err(error) => return (step, Err(error)),
        }
    }
    panic!("the dump does not end")
}

#[test]
fn holes_of_petabytes_cost_nothing() {
    let far = (1 << 40) - 3;
    let frames = [1, 2, 1 << 20, 1 << 33, far, far + 1].map(|pfn| (pfn, Frame::Bytes(pfn as u8 + 1)));
    for format in [Format::Kdump, Format::Elf] {
        let mut machine = Machine::new(frames);
        let mut out = Sparse { starts_as_zeros: true, ..Sparse::default() };
        let (_, report) = steps(&mut machine, 1 << 40, format, &mut out);
        let report = report.unwrap();
        assert_eq!((report.known, report.saved), (6, 6));
        assert!(report.written < 1 << 20, "{format:?}: {}", report.written);
        let pages = out.pieces.values().flatten().filter(|byte| **byte == far as u8 + 1).count();
        assert!(pages >= PAGE as usize, "{format:?}");
    }
}

#[test]
fn holes_that_have_to_be_written_have_a_limit() {
    let frames = [(1, Frame::Bytes(1)), (1 << 36, Frame::Bytes(2))];
    let mut machine = Machine::new(frames);
    let mut out = Sparse::default();
    let (_, report) = steps(&mut machine, (1 << 36) + 1, Format::Kdump, &mut out);
    let field = vmcore_format::Field::MaxMapnr;
    assert_eq!(report.unwrap_err(), Error::Unsupported { field, value: (1 << 36) + 1 });
    assert!(out.pieces.is_empty());
}

/// A memory in runs of this many frames, none of which it holds.
struct Promised(u64);

impl PhysMemory for Promised {
    fn page_size(&self) -> PageSize {
        PageSize::KIB_4
    }

    fn read(&mut self, _addr: PhysAddr, _buf: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::Excluded)
    }

    fn next_known(&mut self, from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(Some(from..Pfn((from.0 / self.0 + 1) * self.0)))
    }

    fn next_held(&mut self, _from: Pfn) -> Result<Option<Range<Pfn>>, Fault> {
        Ok(None)
    }
}

#[test]
fn more_memory_than_a_machine_can_have_is_refused_before_it_is_gone_through() {
    for format in [Format::Kdump, Format::Elf] {
        let mut out = Sparse { starts_as_zeros: true, ..Sparse::default() };
        let (steps, report) = steps(&mut Promised(1 << 37), 1 << 39, format, &mut out);
        let field = vmcore_format::Field::MaxMapnr;
        assert_eq!(report.unwrap_err(), Error::Unsupported { field, value: 1 << 37 });
        assert!(steps == 1 && out.pieces.is_empty());
    }
}
