//! Messages that no protobuf decoder takes.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// That many payloads with a wire type that does not exist, or a length beyond the end, and
/// anything after it. The same for the same seed.
pub fn payloads(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut payload = |_| {
        let mut bytes = match rng.random_range(0..3) {
            0 => vec![0x0f],
            1 => vec![0x0a, 0xff, 0xff, 0x7f],
            _ => vec![0x16, 0xff],
        };
        let length = rng.random_range(0..200);
        bytes.extend((0..length).map(|_| rng.random::<u8>()));
        bytes
    };
    (0..count).map(&mut payload).collect()
}
