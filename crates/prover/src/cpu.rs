//! Multiplication on the processor: the reference, and the proof of the CPU class.

use crate::Kernel;
use ionet_trust::Shape;
use std::convert::Infallible;

/// Rows of B that stay in the first cache while a block of A passes by.
const DEPTH: usize = 64;

/// Threads of the processor.
pub struct Cpu {
    threads: usize,
    side: usize,
    /// B in 16 bits: the widest multiplication that every processor has for them.
    b: Vec<i16>,
}

impl Cpu {
    /// On so many threads, at least one.
    pub fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), side: 0, b: Vec::new() }
    }
}

impl Kernel for Cpu {
    type Error = Infallible;

    fn load(&mut self, shape: Shape, b: &[i8]) -> Result<(), Infallible> {
        self.side = shape.side();
        self.b = b.iter().copied().map(i16::from).collect();
        Ok(())
    }

    fn product(&mut self, rows: &[i8], into: &mut [i32]) -> Result<(), Infallible> {
        assert_eq!(rows.len(), into.len());
        let (side, b) = (self.side, &self.b);
        let share = (rows.len() / side).div_ceil(self.threads).max(1) * side;
        std::thread::scope(|scope| {
            for (rows, into) in rows.chunks(share).zip(into.chunks_mut(share)) {
                scope.spawn(move || multiply(side, rows, b, into));
            }
        });
        Ok(())
    }
}

/// Row by row, over blocks of B's rows. Exact: a sum of 2^16 products is at most 2^30.
fn multiply(side: usize, rows: &[i8], b: &[i16], into: &mut [i32]) {
    into.fill(0);
    for first in (0..side).step_by(DEPTH) {
        for (a, c) in rows.chunks_exact(side).zip(into.chunks_exact_mut(side)) {
            for k in (first..first + DEPTH).step_by(2) {
                let (left, right) = (i32::from(a[k]), i32::from(a[k + 1]));
                let (upper, lower) = (&b[k * side..][..side], &b[(k + 1) * side..][..side]);
                for ((c, upper), lower) in c.iter_mut().zip(upper).zip(lower) {
                    *c += left * i32::from(*upper) + right * i32::from(*lower);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_trust::{Entries, Seed};

    #[test]
    fn the_product_is_that_of_the_definition_on_any_number_of_threads() {
        let shape = Shape::new(Entries::Byte, 128, 32).unwrap();
        let (a, b) = (Seed([1; 32]).matrix(shape), Seed([2; 32]).matrix(shape));
        let at = |m: &[i8], i: usize, j: usize| i64::from(m[i * 128 + j]);
        for threads in [1, 2, 3, 200] {
            let mut cpu = Cpu::new(threads);
            cpu.load(shape, &b).unwrap();
            let mut c = vec![7; 128 * 128];
            cpu.product(&a, &mut c).unwrap();
            for (i, j) in [(0, 0), (127, 127), (5, 77), (64, 1)] {
                let sum: i64 = (0..128).map(|k| at(&a, i, k) * at(&b, k, j)).sum();
                assert_eq!(i64::from(c[i * 128 + j]), sum, "{i}, {j}");
            }
        }
    }
}
