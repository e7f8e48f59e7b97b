//! Generated pages: what memory looks like, and what lies at the codecs' thresholds.

/// Xorshift64*: the same pages on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    pub(crate) fn byte(&mut self) -> u8 {
        (self.next() >> 56) as u8
    }
}

/// A page of `len` bytes of each kind.
pub(crate) fn pages(len: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(len as u64);
    let mut pages = Vec::new();
    for byte in [0, 1, 0x5a, 0xff] {
        pages.push(vec![byte; len]);
    }
    pages.push((0..len).map(|_| random.byte()).collect());
    pages.push((0..len).map(|at| at as u8).collect());
    for symbols in [2, 3, 4, 16, 100, 200, 255] {
        pages.push((0..len).map(|_| random.below(symbols) as u8).collect());
        pages.push((0..len).map(|_| 0xff - random.below(symbols) as u8).collect());
    }
    for seed in 0..4 {
        pages.push(text(len, &mut random));
        pages.push(pointers(len, &mut random));
        pages.push(sparse(len, 1 + 30 * seed, &mut random));
        pages.push(structures(len, &mut random));
        pages.push(skewed(len, seed, &mut random));
        pages.push(fibonacci(len, seed, &mut random));
        pages.push(copies(len, 4 + 5 * seed, &mut random));
        let mut mixed = structures(len, &mut random);
        mixed[len / 2..].copy_from_slice(&copies(len - len / 2, 9, &mut random));
        pages.push(mixed);
    }
    for period in (1..20).chain([31, 63, 64, 65, 127, 255, 256, 257, 2047, 2048, 2049]) {
        let pattern: Vec<u8> = (0..period).map(|_| random.byte()).collect();
        pages.push(pattern.iter().copied().cycle().take(len).collect());
    }
    for distance in [
        0x7ff, 0x800, 0x801, 0x802, 0xbff, 0xc00, 0x3fff, 0x4000, 0x4001, 0x7fff, 0x8000, 0x8001, 0xbffe,
        0xbfff, 0xc000, 0xfff0,
    ] {
        for length in [3, 4, 8, 9, 10, 33, 34, 264] {
            if distance + length <= len {
                pages.push(one_match(len, distance, length, &mut random));
            }
        }
    }
    pages
}

/// `rounds` pages of `len` bytes of each kind that a kernel's memory mostly is.
pub(crate) fn memory(len: usize, rounds: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(3);
    let mut pages = Vec::new();
    for round in 0..rounds {
        pages.push(text(len, &mut random));
        pages.push(pointers(len, &mut random));
        pages.push(sparse(len, 1 + 30 * (round % 8), &mut random));
        pages.push(structures(len, &mut random));
    }
    pages
}

/// `rounds` pages of `len` bytes of each kind that has repetitions, by its name.
pub(crate) fn kinds(len: usize, rounds: usize) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut random = Random::new(19);
    let random = &mut random;
    let rounds = 0..rounds;
    vec![
        ("text".into(), rounds.clone().map(|_| text(len, random)).collect()),
        ("pointers".into(), rounds.clone().map(|_| pointers(len, random)).collect()),
        ("sparse".into(), rounds.clone().map(|round| sparse(len, 1 + 30 * round, random)).collect()),
        ("structures".into(), rounds.clone().map(|_| structures(len, random)).collect()),
        ("copies".into(), rounds.clone().map(|round| copies(len, 4 + 5 * round, random)).collect()),
        ("corpus".into(), pages(len)),
    ]
}

/// Pages of 4 KiB: runs and matches of every length, near-incompressible ones.
pub(crate) fn thresholds() -> Vec<Vec<u8>> {
    let len = 4096;
    let mut random = Random::new(7);
    let mut pages = Vec::new();
    for literals in (0..320).chain([510, 525, 526, 765, 1020, 1040, 2048, 4000, 4090, 4092, 4093]) {
        // So many literals, then a run to the end; and literals in the middle of runs.
        let mut page = vec![0; len];
        page[..literals].iter_mut().for_each(|byte| *byte = random.byte());
        pages.push(page);
        let mut page = vec![0x20; len];
        let at = 5.min(len - literals);
        page[at..at + literals].iter_mut().for_each(|byte| *byte = random.byte());
        pages.push(page);
    }
    for length in 3..300 {
        pages.push(one_match(len, 700 + length, length, &mut random));
    }
    for equal in [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256] {
        // Random but for a few copied bytes: about as long as the page itself.
        let mut page: Vec<u8> = (0..len).map(|_| random.byte()).collect();
        let (front, back) = page.split_at_mut(len / 2);
        back[..equal].copy_from_slice(&front[100..100 + equal]);
        pages.push(page);
    }
    pages
}

/// Pages of 4 KiB whose last bytes are a run, a repetition or literals, of every length about the ones that copies in
/// steps of a fixed size stop at.
pub(crate) fn ends() -> Vec<Vec<u8>> {
    let mut random = Random::new(11);
    let mut pages = Vec::new();
    for last in (1..40).chain([63, 64, 65, 255, 256, 257, 300]) {
        for period in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 40] {
            // Copies up to there, then a few literals, then a repetition to the end.
            let mut page = copies(4096 - last, 30, &mut random);
            for literal in page.iter_mut().rev().take(last % 5) {
                *literal = random.byte();
            }
            while page.len() < 4096 {
                page.push(page[page.len() - period]);
            }
            pages.push(page);
        }
        // A run, then literals to the end.
        let mut page = vec![7; 4096];
        page[4096 - last..].iter_mut().for_each(|byte| *byte = random.byte());
        pages.push(page);
    }
    pages
}

/// Random bytes with one match.
fn one_match(len: usize, distance: usize, length: usize, random: &mut Random) -> Vec<u8> {
    let mut page: Vec<u8> = (0..len).map(|_| random.byte()).collect();
    let at = distance + random.below(len - distance - length + 1);
    for byte in at..at + length {
        page[byte] = page[byte - distance];
    }
    page
}

fn text(len: usize, random: &mut Random) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "the ",
        "page ",
        "of ",
        "memory",
        "\n",
        "kernel: ",
        "struct ",
        "0x",
        "panic",
        " - ",
        "not ",
        "syncing",
        "CPU",
        "#1 ",
        "[    1.234567] ",
        "usb 1-1: ",
    ];
    let mut page = Vec::new();
    while page.len() < len {
        page.extend_from_slice(WORDS[random.below(WORDS.len())].as_bytes());
        if random.below(5) == 0 {
            page.push(b'a' + random.below(26) as u8);
        }
    }
    page.truncate(len);
    page
}

/// Kernel pointers, small numbers and zeros.
fn pointers(len: usize, random: &mut Random) -> Vec<u8> {
    let words = (0..len / 8).map(|_| match random.below(4) {
        0 => 0xffff_8880_0000_0000 | (random.next() >> 36 & !7),
        1 => 0xffff_ffff_8100_0000 | random.next() >> 42,
        2 => random.below(300) as u64,
        _ => 0,
    });
    words.flat_map(u64::to_le_bytes).collect()
}

fn sparse(len: usize, bytes: usize, random: &mut Random) -> Vec<u8> {
    let mut page = vec![0; len];
    for _ in 0..bytes {
        let at = random.below(len);
        page[at] = random.byte();
    }
    page
}

/// An array of structures that differ in some fields.
fn structures(len: usize, random: &mut Random) -> Vec<u8> {
    let size = 8 * (3 + random.below(30));
    let template = pointers(size, random);
    let mut page: Vec<u8> = template.iter().copied().cycle().take(len).collect();
    for at in (0..len).step_by(8) {
        if random.below(6) == 0 {
            page[at] = random.byte();
            page[at + 1] = random.byte();
        }
    }
    page
}

/// Bytes each about half as frequent as the one before: the longest code words there can be.
fn skewed(len: usize, seed: usize, random: &mut Random) -> Vec<u8> {
    (0..len).map(|_| (random.next() | 1 << 40).trailing_zeros() as u8 * (1 + 2 * seed as u8)).collect()
}

/// Bytes that occur as often as Fibonacci's numbers say, in random order: the deepest tree there can be, for which
/// no code may have words long enough.
fn fibonacci(len: usize, least: usize, random: &mut Random) -> Vec<u8> {
    let mut page = Vec::new();
    let (mut count, mut next) = (1 + least, 1 + least);
    for byte in 0.. {
        page.extend(core::iter::repeat_n(byte, count.min(len - page.len())));
        if page.len() == len {
            break;
        }
        (count, next) = (next, count + next);
    }
    for at in 1..len {
        page.swap(at, random.below(at + 1));
    }
    page
}

/// Short copies from everywhere before, between few literals.
fn copies(len: usize, longest: usize, random: &mut Random) -> Vec<u8> {
    let mut page = vec![random.byte(), random.byte(), random.byte()];
    while page.len() < len {
        for _ in 0..random.below(4) {
            page.push(random.byte());
        }
        let distance = 1 + random.below(page.len());
        for _ in 0..3 + random.below(longest) {
            page.push(page[page.len() - distance]);
        }
    }
    page.truncate(len);
    page
}
