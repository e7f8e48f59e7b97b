//! The digest of the loaded segments, and whether it is still the recorded one.

use crate::{Parameters, Sha256};

/// What the check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The regions have the recorded digest.
    Match,
    /// The parameters ask for no check.
    Skipped,
    /// The regions have another digest: this one.
    Mismatch {
        /// The digest of what the regions hold now.
        found: [u8; 32],
    },
    /// A region has bytes that cannot be read: it starts at 0, or ends past the address space.
    Unreadable,
    /// The block has not the magic, version or size of [`Parameters`].
    NotSet,
}

impl Verdict {
    /// Whether the kernel may be entered without asking the policy.
    #[must_use]
    pub const fn passed(self) -> bool {
        matches!(self, Self::Match | Self::Skipped)
    }
}

/// Checks the regions of `parameters`. `memory(start, len)` answers with the `len` bytes at physical address `start`,
/// or with `None` (or a slice of another length) where it has none.
pub fn verify<'m>(parameters: &Parameters, memory: impl FnMut(u64, u64) -> Option<&'m [u8]>) -> Verdict {
    if !parameters.is_set() {
        return Verdict::NotSet;
    }
    if parameters.skip_check != 0 {
        return Verdict::Skipped;
    }
    match digest(parameters, memory) {
        None => Verdict::Unreadable,
        Some(found) if is_same(&found, &parameters.digest) => Verdict::Match,
        Some(found) => Verdict::Mismatch { found },
    }
}

/// Compares without `memcmp`, which the object would have to bring along.
fn is_same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// SHA-256 over the bytes of all regions of `parameters`, in their order: what the loader records in
/// [`Parameters::digest`]. `None` where `memory` lacks a region.
pub fn digest<'m>(
    parameters: &Parameters,
    mut memory: impl FnMut(u64, u64) -> Option<&'m [u8]>,
) -> Option<[u8; 32]> {
    let mut hash = Sha256::new();
    for region in &parameters.regions {
        let (start, len) = (region.start.get(), region.len.get());
        if len == 0 {
            continue;
        }
        start.checked_add(len)?;
        let bytes = if start == 0 { None } else { memory(start, len) }?;
        if u64::try_from(bytes.len()) != Ok(len) {
            return None;
        }
        hash.update(bytes);
    }
    Some(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{REGIONS, Region};
    use sha2::Digest;

    const BASE: u64 = 0x10_0000;

    fn machine<'m>(bytes: &'m [u8]) -> impl Fn(u64, u64) -> Option<&'m [u8]> + Copy {
        move |start, len| {
            let at = usize::try_from(start.checked_sub(BASE)?).ok()?;
            bytes.get(at..at.checked_add(usize::try_from(len).ok()?)?)
        }
    }

    fn parameters(regions: &[Region], digest: [u8; 32]) -> Parameters {
        let mut parameters = Parameters::new(BASE, BASE);
        parameters.regions[..regions.len()].copy_from_slice(regions);
        parameters.digest = digest;
        parameters
    }

    #[test]
    fn regions_are_hashed_in_their_order_and_gaps_are_not() {
        let bytes: std::vec::Vec<u8> = (0..=255).collect();
        let mut expected = sha2::Sha256::new();
        expected.update(&bytes[200..256]);
        expected.update(&bytes[3..70]);
        let regions = [Region::new(BASE + 200, 56), Region::new(0, 0), Region::new(BASE + 3, 67)];
        let block = parameters(&regions, expected.finalize().into());
        assert_eq!(verify(&block, machine(&bytes)), Verdict::Match);
        for at in 0..256 {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let covered = at >= 200 || (3..70).contains(&at);
            assert_eq!(!verify(&block, machine(&changed)).passed(), covered, "{at}");
        }
    }

    #[test]
    fn all_sixteen_regions_count() {
        let bytes = [7_u8; REGIONS];
        let mut block = Parameters::new(BASE, BASE);
        for (at, region) in (BASE..).zip(&mut block.regions) {
            *region = Region::new(at, 1);
        }
        assert_eq!(digest(&block, machine(&bytes)), Some(sha2::Sha256::digest(bytes).into()));
    }

    #[test]
    fn no_regions_have_the_digest_of_nothing() {
        assert_eq!(verify(&Parameters::new(1, 2), |_, _| None), Verdict::Match);
    }

    #[test]
    fn a_mismatch_tells_what_it_found() {
        let block = parameters(&[Region::new(BASE, 3)], [0; 32]);
        let found = sha2::Sha256::digest(b"abc").into();
        assert_eq!(verify(&block, machine(b"abc")), Verdict::Mismatch { found });
    }

    #[test]
    fn a_skipped_check_reads_nothing() {
        let mut block = parameters(&[Region::new(BASE, 3)], [0; 32]);
        block.skip_check = 1;
        assert_eq!(verify(&block, |_, _| panic!("read")), Verdict::Skipped);
    }

    #[test]
    fn what_cannot_be_read_does_not_pass() {
        let past_end = Region::new(u64::MAX, 1);
        for region in [Region::new(BASE, 4), Region::new(0, 1), past_end, Region::new(BASE, u64::MAX)] {
            assert_eq!(verify(&parameters(&[region], [0; 32]), machine(b"abc")), Verdict::Unreadable);
        }
        let short = parameters(&[Region::new(BASE, 4)], [0; 32]);
        assert_eq!(verify(&short, |_, _| Some(b"abc")), Verdict::Unreadable);
    }

    #[test]
    fn a_block_that_was_never_set_does_not_pass() {
        let mut block = Parameters::new(1, 2);
        block.magic = 0.into();
        assert_eq!(verify(&block, |_, _| None), Verdict::NotSet);
    }
}
