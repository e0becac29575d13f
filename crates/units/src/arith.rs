//! The one multiplication-then-division of the repository, on 32-bit limbs.
//!
//! LLVM's BPF back end has no 128-bit integers and cannot link `u64::checked_mul` either, so
//! the product is kept in two words. Host and chain run this same code, bit for bit.

const LOW: u64 = 0xffff_ffff;

/// `a * b` as (high, low) words.
fn widening_mul(a: u64, b: u64) -> (u64, u64) {
    let (a1, a0) = (a >> 32, a & LOW);
    let (b1, b0) = (b >> 32, b & LOW);
    let low = a0 * b0;
    // At most (2^32 - 1)^2 + 2^32 - 1 < 2^64: no carry is lost.
    let middle = a1 * b0 + (low >> 32);
    let middle_low = (middle & LOW) + a0 * b1;
    let high = a1 * b1 + (middle >> 32) + (middle_low >> 32);
    (high, (middle_low << 32) | (low & LOW))
}

/// `(high * 2^64 + low) / d` and the remainder, for `high < d`.
fn div_wide(high: u64, low: u64, d: u64) -> (u64, u64) {
    if high == 0 {
        return (low / d, low % d);
    }
    if d <= LOW {
        // Two digits of 32 bits: the running remainder stays below d, so nothing overflows.
        let upper = (high << 32) | (low >> 32);
        let (q1, r1) = (upper / d, upper % d);
        let lower = (r1 << 32) | (low & LOW);
        return ((q1 << 32) | (lower / d), lower % d);
    }
    let (mut rest, mut quotient) = (high, 0u64);
    let mut bit = 64;
    while bit > 0 {
        bit -= 1;
        let carry = rest >> 63;
        rest = (rest << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        // With the carry the remainder is 2^64 + rest, which is certainly at least d.
        if carry == 1 || rest >= d {
            rest = rest.wrapping_sub(d);
            quotient |= 1;
        }
    }
    (quotient, rest)
}

/// `floor(a * b / c)`, or `None` when `c` is 0 or the result exceeds 64 bits.
pub fn mul_div_floor(a: u64, b: u64, c: u64) -> Option<u64> {
    let (high, low) = widening_mul(a, b);
    // high >= c covers c = 0 as well.
    if high >= c { None } else { Some(div_wide(high, low, c).0) }
}

/// `ceil(a * b / c)`, or `None` when `c` is 0 or the result exceeds 64 bits.
pub fn mul_div_ceil(a: u64, b: u64, c: u64) -> Option<u64> {
    let (high, low) = widening_mul(a, b);
    if high >= c {
        return None;
    }
    let (quotient, rest) = div_wide(high, low, c);
    if rest == 0 { Some(quotient) } else { quotient.checked_add(1) }
}

/// `a * b`, or `None` on overflow. `u64::checked_mul` does not link for the programs' target.
pub fn checked_mul(a: u64, b: u64) -> Option<u64> {
    let (high, low) = widening_mul(a, b);
    if high == 0 { Some(low) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers of every magnitude, and those around powers of two.
    fn any_size() -> impl Strategy<Value = u64> {
        prop_oneof![
            any::<u64>(),
            (any::<u64>(), 0u32..64).prop_map(|(n, shift)| n >> shift),
            (0u32..64, -2i64..=2).prop_map(|(b, d)| (1u64 << b).wrapping_add(d as u64)),
            Just(3_600),
            Just(10_000),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn agrees_with_128_bits(a in any_size(), b in any_size(), c in any_size()) {
            let product = u128::from(a) * u128::from(b);
            let (floor, ceil) = if c == 0 {
                (None, None)
            } else {
                let c = u128::from(c);
                (u64::try_from(product / c).ok(), u64::try_from(product.div_ceil(c)).ok())
            };
            prop_assert_eq!(mul_div_floor(a, b, c), floor);
            prop_assert_eq!(mul_div_ceil(a, b, c), ceil);
            prop_assert_eq!(checked_mul(a, b), a.checked_mul(b));
        }
    }

    /// Shared with the bytecode: `programs/tests` runs the same rows on the virtual machine.
    #[test]
    fn edges() {
        const MAX: u64 = u64::MAX;
        assert_eq!(mul_div_floor(MAX, MAX, MAX), Some(MAX));
        assert_eq!(mul_div_ceil(MAX, MAX, MAX), Some(MAX));
        assert_eq!(mul_div_floor(MAX, MAX, MAX - 1), None);
        assert_eq!(mul_div_floor(MAX, 3_600, 3_600), Some(MAX));
        assert_eq!(mul_div_ceil(1, 1, 3_600), Some(1));
        assert_eq!(mul_div_floor(1, 1, 0), None);
        assert_eq!(mul_div_ceil(0, 5, 1), Some(0));
    }
}
