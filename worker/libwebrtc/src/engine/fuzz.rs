//! Fuzz targets: whatever a signal message or a datagram holds, nothing panics, nothing grows without bound, and
//! what nobody vouched for changes nothing.
//!
//! An input is either the real thing, as in the corpus, or a script: a few bytes that say how to damage
//! something real. So plain random bytes reach deep, and a short input is a short story.

mod candidate;
mod corpus;
mod datagram;
mod description;
mod frame;
mod negotiation;
mod opus;
mod sealed;
mod trusting;

/// Reads a script; at its end come zeros.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `end`; 0 for an empty range.
    fn below(&mut self, end: usize) -> usize {
        let number = match end {
            0..=256 => usize::from(self.byte()),
            _ => usize::from(self.word()),
        };
        number % end.max(1)
    }

    fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Numbers that programs get wrong.
const EDGES: [u32; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x0001_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];

/// Longest result of [`damage`].
const LONGEST: usize = 4_096;

/// One of `real`, with up to eight faults.
fn damage(real: &[Vec<u8>], script: &mut Script<'_>) -> Vec<u8> {
    let mut bytes = script.pick(real).clone();
    for _ in 0..script.below(9) {
        let at = script.below(bytes.len());
        match script.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << script.below(8),
            1 if at < bytes.len() => bytes[at] = script.byte(),
            2 => overwrite(&mut bytes, at, &script.pick(&EDGES).to_be_bytes()[2..]),
            3 => overwrite(&mut bytes, at, &script.pick(&EDGES).to_be_bytes()),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + script.below(64)).min(bytes.len()))),
            6 => {
                let end = (at + 1 + script.below(64)).min(bytes.len());
                let copy = bytes[at.min(end)..end].repeat(1 + script.below(16));
                bytes.splice(at..at, copy);
            }
            _ => {
                let length = script.below(32);
                bytes.splice(at..at, script.bytes(length).to_vec());
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes
        .iter_mut()
        .skip(at)
        .zip(with)
        .for_each(|(to, from)| *to = *from);
}
