//! Changes to bytes: what damage, other tools and attackers do to a file.

use std::ops::Range;

use arbitrary::{Result, Unstructured};

/// Numbers at which programs err.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX / 2,
    u64::MAX,
];
/// Longest input: what grows stays of a size that is quick to try.
const MAX_BYTES: usize = 4 << 20;
/// Longest part that is copied, moved or removed at once.
const MAX_PART: usize = 4 << 10;

/// Changes bytes in one to eight places. `others` are inputs to take parts from, `words` are byte
/// strings that mean something in the input's language.
///
/// # Errors
/// None in practice: choices that the random bytes no longer cover come out as zero.
pub fn mutate(
    bytes: &mut Vec<u8>,
    others: &[Vec<u8>],
    words: &[Vec<u8>],
    u: &mut Unstructured<'_>,
) -> Result<()> {
    for _ in 0..=u.int_in_range(0..=7)? {
        once(bytes, others, words, u)?;
        if u.is_empty() {
            break;
        }
    }
    bytes.truncate(MAX_BYTES);
    Ok(())
}

fn once(
    bytes: &mut Vec<u8>,
    others: &[Vec<u8>],
    words: &[Vec<u8>],
    u: &mut Unstructured<'_>,
) -> Result<()> {
    // With words, mostly these: single bytes seldom leave a text one of its language.
    let (from, to) = match words {
        [] => (0, 8),
        _ if u.ratio(3, 4_u8)? => (9, 11),
        _ => (0, 11),
    };
    let at = place(bytes.len(), u)?;
    match u.int_in_range(from..=to)? {
        0 => {
            let bit = u.int_in_range(0..=7)?;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        1 => {
            let value = u.arbitrary()?;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        2 => {
            let amount = u.int_in_range(0..=16_u8)?;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = byte.wrapping_add(amount).wrapping_sub(8);
            }
        }
        3 => {
            let number = u.choose(&EDGES)?;
            let width = *u.choose(&[1, 2, 4, 8])?;
            put(bytes, at, number.to_le_bytes().get(..width).unwrap_or(&[]));
        }
        4 => {
            let number = *u.choose(&EDGES)?;
            let text = leb128(number);
            put(bytes, at, &text);
        }
        5 => bytes.truncate(at),
        6 => {
            let range = part(bytes.len(), at, u)?;
            bytes.drain(range);
        }
        7 => {
            let range = part(bytes.len(), at, u)?;
            let copied = bytes.get(range).unwrap_or(&[]).to_vec();
            let to = place(bytes.len(), u)?;
            bytes.splice(to..to, copied);
        }
        8 => {
            let other = u.choose(others).map_or(&[][..], Vec::as_slice);
            let range = part(other.len(), place(other.len(), u)?, u)?;
            let taken = other.get(range).unwrap_or(&[]).to_vec();
            let replaced = if u.arbitrary()? { taken.len() } else { 0 };
            let end = (at + replaced).min(bytes.len());
            bytes.splice(at..end, taken);
        }
        9 => {
            let word = u.choose(words)?.clone();
            bytes.splice(at..at, word);
        }
        10 => {
            // One word for another of the same language.
            let from = u.choose(words)?;
            let to = u.choose(words)?.clone();
            let found = (bytes.get(at..))
                .and_then(|rest| find(rest, from))
                .map(|found| at + found);
            if let Some(found) = found.or_else(|| find(bytes, from)) {
                bytes.splice(found..found + from.len(), to);
            }
        }
        _ => {
            let lines: Vec<_> = bytes.split(|b| *b == b'\n').collect();
            let mut lines: Vec<_> = lines.into_iter().map(<[u8]>::to_vec).collect();
            let (from, to) = (u.choose_index(lines.len())?, u.choose_index(lines.len())?);
            let line = if u.arbitrary()? {
                lines.remove(from)
            } else {
                lines.get(from).cloned().unwrap_or_default()
            };
            lines.insert(to.min(lines.len()), line);
            *bytes = lines.join(&b'\n');
        }
    }
    Ok(())
}

/// Somewhere; the beginning and the end, where heads and tables stand, as often as the rest.
fn place(len: usize, u: &mut Unstructured<'_>) -> Result<usize> {
    let near = len.min(512);
    Ok(match u.int_in_range(0..=3)? {
        0 => u.int_in_range(0..=near)?,
        1 => len - u.int_in_range(0..=near)?,
        _ => u.int_in_range(0..=len)?,
    })
}

fn part(len: usize, at: usize, u: &mut Unstructured<'_>) -> Result<Range<usize>> {
    let most = if u.arbitrary()? { 16 } else { MAX_PART };
    let length = u.int_in_range(0..=most)?;
    Ok(at..at.saturating_add(length).min(len))
}

/// Over what is there, without a change of length.
fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(what) {
        *byte = *new;
    }
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    bytes.windows(word.len()).position(|window| window == word)
}

fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutation_follows_from_its_random_bytes_alone_and_takes_empty_input() {
        let words = [b"alpha".to_vec(), b"beta".to_vec()];
        let others = [b"other".to_vec(), Vec::new()];
        let mut changed = 0;
        for seed in 0..2_000_u64 {
            let entropy: Vec<u8> = (0..64)
                .map(|i| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (i % 8 * 8)) as u8 ^ i)
                .collect();
            let run = |start: &[u8]| {
                let mut bytes = start.to_vec();
                mutate(
                    &mut bytes,
                    &others,
                    &words,
                    &mut Unstructured::new(&entropy),
                )
                .unwrap();
                bytes
            };
            assert_eq!(run(b"alpha = 1\nbeta"), run(b"alpha = 1\nbeta"));
            changed += usize::from(run(b"alpha = 1\nbeta") != b"alpha = 1\nbeta");
            run(b"");
        }
        assert!(changed > 1_000, "{changed}");
    }
}
