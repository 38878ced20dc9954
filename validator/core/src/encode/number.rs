//! Exact numbers: int, long and decimal in one form, so that 1.50, 1.5 and a decimal(18, 8) of 1.5 have equal bytes.
//!
//! Form: scale (one byte), length (one byte, 1 to 16), the unscaled value in as few bytes of little-endian two's
//! complement as hold it; trailing zeros are stripped, down to scale 0.

use super::column::Prefix;
use super::fill::put;

/// Room for a prefix, scale, length (stored together as 8 bytes) and 8 bytes of value.
pub(super) const ROOM_64: usize = 8 + 8;
/// The same with 16 bytes of value.
pub(super) const ROOM_128: usize = 8 + 16;

/// Appends a number of at most 64 bits that has no zeros to strip.
#[inline(always)]
pub(super) fn put_i64(bytes: &mut [u8], at: usize, prefix: Prefix, unscaled: i64, scale: u8) -> usize {
    let len = (72 - (unscaled ^ (unscaled >> 63)).leading_zeros() as usize) / 8;
    let at = put_head(bytes, at, prefix, scale, len);
    put(bytes, at, unscaled.to_le_bytes());
    at + len
}

/// Appends a decimal.
#[inline(always)]
pub(super) fn put_decimal(bytes: &mut [u8], at: usize, prefix: Prefix, unscaled: i128, scale: u8) -> usize {
    match i64::try_from(unscaled) {
        Ok(unscaled) => {
            let (magnitude, scale) = strip_u64(unscaled.unsigned_abs(), scale);
            let signed = if unscaled < 0 { (magnitude as i64).wrapping_neg() } else { magnitude as i64 };
            put_i64(bytes, at, prefix, signed, scale)
        }
        Err(_) => put_wide_decimal(bytes, at, prefix, unscaled, scale),
    }
}

fn put_wide_decimal(bytes: &mut [u8], at: usize, prefix: Prefix, unscaled: i128, scale: u8) -> usize {
    let (magnitude, scale) = strip_u128(unscaled.unsigned_abs(), scale);
    let signed = if unscaled < 0 { (magnitude as i128).wrapping_neg() } else { magnitude as i128 };
    let len = (136 - (signed ^ (signed >> 127)).leading_zeros() as usize) / 8;
    let at = put_head(bytes, at, prefix, scale, len);
    put(bytes, at, signed.to_le_bytes());
    at + len
}

#[inline(always)]
fn put_head(bytes: &mut [u8], at: usize, prefix: Prefix, scale: u8, len: usize) -> usize {
    let word = prefix.word | (u64::from(scale) | (len as u64) << 8) << (8 * prefix.len);
    put(bytes, at, word.to_le_bytes());
    at + prefix.len + 2
}

// Dividing by 10^n without a division: a number is a multiple of 5^n exactly when its product with the inverse of 5^n
// modulo 2^w is at most (2^w - 1) / 5^n, and that product is the quotient; rotating it right by n divides by 2^n too,
// and makes it too large where a bit was lost. Steps of 2^k zeros, the largest first, find any number of zeros in
// log steps. (Warren, Hacker's Delight, 10-17.)
macro_rules! strip {
    ($name:ident, $word:ident, [$($step:literal)*]) => {
        /// The number without its trailing decimal zeros, as many as the scale allows, and the scale left.
        /// 0 has scale 0.
        #[inline(always)]
        pub(super) fn $name(mut number: $word, mut scale: u8) -> ($word, u8) {
            const fn inverse_of_power_of_5(exponent: u32) -> $word {
                let power = (5 as $word).pow(exponent);
                // Newton's iteration doubles the correct low bits: 3, 6, 12, … 192.
                let mut inverse: $word = power;
                let mut i = 0;
                while i < 6 {
                    inverse = inverse.wrapping_mul((2 as $word).wrapping_sub(power.wrapping_mul(inverse)));
                    i += 1;
                }
                inverse
            }
            if number == 0 {
                return (0, 0);
            }
            // The first steps are beyond most scales, which a branch on the scale alone tells once for a column.
            $(if $step < 16 || scale >= $step {
                const INVERSE: $word = inverse_of_power_of_5($step);
                const LIMIT: $word = $word::MAX / (10 as $word).pow($step);
                let quotient = number.wrapping_mul(INVERSE).rotate_right($step);
                let take = scale >= $step && quotient <= LIMIT;
                number = if take { quotient } else { number };
                scale = if take { scale - $step } else { scale };
            })*
            (number, scale)
        }
    };
}
strip!(strip_u64, u64, [16 8 4 2 1]);
strip!(strip_u128, u128, [32 16 8 4 2 1]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strip_by_division(mut number: u128, mut scale: u8) -> (u128, u8) {
        while scale > 0 && number.is_multiple_of(10) {
            (number, scale) = (number / 10, scale - 1);
        }
        (number, scale)
    }

    proptest! {
        #[test]
        fn stripping_u64_is_dividing_by_ten_while_it_goes(n in any::<u64>(), zeros in 0u32..20, scale in 0u8..=38) {
            let n = (n / 10u64.pow(zeros)).wrapping_mul(10u64.pow(zeros));
            let (number, left) = strip_u64(n, scale);
            prop_assert_eq!((u128::from(number), left), strip_by_division(n.into(), scale));
        }

        #[test]
        fn stripping_u128_is_dividing_by_ten_while_it_goes(n in any::<u128>(), zeros in 0u32..39, scale in 0u8..=38) {
            let n = (n / 10u128.pow(zeros)).wrapping_mul(10u128.pow(zeros));
            prop_assert_eq!(strip_u128(n, scale), strip_by_division(n, scale));
        }

        #[test]
        fn small_numbers_strip_like_large_ones(n in 0u64..100_000, scale in 0u8..=38) {
            let (number, left) = strip_u64(n, scale);
            prop_assert_eq!(strip_u128(n.into(), scale), (number.into(), left));
        }

        #[test]
        fn value_bytes_are_the_fewest_that_hold_the_value(n in any::<i128>(), bits in 0u32..128) {
            let n = n >> bits;
            let mut bytes = [0xaa; 40];
            let end = put_decimal(&mut bytes, 0, Prefix::EMPTY, n, 0);
            let (len, value) = (bytes[1] as usize, &bytes[2..end]);
            prop_assert_eq!((bytes[0], len), (0, value.len()));
            let sign = if n < 0 { 0xff } else { 0 };
            let mut wide = [sign; 16];
            wide[..len].copy_from_slice(value);
            prop_assert_eq!(i128::from_le_bytes(wide), n);
            if len > 1 {
                let (top, below) = (value[len - 1], value[len - 2]);
                prop_assert!(!(top == sign && (below ^ sign) < 0x80), "{n} has a byte too many");
            }
        }
    }

    #[test]
    fn the_ends_of_the_ranges_strip_too() {
        for n in [1, 10, u64::MAX, 10u64.pow(19), 1 << 63, 9_223_372_036_854_775_800] {
            for scale in [0, 1, 18, 19, 38] {
                let (number, left) = strip_u64(n, scale);
                assert_eq!((u128::from(number), left), strip_by_division(n.into(), scale), "{n} {scale}");
            }
        }
        for n in [10u128.pow(38), u128::MAX, 1 << 127] {
            assert_eq!(strip_u128(n, 38), strip_by_division(n, 38), "{n}");
        }
    }
}
