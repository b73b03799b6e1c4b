//! What upstream offers outside browsers, beside the media path.

pub mod frame_cryptor;
pub mod packet_trailer;

/// A fresh random UUID (RFC 9562, version 4) as text.
pub fn create_random_uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = |part: &[u8]| {
        part.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let [a, b, c, d, e] = [
        &bytes[..4],
        &bytes[4..6],
        &bytes[6..8],
        &bytes[8..10],
        &bytes[10..],
    ];
    [hex(a), hex(b), hex(c), hex(d), hex(e)].join("-")
}

#[cfg(test)]
mod tests {
    use super::create_random_uuid;

    #[test]
    fn a_random_uuid_says_that_it_is_random() {
        let uuid = create_random_uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_ne!(uuid, create_random_uuid());
    }
}
