//! Fewer multiplications for the same product, and shortcuts that need structure.

use crate::workers::plainly;

/// Strassen's product (V. Strassen, 1969), two levels deep: 49 multiplications of blocks in place
/// of 64, exact in 32-bit arithmetic, since sums of blocks wrap and unwrap.
pub fn strassen(side: usize, a: &[i8], b: &[i8]) -> Vec<i32> {
    let wide = |m: &[i8]| m.iter().map(|v| i32::from(*v)).collect::<Vec<_>>();
    halves(side, &wide(a), &wide(b), 2)
}

fn halves(n: usize, a: &[i32], b: &[i32], levels: u32) -> Vec<i32> {
    if levels == 0 {
        return whole(n, a, b);
    }
    let h = n / 2;
    let (a, b) = (quarters(n, a), quarters(n, b));
    let sum = |x: &[i32], y: &[i32]| -> Vec<i32> {
        x.iter().zip(y).map(|(x, y)| x.wrapping_add(*y)).collect()
    };
    let less = |x: &[i32], y: &[i32]| -> Vec<i32> {
        x.iter().zip(y).map(|(x, y)| x.wrapping_sub(*y)).collect()
    };
    let times = |x: &[i32], y: &[i32]| halves(h, x, y, levels - 1);
    let m1 = times(&sum(&a[0], &a[3]), &sum(&b[0], &b[3]));
    let m2 = times(&sum(&a[2], &a[3]), &b[0]);
    let m3 = times(&a[0], &less(&b[1], &b[3]));
    let m4 = times(&a[3], &less(&b[2], &b[0]));
    let m5 = times(&sum(&a[0], &a[1]), &b[3]);
    let m6 = times(&less(&a[2], &a[0]), &sum(&b[0], &b[1]));
    let m7 = times(&less(&a[1], &a[3]), &sum(&b[2], &b[3]));
    let c = [
        sum(&less(&sum(&m1, &m4), &m5), &m7),
        sum(&m3, &m5),
        sum(&m2, &m4),
        sum(&sum(&less(&m1, &m2), &m3), &m6),
    ];
    let mut into = vec![0; n * n];
    for (quarter, block) in c.iter().enumerate() {
        let (top, left) = (quarter / 2 * h, quarter % 2 * h);
        for (row, values) in block.chunks_exact(h).enumerate() {
            into[(top + row) * n + left..][..h].copy_from_slice(values);
        }
    }
    into
}

fn quarters(n: usize, m: &[i32]) -> [Vec<i32>; 4] {
    let h = n / 2;
    [0, 1, 2, 3].map(|quarter: usize| {
        let (top, left) = (quarter / 2 * h, quarter % 2 * h);
        (0..h).flat_map(|row| m[(top + row) * n + left..][..h].iter().copied()).collect()
    })
}

fn whole(n: usize, a: &[i32], b: &[i32]) -> Vec<i32> {
    let mut c = vec![0i32; n * n];
    for (row, into) in a.chunks_exact(n).zip(c.chunks_exact_mut(n)) {
        for (a, b) in row.iter().zip(b.chunks_exact(n)) {
            into.iter_mut().zip(b).for_each(|(c, b)| *c = c.wrapping_add(a.wrapping_mul(*b)));
        }
    }
    c
}

/// The shortcut for `A[i][j] = a(i + j)` and `B[i][j] = b(i + j)`, that broke a published design:
/// each entry follows from its neighbour by two products, so the whole costs `n` squared.
pub fn hankel(side: usize, a: &[i8], b: &[i8]) -> Vec<i32> {
    let n = side;
    let mut c = vec![0i32; n * n];
    c[..n].copy_from_slice(&plainly(n, &a[..n], b));
    let along =
        |m: &[i8], k: usize| i32::from(if k < n { m[k] } else { m[(n - 1) * n + k - (n - 1)] });
    // c[i][j] and c[i-1][j-1] are sums of the same products, but for one at either end.
    for i in 1..n {
        c[i * n] = (0..n).map(|k| i32::from(a[i * n + k]) * i32::from(b[k * n])).sum();
        for j in 1..n {
            let gone = along(a, i - 1) * along(b, j - 1);
            let come = along(a, i + n - 1) * along(b, j + n - 1);
            c[i * n + j] = c[(i - 1) * n + j - 1] - gone + come;
        }
    }
    c
}

/// The rank of a matrix modulo a prime of 31 bits.
pub fn rank(side: usize, matrix: &[i8]) -> usize {
    const P: i64 = 2_147_483_647;
    let mut rows: Vec<Vec<i64>> = matrix
        .chunks_exact(side)
        .map(|row| row.iter().map(|v| i64::from(*v).rem_euclid(P)).collect())
        .collect();
    let mut rank = 0;
    for column in 0..side {
        let Some(pivot) = (rank..side).find(|r| rows[*r][column] != 0) else { continue };
        rows.swap(rank, pivot);
        let inverse = power(rows[rank][column], P - 2, P);
        let top = rows[rank].clone();
        for row in rows.iter_mut().skip(rank + 1) {
            let factor = row[column] * inverse % P;
            row.iter_mut().zip(&top).for_each(|(v, t)| *v = (*v - factor * t % P + P) % P);
        }
        rank += 1;
    }
    rank
}

fn power(mut base: i64, mut exponent: i64, modulus: i64) -> i64 {
    let mut found = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            found = found * base % modulus;
        }
        base = base * base % modulus;
        exponent >>= 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_trust::{Entries, Seed, Shape};

    #[test]
    fn fast_products_are_the_product() {
        let shape = Shape::new(Entries::Byte, 64, 16).unwrap();
        let (a, b) = (Seed([1; 32]).matrix(shape), Seed([2; 32]).matrix(shape));
        assert_eq!(strassen(64, &a, &b), plainly(64, &a, &b));
        assert_ne!(hankel(64, &a, &b), plainly(64, &a, &b), "ours has no structure");
        assert_eq!(rank(64, &a), 64);
    }

    #[test]
    fn the_shortcut_holds_where_entries_follow_from_a_sum_of_indices() {
        let noise = |n: usize, seed: usize| ((n * 7 + seed) * 2_654_435_761 % 251) as u8 as i8;
        let matrix = |seed: usize| -> Vec<i8> {
            (0..64 * 64).map(|at| noise(at / 64 + at % 64, seed)).collect()
        };
        let (a, b) = (matrix(3), matrix(11));
        assert_eq!(hankel(64, &a, &b), plainly(64, &a, &b));
    }
}
