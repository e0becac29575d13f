//! The pass over memory: shows that so many bytes were held at once, and how fast they are.
//!
//! # Protocol
//!
//! Memory is [`Memory::pages`] pages of 512 bytes. At the beacon page `i` grows from a seed of
//! beacon, device and task ([`Trail::page`]). Each pass takes all pages in pairs, mixes each pair
//! in place ([`mix`], invertible), and takes a Merkle root over the new pages. Which pages are
//! paired follows from the root of the pass before ([`Pairing`]): leaf `x` of a pass's tree is
//! the page at place `pairing.place(x)`, and the pages of leaves `2j` and `2j + 1` are mixed with
//! each other, so a kernel hashes neighbours when it has just mixed them. Root 0 is over the pages
//! as they grew, leaf `i` being page `i`. The device commits to all roots before the deadline.
//! Afterwards the [`crate::Challenge`] draws pairs of passes. For each the device shows the two
//! pages as they were before, with their paths under the root of the pass before; the verifier
//! mixes them itself and needs only one path to see both results under the pass's own root
//! ([`Verifier`]). To open, a device runs the passes once more (it knows all roots, so it hashes
//! next to nothing), or walks back with [`unmix`]: its choice.
//!
//! # What it proves
//!
//! *A wrong pair is found.* With BLAKE3 binding, each pair of each pass either fits or does not
//! from the commitment on. If a share `e` does not, `k` openings find nothing with probability
//! `(1 - e)^k`. Whoever loses a share `d` of the pages at each pass, spoils all pairs with a lost
//! page. Pairs of the next pass are not known while pages are being dropped, so
//! `e = 1 - (1 - d)^2`: with 16 openings a quarter of the memory passes once in ten thousand
//! times, a tenth once in thirty; an hour later it tries again. 24 openings: 0.6 % for a tenth.
//!
//! *All of memory crosses each root.* No pair of pass `p + 1` can be known before the last page
//! of pass `p` is final. So at each root the pages must exist, somewhere, or be made again:
//!
//! - *made again from the seed*: a page after `p` passes is made of `2^p` others (as long as that
//!   is far less than all: tested below). From [`PASSES_MIN`] passes on, missing a share `d` costs
//!   about `d x 2^p / p` times the honest work: at 12 passes, 341 times `d`. A chip with ten times
//!   the arithmetic that its memory can feed saves 3 %. Nobody should be told to hold memory by
//!   fewer passes: [`Memory::counts`].
//! - *in host memory*: each way over the bus carries `B` bytes a second, the card's memory `R`
//!   (counted as here, both ways). What hides behind honest streaming is `d = 2B / (2B + R)`:
//!   PCIe 4 (2 x 32 GB/s) beside a 1 TB/s card 6 %, PCIe 5 beside an H100 at its rate here 6 %.
//!   A card of half the claimed memory streams at twice the bus, 0.1 TB/s: outside of each region
//!   of a class with its own memory. Where the bus is as fast as memory (Apple, Grace Hopper), host
//!   memory *is* the memory: that is no cheat but a larger chip, and proven as such.
//! - *in another device*: half of all pairs cross to it at each pass, so the same arithmetic holds
//!   for its link. Two cards joined by NVLink can pose as one of twice the memory, at the sum of
//!   their rates: bounded by price, see [`crate::classes`].
//!
//! *Fusing passes.* A fixed butterfly could be tiled in a cache. Here a tile for passes `p` and
//! `p + 1` can be laid only after root `p`. What remains: do not write the results of pass `p`,
//! and make them again from what was before, on the way to pass `p + 1`. Two pairings joined are
//! long cycles, and one can walk along them with a page in each hand: reads, reads, writes, in
//! place of reads, writes, reads, writes. So a rate can be overstated by 4/3, by anybody, for
//! one more mixing. Three pairings joined are a random cubic graph, which has no small pieces:
//! going on like this gains nothing. A pairing by `i xor mask` would have had closed tiles of
//! `2^k` pages for `k` passes, and overstated by 2; that is why [`Pairing`] is not linear.
//!
//! *Choosing roots.* With one spoilt page a device can try other roots, each for `log2(pages)`
//! hashes, until the pairing suits it. Luck of one in `2^30` does not make a local permutation of
//! four rounds with keys of 3 x 31 bits each.
//!
//! # What it costs, and what the rate is of
//!
//! Instructions of 32 bits a byte of page and pass, additions of three counted as one: leaf
//! 10.5 (BLAKE3's compression is 672 for 64 bytes), nodes 1.3, mixing 1.8: about 14. A pass moves
//! each byte twice, so the rate is the memory's where a chip does 7 instructions in the time of a
//! byte: all of NVIDIA's and AMD's cards with GDDR, MI300X, Apple. An A100 (9.7 T/s), H100 and H200
//! (14.8 T/s) reach 1.4 and 2.1 TB/s by arithmetic: about two thirds of the memory's (H200: less
//! than half). The rate is then a lower bound, *dependent streaming*, and stands so in the
//! calibration data; what PCIe can do is still a fifteenth of it.
//! Cheaper digests were considered. Half of BLAKE3's rounds, or a fold of `x + F(x)` with `F` the
//! mixing itself, halve the arithmetic; but binding then rests on a function that nobody but us has
//! attacked, with 8,192 free bits for 256. Leaving the digest out of some passes lets two be fused.
//! Pages linked by their hash alone (no mixing) can be stored as their hashes. So the digest is
//! BLAKE3, and the mixing as light as it may be: two layers of ChaCha's quarter round.
//!
//! Not proven: that no better exchange of time for memory exists. The claims above on rebuilding
//! are counts of pages, on fusing arguments about graphs.

mod page;
mod pairing;
mod plain;
mod proof;
mod size;
mod trail;
mod verify;

pub use page::{PAGE_BYTES, PAGE_WORDS, Page, PassKey, hash_page, mix, unmix};
pub use pairing::Pairing;
pub use plain::Plain;
pub use proof::{Opened, Proof, ProofError, VERSION, length};
pub use size::{Memory, PAGES_MAX, PAGES_MIN, PASSES_MAX, PASSES_MIN, STEPS, SizeError, rate};
pub use trail::{Opening, Trail};
pub use verify::{Rejection, Verifier};

#[cfg(test)]
mod tests;
