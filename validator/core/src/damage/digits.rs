//! A decimal number of any length as its digits: cutting, rounding and comparing without any range.

use smallvec::{SmallVec, smallvec};

use crate::convert::decimal::ScannedDecimal;

/// Longer numbers are not looked into: no table holds anything near it.
const TEXT_BYTES_MAX: usize = 2_000;

/// Those of a decimal lie on the stack: each question makes a few new numbers, and a run may ask millions.
type Few = SmallVec<[u8; 64]>;

/// ± 0.d₁d₂d₃… × 10^`point`, without leading or trailing zeros; no digits at all is zero, which is never negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) negative: bool,
    /// 0 to 9 each.
    pub(super) digits: Few,
    /// Digits before the point, when there are that many.
    pub(super) point: i64,
}

impl Digits {
    /// Of a number's text; `None`: not a finite number, or an absurdly long one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let scanned = ScannedDecimal::scan(text.as_bytes())?;
        let mantissa = text.split(['e', 'E']).next()?;
        let digits: Few = mantissa.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        let trailing = digits[leading..].iter().rev().take_while(|&&digit| digit == 0).count();
        let digits = Few::from_slice(&digits[leading..digits.len() - trailing]);
        // The scanned exponent belongs to the mantissa without trailing zeros, which ends where these digits end.
        let point = scanned.exponent.checked_add(digits.len() as i64)?;
        Some(Self::new(scanned.negative, digits, point))
    }

    /// Of `unscaled` / 10^`scale`.
    pub(super) fn of_number(unscaled: i128, scale: u8) -> Self {
        let mut digits = Few::new();
        let mut left = unscaled.unsigned_abs();
        while left > 0 {
            digits.push((left % 10) as u8);
            left /= 10;
        }
        digits.reverse();
        let point = digits.len() as i64 - i64::from(scale);
        Self::new(unscaled < 0, digits, point)
    }

    /// Of a float's shortest text.
    pub(super) fn of_float(value: f32) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}"))).flatten()
    }

    /// Of a double's shortest text.
    pub(super) fn of_double(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:e}"))).flatten()
    }

    /// Of all binary digits of a double.
    pub(super) fn of_exact_double(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self::parse(&format!("{value:.1074}"))).flatten()
    }

    /// Of digits that may begin or end with zeros.
    pub(super) fn new(negative: bool, mut digits: Few, mut point: i64) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        if leading > 0 {
            digits.drain(..leading);
        }
        point -= leading as i64;
        match digits.is_empty() {
            true => Self { negative: false, digits, point: 0 },
            false => Self { negative, digits, point },
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) fn negated(&self) -> Self {
        Self { negative: !self.negative && !self.is_zero(), ..self.clone() }
    }

    /// × 10^`power`.
    pub(super) fn shifted(&self, power: i64) -> Self {
        Self::new(self.negative, self.digits.clone(), self.point + power)
    }

    /// Digits behind the point; negative when the number ends before it.
    pub(super) fn places(&self) -> i64 {
        self.digits.len() as i64 - self.point
    }

    /// How many digits are left when it is cut to that many places; at most as many as there are.
    pub(super) fn kept(&self, places: i64) -> usize {
        (self.point + places).clamp(0, self.digits.len() as i64) as usize
    }

    /// Toward zero, to that many digits behind the point.
    pub(super) fn truncated(&self, places: i64) -> Self {
        Self::new(self.negative, Few::from_slice(&self.digits[..self.kept(places)]), self.point)
    }

    /// Away from zero, to that many digits behind the point.
    pub(super) fn raised(&self, places: i64) -> Self {
        if self.places() <= places {
            return self.clone();
        }
        if self.point + places < 0 {
            return Self::new(self.negative, smallvec![1], 1 - places);
        }
        let mut digits: Few = smallvec![0];
        digits.extend_from_slice(&self.digits[..self.kept(places)]);
        for digit in digits.iter_mut().rev() {
            match *digit {
                9 => *digit = 0,
                _ => {
                    *digit += 1;
                    break;
                }
            }
        }
        Self::new(self.negative, digits, self.point + 1)
    }

    /// Whether `other` is it rounded to the nearest at that many places; of a tie, either neighbour.
    pub(super) fn rounds_to(&self, other: &Self, places: i64) -> bool {
        let next = self.point + places;
        let (lower, upper) = if next < 0 {
            (true, false)
        } else {
            let rest = self.digits.get(next as usize..).unwrap_or(&[]);
            (rest.first().is_none_or(|&first| first < 5) || rest == [5], rest.first().is_some_and(|&first| first >= 5))
        };
        (lower && *other == self.truncated(places)) || (upper && *other == self.raised(places))
    }

    /// `unscaled` at that scale, if it is whole there and fits.
    pub(super) fn unscaled(&self, scale: u8) -> Option<i128> {
        let zeros = usize::try_from(i64::from(scale) - self.places()).ok()?;
        if self.digits.len() + zeros > 38 && !self.is_zero() {
            return None;
        }
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, if self.is_zero() { 0 } else { zeros }));
        let magnitude = digits.fold(0_i128, |number, digit| number * 10 + i128::from(digit));
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// As [`Digits::unscaled`] modulo 2^128, as two's complement, whatever the length.
    pub(super) fn unscaled_wrapping(&self, scale: u8) -> Option<u128> {
        let zeros = usize::try_from(i64::from(scale) - self.places()).ok().filter(|zeros| *zeros <= TEXT_BYTES_MAX)?;
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, zeros));
        let magnitude = digits.fold(0_u128, |number, digit| number.wrapping_mul(10).wrapping_add(u128::from(digit)));
        Some(if self.negative { magnitude.wrapping_neg() } else { magnitude })
    }

    /// The nearest double.
    pub(super) fn to_double(&self) -> f64 {
        self.scientific().parse().unwrap_or(f64::NAN)
    }

    /// The nearest float.
    pub(super) fn to_float(&self) -> f32 {
        self.scientific().parse().unwrap_or(f32::NAN)
    }

    fn scientific(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let sign = if self.negative { "-" } else { "" };
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        format!("{sign}{digits}e{}", -self.places())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digits(text: &str) -> Digits {
        Digits::parse(text).expect("a number")
    }

    #[test]
    fn every_way_of_writing_a_number_gives_the_same_digits() {
        for text in ["1234.5", "1234.500", "001234.5", "1.2345e3", "12345E-1", "+1234.5", "123450e-2"] {
            assert_eq!(digits(text), Digits::of_number(12_345, 1), "{text}");
        }
        assert_eq!(digits("-0.00"), Digits::of_number(0, 5));
        assert_eq!(digits("0.001"), Digits::of_double(0.001).expect("finite"));
        assert_eq!(Digits::of_exact_double(0.1).expect("finite").digits.len(), 55);
        assert_eq!(Digits::parse("NaN"), None);
    }

    #[test]
    fn cutting_and_raising() {
        assert_eq!(digits("-1.99").truncated(1), digits("-1.9"));
        assert_eq!(digits("-1.99").raised(1), digits("-2"));
        assert_eq!(digits("0.004").truncated(2), digits("0"));
        assert_eq!(digits("0.004").raised(2), digits("0.01"));
        assert_eq!(digits("0.0004").raised(2), digits("0.01"));
        assert_eq!(digits("1234").truncated(-2), digits("1200"));
        assert_eq!(digits("9999").raised(-2), digits("10000"));
        assert_eq!(digits("1.5").raised(3), digits("1.5"));
    }

    #[test]
    fn rounding_is_to_the_nearest_and_a_tie_goes_either_way() {
        assert!(digits("0.123456785").rounds_to(&digits("0.12345679"), 8));
        assert!(digits("0.123456785").rounds_to(&digits("0.12345678"), 8));
        assert!(digits("0.1234567851").rounds_to(&digits("0.12345679"), 8));
        assert!(!digits("0.1234567851").rounds_to(&digits("0.12345678"), 8));
        assert!(!digits("0.1234567849").rounds_to(&digits("0.12345679"), 8));
        assert!(digits("0.6").rounds_to(&digits("1"), 0));
        assert!(!digits("0.06").rounds_to(&digits("1"), 0));
        assert!(digits("0.06").rounds_to(&digits("0"), 0));
    }

    #[test]
    fn whole_numbers_of_any_length_wrap() {
        assert_eq!(digits("3000000000").unscaled_wrapping(0).map(|number| number as i32), Some(-1_294_967_296));
        assert_eq!(digits("-3000000000").unscaled_wrapping(0).map(|number| number as i32), Some(1_294_967_296));
        assert_eq!(digits("1e50").unscaled(0), None);
        assert_eq!(digits("1.5").unscaled(0), None);
        assert_eq!(digits("1.5").unscaled(8), Some(150_000_000));
        assert_eq!(digits("0").unscaled(38), Some(0));
    }

    proptest! {
        #[test]
        fn numbers_return(unscaled: i128, scale in 0_u8..=38, places in -5_i64..40) {
            prop_assume!(unscaled.unsigned_abs() < 10_u128.pow(38));
            let number = Digits::of_number(unscaled, scale);
            prop_assert_eq!(number.unscaled(scale), Some(unscaled));
            prop_assert_eq!(number.unscaled_wrapping(scale), Some(unscaled as u128));
            prop_assert_eq!(Digits::parse(&number.scientific()), Some(number.clone()));
            let (low, high) = (number.truncated(places), number.raised(places));
            prop_assert!(number.rounds_to(&low, places) || number.rounds_to(&high, places));
            prop_assert_eq!(low == number, high == number);
        }
    }
}
