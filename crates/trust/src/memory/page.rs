//! A page, its digest, and what a pass does to two of them. A kernel on a chip does exactly this.

use crate::hash::{Hash, Purpose};

/// Words of a page.
pub const PAGE_WORDS: usize = 128;
/// Bytes of a page. Large enough that memory of every chip is read at its full rate in any order,
/// small enough that two of them weigh as much in a proof as a path.
pub const PAGE_BYTES: usize = PAGE_WORDS * 4;

/// A page: words, little-endian where they become bytes.
pub type Page = [u32; PAGE_WORDS];

/// What a pass adds to all of its pairs.
pub type PassKey = [u32; HALF];

/// Words of a block of a page.
const HALF: usize = 16;
/// Columns of the 4 x 8 words that a block of either page make together.
const COLUMNS: usize = 8;

/// The words as bytes.
pub(super) fn bytes_of(page: &Page) -> [u8; PAGE_BYTES] {
    let mut bytes = [0; PAGE_BYTES];
    for (into, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(page) {
        *into = word.to_le_bytes();
    }
    bytes
}

/// Bytes as words.
pub(super) fn page_of(bytes: &[u8; PAGE_BYTES]) -> Page {
    let mut page = [0; PAGE_WORDS];
    for (word, from) in page.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*from);
    }
    page
}

/// The digest of a page: a leaf. Its place is bound by its path, its pass by the root.
pub fn hash_page(page: &Page) -> Hash {
    Purpose::Page.hash(&[&bytes_of(page)])
}

/// Mixes the two pages of pair `number`. Block by block of 16 words: what the block before left is
/// added to the first page's, then both blocks go through a double round of ChaCha's, with eight
/// columns in place of four. So what comes out of a block depends on all blocks up to it, of both.
pub fn mix(key: &PassKey, number: u32, first: &mut Page, second: &mut Page) {
    let mut carry = *key;
    carry[0] ^= number;
    let blocks = first.as_chunks_mut::<HALF>().0.iter_mut();
    for (x, y) in blocks.zip(second.as_chunks_mut::<HALF>().0) {
        for (word, carry) in x.iter_mut().zip(carry) {
            *word = word.wrapping_add(carry);
        }
        let mut state = join(x, y);
        for slant in [0, 1] {
            for column in 0..COLUMNS {
                quarter(&mut state, at(column, slant));
            }
        }
        split(&state, x, y);
        carry = std::array::from_fn(|n| x[n] ^ y[n]);
    }
}

/// Undoes [`mix`].
pub fn unmix(key: &PassKey, number: u32, first: &mut Page, second: &mut Page) {
    let mut carry = *key;
    carry[0] ^= number;
    let blocks = first.as_chunks_mut::<HALF>().0.iter_mut();
    for (x, y) in blocks.zip(second.as_chunks_mut::<HALF>().0) {
        let next = std::array::from_fn(|n| x[n] ^ y[n]);
        let mut state = join(x, y);
        for slant in [1, 0] {
            for column in 0..COLUMNS {
                unquarter(&mut state, at(column, slant));
            }
        }
        split(&state, x, y);
        for (word, carry) in x.iter_mut().zip(carry) {
            *word = word.wrapping_sub(carry);
        }
        carry = next;
    }
}

type State = [u32; 2 * HALF];

fn join(x: &[u32; HALF], y: &[u32; HALF]) -> State {
    std::array::from_fn(|n| if n < HALF { x[n] } else { y[n - HALF] })
}

fn split(state: &State, x: &mut [u32; HALF], y: &mut [u32; HALF]) {
    x.copy_from_slice(&state[..HALF]);
    y.copy_from_slice(&state[HALF..]);
}

/// Where a column's words stand; slanted, each row is shifted by one more.
const fn at(column: usize, slant: usize) -> [usize; 4] {
    [
        column,
        COLUMNS + (column + slant) % COLUMNS,
        2 * COLUMNS + (column + 2 * slant) % COLUMNS,
        3 * COLUMNS + (column + 3 * slant) % COLUMNS,
    ]
}

/// ChaCha's quarter round (D. J. Bernstein, 2008).
fn quarter(s: &mut State, [a, b, c, d]: [usize; 4]) {
    for (left, right) in [(16, 12), (8, 7)] {
        s[a] = s[a].wrapping_add(s[b]);
        s[d] = (s[d] ^ s[a]).rotate_left(left);
        s[c] = s[c].wrapping_add(s[d]);
        s[b] = (s[b] ^ s[c]).rotate_left(right);
    }
}

fn unquarter(s: &mut State, [a, b, c, d]: [usize; 4]) {
    for (left, right) in [(8, 7), (16, 12)] {
        s[b] = s[b].rotate_right(right) ^ s[c];
        s[c] = s[c].wrapping_sub(s[d]);
        s[d] = s[d].rotate_right(left) ^ s[a];
        s[a] = s[a].wrapping_sub(s[b]);
    }
}
