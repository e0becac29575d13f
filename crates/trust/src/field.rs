//! Arithmetic modulo the prime 2^61 - 1, in which products are checked.
//!
//! Signed integers are lifted by taking them modulo the prime. Two integers that differ by less
//! than the prime stay different: what is compared here lies below 2^33.

/// The prime.
pub const P: u64 = (1 << 61) - 1;

/// A number below [`P`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Element(u64);

impl Element {
    /// The number itself; none if it is not below [`P`].
    pub const fn new(value: u64) -> Option<Self> {
        if value < P { Some(Self(value)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A sum of products, lifted.
    pub fn lift(sum: i128) -> Self {
        let reduced = sum.rem_euclid(i128::from(P));
        Self(reduced as u64)
    }
}

/// Most terms that [`dot`] sums without overflow: each is below 2^31 x 2^61, so 2^34 of them
/// stay below 2^126.
const TERMS_MAX: usize = 1 << 34;

/// The sum of `a[k] x r[k]`, where `a` holds 32-bit numbers. Both have the same length.
pub fn dot<T: Copy + Into<i64>>(a: &[T], r: &[Element]) -> Element {
    assert!(a.len() == r.len() && a.len() <= TERMS_MAX);
    let terms = a.iter().zip(r).map(|(a, r)| i128::from((*a).into()) * i128::from(r.0));
    Element::lift(terms.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(a: &[i64], r: &[Element]) -> u64 {
        let mut sum = 0u64;
        for (a, r) in a.iter().zip(r) {
            let lifted = (i128::from(*a) + i128::from(P) * 4) as u128 % u128::from(P);
            sum = ((u128::from(sum) + lifted * u128::from(r.0)) % u128::from(P)) as u64;
        }
        sum
    }

    proptest! {
        #[test]
        fn sums_are_those_of_reducing_at_every_step(
            terms in prop::collection::vec((any::<i32>(), 0..P), 0..200),
        ) {
            let a: Vec<i32> = terms.iter().map(|t| t.0).collect();
            let wide: Vec<i64> = a.iter().copied().map(i64::from).collect();
            let r: Vec<Element> = terms.iter().map(|t| Element(t.1)).collect();
            prop_assert_eq!(dot(&a, &r).get(), slow(&wide, &r));
        }

        #[test]
        fn different_small_integers_stay_different(a in any::<i32>(), b in any::<i32>()) {
            let lifted = |n: i32| Element::lift(i128::from(n));
            prop_assert_eq!(lifted(a) == lifted(b), a == b);
        }
    }

    #[test]
    fn only_canonical_numbers_are_elements() {
        assert_eq!(Element::new(P), None);
        assert_eq!(Element::new(P - 1).map(Element::get), Some(P - 1));
        assert_eq!(Element::lift(-1).get(), P - 1);
        assert_eq!(Element::lift(i128::from(P) * i128::from(P)).get(), 0);
    }
}
