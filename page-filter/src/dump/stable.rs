//! When what was written is brought to stable storage.

use vmcore_format::WriteAt;

use super::Error;

/// So many bytes of pages may be written to a new file before its headers are on stable storage: 128 MiB. A dump that is
/// smaller need not wait for storage before its end.
const LATEST: u64 = 128 << 20;

/// Brings everything written so far to stable storage.
pub(super) fn sync(out: &mut dyn WriteAt) -> Result<(), Error> {
    out.sync().map_err(|code| Error::Io { code })
}

/// Brings what stands before the pages to stable storage, once.
///
/// In a new file a header that did not come there before the power failed reads as zeros, and those are no dump. Where old
/// bytes show through they may be the header of an older dump that was complete: there it comes before the first page.
#[derive(Debug)]
pub(super) struct HeadersFirst {
    /// The bytes of pages written by which it is due; `None` when it is done, or never is.
    due: Option<u64>,
}

impl HeadersFirst {
    /// A stream has nothing that could come too late.
    pub(super) fn new(out: &dyn WriteAt) -> Self {
        let due = if out.starts_as_zeros() { LATEST } else { 0 };
        Self { due: out.can_rewrite().then_some(due) }
    }

    /// To be called when all headers are written, and then after each chunk; `pages` are the bytes of pages written.
    pub(super) fn keep(&mut self, pages: u64, out: &mut dyn WriteAt) -> Result<(), Error> {
        if self.due.is_some_and(|due| pages >= due) {
            sync(out)?;
            self.due = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting {
        is_stream: bool,
        starts_as_zeros: bool,
        syncs: usize,
    }

    impl WriteAt for Counting {
        fn write_at(&mut self, _: u64, _: &[u8]) -> Result<(), i32> {
            Ok(())
        }

        fn can_rewrite(&self) -> bool {
            !self.is_stream
        }

        fn starts_as_zeros(&self) -> bool {
            self.starts_as_zeros
        }

        fn sync(&mut self) -> Result<(), i32> {
            self.syncs += 1;
            if self.syncs > 1 { Err(5) } else { Ok(()) }
        }
    }

    #[test]
    fn it_comes_once_and_in_time() {
        for (is_stream, starts_as_zeros, first) in
            [(true, true, None), (true, false, None), (false, true, Some(2)), (false, false, Some(0))]
        {
            let mut out = Counting { is_stream, starts_as_zeros, syncs: 0 };
            let mut headers = HeadersFirst::new(&out);
            for (at, pages) in
                [0, (128 << 20) - 1, 128 << 20, (128 << 20) + 1, u64::MAX].into_iter().enumerate()
            {
                assert_eq!(headers.keep(pages, &mut out), Ok(()));
                assert_eq!(out.syncs, usize::from(first.is_some_and(|first| at >= first)), "{at}");
            }
        }
    }

    #[test]
    fn a_failure_is_told_and_it_stays_due() {
        let mut out = Counting { is_stream: false, starts_as_zeros: false, syncs: 1 };
        let mut headers = HeadersFirst::new(&out);
        for syncs in 2..4 {
            assert_eq!(headers.keep(0, &mut out), Err(Error::Io { code: 5 }));
            assert_eq!(out.syncs, syncs);
        }
    }
}
