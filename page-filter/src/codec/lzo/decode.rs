//! LZO1X's decoder: every instruction, the end marker required.

use super::FAR;
use crate::codec::DecodeError;
use crate::codec::cursor::{Input, Output};

/// How many literals the instruction before copied; instructions below 16 depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    None,
    OneToThree,
    FourOrMore,
}

/// A match, and how many literals follow it.
struct Match {
    distance: u32,
    length: u32,
    literals: usize,
}

/// Decodes one stream to the whole of `page`.
pub(super) fn decode(src: &[u8], page: &mut [u8]) -> Result<(), DecodeError> {
    let mut src = Input::new(src);
    let mut page = Output::new(page);
    let mut before = Before::None;
    if let Some(count) = src.peek().and_then(|first| first.checked_sub(17)).filter(|&count| count > 0) {
        src.byte()?;
        literals(usize::from(count), &mut src, &mut page)?;
        before = if count < 4 { Before::OneToThree } else { Before::FourOrMore };
    }
    // Each round takes at least one byte of the input.
    loop {
        let opcode = src.byte()?;
        if opcode < 16 && before == Before::None {
            let count = length(opcode, 15, &mut src)?.saturating_add(3);
            literals(usize::try_from(count).unwrap_or(usize::MAX), &mut src, &mut page)?;
            before = Before::FourOrMore;
            continue;
        }
        let found = match_of(opcode, before, &mut src)?;
        if found.distance == u32::from(FAR) && opcode & 0xf0 == 0x10 {
            return end(&src, &page);
        }
        page.repeat(found.distance, found.length)?;
        literals(found.literals, &mut src, &mut page)?;
        before = if found.literals == 0 { Before::None } else { Before::OneToThree };
    }
}

/// A match from exactly 16 KiB back is the end of the stream, whatever its length.
fn end(src: &Input<'_>, page: &Output<'_>) -> Result<(), DecodeError> {
    if src.is_empty() { page.complete() } else { Err(DecodeError::TrailingBytes) }
}

fn literals(count: usize, src: &mut Input<'_>, page: &mut Output<'_>) -> Result<(), DecodeError> {
    page.take_from(src, count)
}

fn match_of(opcode: u8, before: Before, src: &mut Input<'_>) -> Result<Match, DecodeError> {
    let bits = u32::from(opcode);
    let (base, length) = match opcode {
        0..16 if before == Before::OneToThree => (1, 2),
        0..16 => (0x801, 3),
        16..32 => {
            return far_match(
                u32::from(FAR).saturating_add((bits & 8) << 11),
                length(opcode & 7, 7, src)?,
                src,
            );
        }
        32..64 => return far_match(1, length(opcode & 31, 31, src)?, src),
        64..128 => (1, (bits >> 5 & 1).saturating_add(3)),
        128.. => (1, (bits >> 5 & 3).saturating_add(5)),
    };
    let high = u32::from(src.byte()?);
    let distance = if opcode < 16 { high << 2 | bits >> 2 & 3 } else { high << 3 | bits >> 2 & 7 };
    Ok(Match { distance: distance.saturating_add(base), length, literals: usize::from(opcode & 3) })
}

/// A match whose distance less `base` stands in two bytes, above two bits for the literals.
fn far_match(base: u32, length: u32, src: &mut Input<'_>) -> Result<Match, DecodeError> {
    let operand = u16::from_le_bytes(src.array()?);
    let distance = base.saturating_add(u32::from(operand >> 2));
    Ok(Match { distance, length: length.saturating_add(2), literals: usize::from(operand & 3) })
}

/// A length that stands in the opcode's low bits unless they are 0; then it is `most`, the most that they
/// hold, and as much as the following bytes say: 255 for each zero byte, and the first byte that is not zero.
fn length(low_bits: u8, most: u32, src: &mut Input<'_>) -> Result<u32, DecodeError> {
    if low_bits != 0 {
        return Ok(u32::from(low_bits));
    }
    let mut length = most;
    loop {
        let byte = src.byte()?;
        if byte != 0 {
            return Ok(length.saturating_add(u32::from(byte)));
        }
        length = length.saturating_add(255);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: [u8; 3] = [0x11, 0, 0];

    fn decodes(instructions: &[&[u8]], expected: &[u8]) {
        let mut src = [0; 64];
        let mut stream = Output::new(&mut src);
        instructions.iter().for_each(|instruction| stream.extend(instruction).unwrap());
        stream.extend(&END).unwrap();
        let len = stream.len();
        let mut page = [0; 4096];
        assert_eq!(decode(&src[..len], &mut page[..expected.len()]), Ok(()));
        assert_eq!(&page[..expected.len()], expected);
        assert!((0..len).all(|cut| decode(&src[..cut], &mut page[..expected.len()]).is_err()));
    }

    #[test]
    fn literals_of_the_first_byte_and_of_instructions() {
        decodes(&[&[21, b'a', b'b', b'c', b'd']], b"abcd");
        decodes(&[&[1, b'a', b'b', b'c', b'd']], b"abcd");
        // 3 + 15 + 2, in a byte of its own.
        decodes(&[&[0, 2], b"abcdefghijklmnopqrst"], b"abcdefghijklmnopqrst");
    }

    #[test]
    fn two_bytes_after_few_literals() {
        // D is 1 and H 0: from 2 back. One more literal.
        decodes(&[&[19, b'a', b'b'], &[0b0000_0101, 0, b'c']], b"ababc");
    }

    #[test]
    fn matches_from_2_kib_back() {
        // 4 or 5 to 8 bytes; DDD and HHHHHHHH make the distance less 1.
        decodes(&[&[21, b'a', b'b', b'c', b'd'], &[0b0110_1100, 0]], b"abcdabcd");
        decodes(
            &[&[21, b'a', b'b', b'c', b'd'], &[0b1110_0000, 0, 1, b'1', b'2', b'3', b'4']],
            b"abcddddddddd1234",
        );
        decodes(&[&[0, 1], b"abcdefghijklmnopqrs", &[0b0100_1001, 1, b'!']], b"abcdefghijklmnopqrsijk!");
    }

    #[test]
    fn three_bytes_after_many_literals_and_lengths_of_several_bytes() {
        // 2 + 31 + 255 * 8 + 2 = 2075 times the same byte; 4 literals; then from 2049 + 3 * 4 + 2 back.
        let mut expected = [b'a'; 4 + 2075 + 4 + 3];
        expected[..4].copy_from_slice(b"wxyz");
        expected[4..2079].fill(b'z');
        expected[2079..].copy_from_slice(b"1234zzz");
        decodes(
            &[
                &[21, b'w', b'x', b'y', b'z'],
                &[0b0010_0000, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0],
                &[1, b'1', b'2', b'3', b'4'],
                &[0b0000_1000, 3],
            ],
            &expected,
        );
        // From 2049 + 8 * 4 + 1 back.
        expected[2083..].copy_from_slice(b"xyz");
        decodes(
            &[
                &[21, b'w', b'x', b'y', b'z'],
                &[0b0010_0000, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0],
                &[1, b'1', b'2', b'3', b'4'],
                &[0b0000_0100, 8],
            ],
            &expected,
        );
    }

    #[test]
    fn far_matches() {
        // 2 + 5 bytes from 16384 + 1 back.
        let stream = [21, b'a', b'b', b'c', b'd', 0b0010_0000];
        let mut src = [0u8; 128];
        src[..6].copy_from_slice(&stream);
        // 2 + 31 + 255 * 64 + 57 = 16410 bytes from 1 back.
        src[70..73].copy_from_slice(&[57, 0, 0]);
        src[73..80].copy_from_slice(&[0b0001_0101, 4, 0, 0x11, 0, 0, 0]);
        let mut page = [0; 4 + 16410 + 7];
        assert_eq!(decode(&src[..79], &mut page), Ok(()));
        assert!(page[4..].iter().all(|&byte| byte == b'd'));
        src[73..76].copy_from_slice(&[0b0001_0101, 0x74, 0]);
        assert_eq!(decode(&src[..79], &mut page), Ok(()));
        assert_eq!(page[16414..], *b"bcddddd");
    }

    #[test]
    fn matches_before_the_page_and_the_end_elsewhere_are_refused() {
        let mut page = [0; 8];
        assert_eq!(decode(&[18, b'a', 0x60, 0, 0x11, 0, 0], &mut page[..5]), Ok(()));
        assert_eq!(decode(&[18, b'a', 0x64, 0, 0x11, 0, 0], &mut page[..5]), Err(DecodeError::Corrupt));
        assert_eq!(decode(&[18, b'a', 0x60, 0, 0x11, 0, 0], &mut page[..4]), Err(DecodeError::WrongLength));
        assert_eq!(decode(&[18, b'a', 0x60, 0, 0x11, 0, 0], &mut page[..6]), Err(DecodeError::WrongLength));
        assert_eq!(decode(&[18, b'a', 0x11, 0, 0, 9], &mut page[..1]), Err(DecodeError::TrailingBytes));
        assert_eq!(decode(&[17, 4, 0, 0x11, 0, 0], &mut page), Err(DecodeError::Corrupt));
    }
}
