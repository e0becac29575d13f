//! Multiplication on the processor: the reference, and the proof of the CPU class.
//!
//! B is kept in panels of [`COLUMNS`] columns, in which two rows at a time lie interleaved: what
//! one instruction of most processors multiplies with a pair of A's entries and adds up. Sums
//! never leave the registers before they are whole.

use crate::Kernel;
use ionet_trust::Shape;
use std::convert::Infallible;

/// Columns that are summed at once: two registers of eight sums.
const COLUMNS: usize = 16;
/// Rows of A that share what is read of B.
const ROWS: usize = 4;

/// Threads of the processor.
pub struct Cpu {
    threads: usize,
    side: usize,
    /// B, panel by panel, in 16 bits: the widest multiplication that every processor has for them.
    panels: Vec<[[i16; 2]; COLUMNS]>,
}

impl Cpu {
    /// On so many threads, at least one.
    pub fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), side: 0, panels: Vec::new() }
    }
}

impl Kernel for Cpu {
    type Error = Infallible;

    fn load(&mut self, shape: Shape, b: &[i8]) -> Result<(), Infallible> {
        let side = shape.side();
        assert_eq!(b.len(), side * side);
        self.side = side;
        self.panels = Vec::with_capacity(side / COLUMNS * (side / 2));
        for first in (0..side).step_by(COLUMNS) {
            for two in b.chunks_exact(2 * side) {
                let (upper, lower) = two.split_at(side);
                let pair = |j: usize| [upper[first + j].into(), lower[first + j].into()];
                self.panels.push(std::array::from_fn(pair));
            }
        }
        Ok(())
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn product(&mut self, rows: &[i8], into: &mut [i32]) -> Result<(), Infallible> {
        assert_eq!(rows.len(), into.len());
        let (side, panels) = (self.side, &self.panels);
        let each = (rows.len() / side).div_ceil(self.threads).next_multiple_of(ROWS);
        std::thread::scope(|scope| {
            for (rows, into) in rows.chunks(each * side).zip(into.chunks_mut(each * side)) {
                scope.spawn(move || multiply(side, rows, panels, into));
            }
        });
        Ok(())
    }
}

type Panel = [[[i16; 2]; COLUMNS]];

/// Some rows with all panels. Exact: a sum of 2^16 products is at most 2^30.
fn multiply(side: usize, rows: &[i8], panels: &Panel, into: &mut [i32]) {
    let depth = side / 2;
    let wide = is_wide();
    let mut block = vec![[[0i16; 2]; ROWS]; depth];
    for (rows, into) in rows.chunks(ROWS * side).zip(into.chunks_mut(ROWS * side)) {
        // Rows that are missing from the last block stay zero.
        block.fill([[0; 2]; ROWS]);
        for (r, row) in rows.chunks_exact(side).enumerate() {
            for (pairs, entries) in block.iter_mut().zip(row.as_chunks::<2>().0) {
                pairs[r] = entries.map(i16::from);
            }
        }
        for (first, panel) in (0..side).step_by(COLUMNS).zip(panels.chunks_exact(depth)) {
            let sums = if wide { sums_wide(&block, panel) } else { sums(&block, panel) };
            for (sums, row) in sums.iter().zip(into.chunks_exact_mut(side)) {
                row[first..first + COLUMNS].copy_from_slice(sums);
            }
        }
    }
}

type Sums = [[i32; COLUMNS]; ROWS];

/// A block of rows with one panel, on any processor.
fn sums(block: &[[[i16; 2]; ROWS]], panel: &Panel) -> Sums {
    let mut sums = [[0i32; COLUMNS]; ROWS];
    for (pairs, columns) in block.iter().zip(panel) {
        for (sums, [left, right]) in sums.iter_mut().zip(pairs) {
            for (sum, [upper, lower]) in sums.iter_mut().zip(columns) {
                *sum += i32::from(*left) * i32::from(*upper);
                *sum += i32::from(*right) * i32::from(*lower);
            }
        }
    }
    sums
}

/// Whether this processor has AVX2.
fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[cfg(not(target_arch = "x86_64"))]
fn sums_wide(block: &[[[i16; 2]; ROWS]], panel: &Panel) -> Sums {
    sums(block, panel)
}

#[cfg(target_arch = "x86_64")]
fn sums_wide(block: &[[[i16; 2]; ROWS]], panel: &Panel) -> Sums {
    assert!(is_wide() && block.len() == panel.len());
    // SAFETY: the processor has AVX2, as was just asked.
    unsafe { avx2::sums(block, panel) }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{COLUMNS, Panel, ROWS, Sums};
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm256_storeu_si256,
    };

    /// The same sums, eight at a time.
    #[target_feature(enable = "avx2")]
    pub(super) fn sums(block: &[[[i16; 2]; ROWS]], panel: &Panel) -> Sums {
        let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
        for (pairs, columns) in block.iter().zip(panel) {
            let at = columns.as_ptr().cast::<__m256i>();
            // SAFETY: sixteen pairs of 16 bits are 64 bytes: two registers, in any alignment.
            let halves = unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] };
            for (sums, [left, right]) in sums.iter_mut().zip(pairs) {
                // The pair as one word: the left entry lies in its lower half.
                let word = i32::from(*right) << 16 | i32::from(*left as u16);
                let pair = _mm256_set1_epi32(word);
                for (sum, half) in sums.iter_mut().zip(halves) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pair, half));
                }
            }
        }
        let mut found = [[0; COLUMNS]; ROWS];
        for (row, sums) in found.iter_mut().zip(sums) {
            let at = row.as_mut_ptr().cast::<__m256i>();
            // SAFETY: sixteen sums of 32 bits are 64 bytes: two registers, in any alignment.
            unsafe {
                _mm256_storeu_si256(at, sums[0]);
                _mm256_storeu_si256(at.add(1), sums[1]);
            }
        }
        found
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
            for i in 0..128 {
                for j in [0, 1, 15, 16, 77, 127] {
                    let sum: i64 = (0..128).map(|k| at(&a, i, k) * at(&b, k, j)).sum();
                    assert_eq!(i64::from(c[i * 128 + j]), sum, "{i}, {j}");
                }
            }
        }
    }

    #[test]
    fn any_number_of_rows_and_the_largest_entries_are_exact() {
        let shape = Shape::new(Entries::Byte, 64, 16).unwrap();
        let mut cpu = Cpu::new(2);
        cpu.load(shape, &[i8::MIN; 64 * 64]).unwrap();
        for rows in [1, 2, 3, 4, 5, 7, 64] {
            let mut c = vec![1; rows * 64];
            cpu.product(&vec![i8::MIN; rows * 64], &mut c).unwrap();
            assert!(c.iter().all(|sum| *sum == 64 * 128 * 128), "{rows} rows");
        }
    }

    #[test]
    fn wide_and_plain_sums_are_the_same() {
        let shape = Shape::new(Entries::Byte, 64, 16).unwrap();
        let mut cpu = Cpu::new(1);
        cpu.load(shape, &Seed([3; 32]).matrix(shape)).unwrap();
        let a = Seed([4; 32]).matrix(shape);
        let pair = |k: usize, r: usize| [a[r * 64 + 2 * k].into(), a[r * 64 + 2 * k + 1].into()];
        let block: Vec<[[i16; 2]; ROWS]> =
            (0..32).map(|k| std::array::from_fn(|r| pair(k, r))).collect();
        for panel in cpu.panels.chunks_exact(32) {
            let plain = sums(&block, panel);
            if is_wide() {
                assert_eq!(sums_wide(&block, panel), plain);
            }
        }
    }
}
