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
