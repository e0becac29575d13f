//! Hashes, each for one purpose: a hash made for one never stands for another.

use crate::expand::Seed;
use crate::shape::Shape;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// One list of purposes and keys, so that none is without the other.
macro_rules! purposes {
    ($($name:ident = $key:literal,)*) => {
        /// What a hash is for: the key of BLAKE3's keyed mode, public and the same for all.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Purpose {
            $($name,)*
        }

        impl Purpose {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)*];

            const fn key(self) -> &'static [u8; 32] {
                match self {
                    $(Self::$name => $key,)*
                }
            }
        }
    };
}

purposes! {
    SharedMatrix = b"ionet trust v1: matrix B        ",
    FirstLink = b"ionet trust v1: first link      ",
    OwnMatrix = b"ionet trust v1: matrix A        ",
    Leaf = b"ionet trust v1: leaf of C       ",
    Node = b"ionet trust v1: node of a tree  ",
    Commitment = b"ionet trust v1: commitment      ",
    Precommitment = b"ionet trust v1: precommitment   ",
    Challenge = b"ionet trust v1: challenge       ",
    Vectors = b"ionet trust v1: vectors r       ",
    Openings = b"ionet trust v1: openings        ",
    Memory = b"ionet trust v1: memory          ",
    Page = b"ionet trust v1: page            ",
    Pass = b"ionet trust v1: pass            ",
    Trail = b"ionet trust v1: passes          ",
    Pairs = b"ionet trust v1: pairs opened    ",
    Block = b"ionet trust v1: beacon of block ",
    Veil = b"ionet trust v1: veil of a beacon",
    Start = b"ionet trust v1: beacon of a task",
    Chip = b"ionet trust v1: chip of a device",
    Head = b"ionet trust v1: head of a record",
    Entry = b"ionet trust v1: entry of record ",
    Record = b"ionet trust v1: record          ",
    Moment = b"ionet trust v1: moment of start ",
    ProofBytes = b"ionet trust v1: bytes of a proof",
}

impl Purpose {
    /// The hash of the parts, one after the other: each but the last has a fixed length.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> Hash {
        let mut hasher = blake3::Hasher::new_keyed(self.key());
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// The same as the seed of a stream.
    pub(crate) fn seed(self, parts: &[&[u8]]) -> Seed {
        Seed(self.hash(parts))
    }
}

/// Keys of the hashes that a kernel on a chip makes: of [`leaf`], of [`node`], and of
/// [`crate::memory::hash_page`].
pub const KERNEL_KEYS: [[u8; 32]; 3] =
    [*Purpose::Leaf.key(), *Purpose::Node.key(), *Purpose::Page.key()];

/// Where a leaf stands in its round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Row of C.
    pub row: usize,
    /// Which piece of the row.
    pub segment: usize,
}

impl Place {
    /// The leaf's number in the tree.
    pub fn index(self, shape: Shape) -> usize {
        self.row * shape.segments() + self.segment
    }

    /// The leaf with this number.
    pub fn of_index(shape: Shape, index: usize) -> Self {
        Self { row: index / shape.segments(), segment: index % shape.segments() }
    }
}

/// The hash of a leaf: its round and place, and its entries of C.
pub fn leaf(round: u32, place: Place, values: &[i32]) -> Hash {
    let mut hasher = blake3::Hasher::new_keyed(Purpose::Leaf.key());
    hasher.update(&round.to_le_bytes());
    hasher.update(&(place.row as u32).to_le_bytes());
    hasher.update(&(place.segment as u32).to_le_bytes());
    for value in values {
        hasher.update(&value.to_le_bytes());
    }
    hasher.finalize().into()
}

/// What stands above two hashes of a tree.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Purpose::Node.hash(&[left, right])
}

/// A tree over a round's leaves.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The leaves, then what is above them, up to the root.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Over leaves whose number is a power of two, at least one.
    pub fn new(leaves: Vec<Hash>) -> Self {
        assert!(leaves.len().is_power_of_two());
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            levels.push(below.chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect());
        }
        Self { levels }
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        self.levels[self.levels.len() - 1][0]
    }

    /// The hashes beside the way from a leaf to the root, the leaf's neighbour first.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        beside(&self.levels, index)
    }

    /// What lies above `height`, or the root if the tree is no higher.
    pub fn trunk(mut self, height: usize) -> Trunk {
        let height = height.min(self.levels.len() - 1);
        Trunk { height, levels: self.levels.split_off(height) }
    }
}

/// The upper part of a tree: what is kept of a round whose leaves can be computed again.
#[derive(Debug, Clone)]
pub struct Trunk {
    height: usize,
    levels: Vec<Vec<Hash>>,
}

impl Trunk {
    /// Over the hashes at `height` of a tree, a power of two of them, at least one.
    pub fn over(height: usize, hashes: Vec<Hash>) -> Self {
        Self { height, levels: Tree::new(hashes).levels }
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        self.levels[self.levels.len() - 1][0]
    }

    /// How high the part below is: it has `2^height` leaves under each hash.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The hashes beside the way from a leaf to the root, from this height on.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        beside(&self.levels, index >> self.height)
    }
}

/// The hashes beside the way from the hash `index` of the lowest level up to the root.
fn beside(levels: &[Vec<Hash>], index: usize) -> Vec<Hash> {
    let up = levels.iter().take(levels.len() - 1).enumerate();
    up.map(|(height, level)| level[(index >> height) ^ 1]).collect()
}

/// The root that a leaf with this path belongs to.
pub fn root_of(index: usize, leaf: Hash, path: &[Hash]) -> Hash {
    path.iter().enumerate().fold(leaf, |below, (height, beside)| {
        if (index >> height) & 1 == 0 { node(&below, beside) } else { node(beside, &below) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_to_the_root_and_no_other_place_does() {
        let leaves: Vec<Hash> = (0..16u8).map(|n| [n; 32]).collect();
        let tree = Tree::new(leaves.clone());
        for (index, found) in leaves.iter().enumerate() {
            let path = tree.path(index);
            assert_eq!(root_of(index, *found, &path), tree.root());
            for other in (0..16).filter(|other| *other != index) {
                assert_ne!(root_of(other, *found, &path), tree.root());
            }
        }
        assert_eq!(Tree::new(vec![[1; 32]]).root(), [1; 32]);
    }

    #[test]
    fn a_trunk_with_what_lies_below_it_is_the_tree() {
        let leaves: Vec<Hash> = (0..16u8).map(|n| [n; 32]).collect();
        let tree = Tree::new(leaves.clone());
        for height in [0, 1, 2, 4, 9] {
            let trunk = tree.clone().trunk(height);
            let low = 1 << trunk.height();
            assert_eq!(trunk.root(), tree.root());
            let over = Trunk::over(trunk.height(), trunk.levels[0].clone());
            assert_eq!((over.root(), over.path(5)), (tree.root(), trunk.path(5)));
            for index in 0..16 {
                let first = index - index % low;
                let below = Tree::new(leaves[first..first + low].to_vec());
                let mut path = below.path(index - first);
                path.extend(trunk.path(index));
                assert_eq!(path, tree.path(index), "height {height}, leaf {index}");
            }
        }
    }

    #[test]
    fn purposes_differ() {
        let hashes: std::collections::BTreeSet<_> =
            Purpose::ALL.iter().map(|p| p.hash(&[b"x"])).collect();
        assert_eq!(hashes.len(), Purpose::ALL.len());
    }
}
