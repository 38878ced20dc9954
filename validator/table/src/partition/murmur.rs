//! The bucket hash: 32-bit Murmur3, x86 variant, seed 0, with the preparation of each type.
//!
//! Source: Iceberg table spec, appendix B.

/// The hash of bytes.
pub(super) fn hash_bytes(bytes: &[u8]) -> u32 {
    const C1: u32 = 0xCC9E_2D51;
    const C2: u32 = 0x1B87_3593;
    let mix = |block: u32| block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = 0_u32;
    for block in blocks {
        hash ^= mix(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64);
    }
    if !tail.is_empty() {
        let mut last = [0_u8; 4];
        last[..tail.len()].copy_from_slice(tail);
        hash ^= mix(u32::from_le_bytes(last));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

/// The hash of int, long, date, time and timestamps in microseconds: all as a long.
pub(super) fn hash_long(value: i64) -> u32 {
    hash_bytes(&value.to_le_bytes())
}

/// The hash of a decimal's unscaled value: its fewest big-endian bytes of two's complement.
pub(super) fn hash_decimal(unscaled: i128) -> u32 {
    let bytes = unscaled.to_be_bytes();
    let redundant = |pair: &[u8]| match pair[0] {
        0x00 => pair[1] < 0x80,
        0xFF => pair[1] >= 0x80,
        _ => false,
    };
    let skip = bytes.windows(2).take_while(|pair| redundant(pair)).count();
    hash_bytes(&bytes[skip..])
}

/// The bucket of a hash among `buckets`.
pub(super) fn bucket(hash: u32, buckets: u32) -> i64 {
    i64::from((hash & i32::MAX as u32) % buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(hash: u32) -> i32 {
        hash as i32
    }

    #[test]
    fn the_spec_s_examples_hash_as_it_says() {
        assert_eq!(signed(hash_long(34)), 2_017_239_379);
        assert_eq!(signed(hash_decimal(1420)), -500_754_589);
        assert_eq!(signed(hash_long(17_486)), -653_330_422, "date 2017-11-16");
        assert_eq!(signed(hash_long(81_068_000_000)), -662_762_989, "time 22:31:08");
        assert_eq!(signed(hash_long(1_510_871_468_000_000)), -2_047_944_441, "timestamp 2017-11-16T22:31:08");
        assert_eq!(signed(hash_long(1_510_871_468_000_001)), -1_207_196_810, "one microsecond later");
        assert_eq!(signed(hash_bytes(b"iceberg")), 1_210_000_089);
        let uuid = uuid::Uuid::parse_str("f79c3e09-677c-4bbd-a479-3f349cb785e7").unwrap();
        assert_eq!(signed(hash_bytes(uuid.as_bytes())), 1_488_055_340);
        assert_eq!(signed(hash_bytes(&[0, 1, 2, 3])), -188_683_207);
    }

    #[test]
    fn decimals_hash_their_fewest_bytes() {
        for (unscaled, bytes) in [
            (0_i128, vec![0_u8]),
            (127, vec![0x7F]),
            (128, vec![0x00, 0x80]),
            (-1, vec![0xFF]),
            (-128, vec![0x80]),
            (-129, vec![0xFF, 0x7F]),
            (i128::MIN, i128::MIN.to_be_bytes().to_vec()),
        ] {
            assert_eq!(hash_decimal(unscaled), hash_bytes(&bytes), "{unscaled}");
        }
    }
}
