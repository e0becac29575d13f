//! What a round multiplies: sizes, and how large entries are.

use std::fmt;

/// How large the entries of A and B are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entries {
    /// -128 to 127: for integer units. A sum of 2^16 products is at most 2^30.
    Byte,
    /// -8 to 7: exact in fp16 and bf16, and any order of adding 2^16 products in fp32 gives the
    /// same bits, since no partial sum passes 2^22.
    Nibble,
}

impl Entries {
    /// The entry that a byte of the cipher's stream stands for.
    pub const fn entry(self, byte: u8) -> i8 {
        match self {
            Self::Byte => byte as i8,
            Self::Nibble => (byte & 15) as i8 - 8,
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Byte => 0,
            Self::Nibble => 1,
        }
    }
}

/// Least side of the matrices: a row fills whole blocks of the cipher.
pub const SIDE_MIN: u32 = 64;
/// Largest side: sums of products stay exact, see [`Entries`].
pub const SIDE_MAX: u32 = 1 << 16;
/// Most entries of C in one leaf: what an opening sends of it stays below 4 KiB.
pub const WIDTH_MAX: u32 = 1024;

/// Sizes of a round. All are powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    entries: Entries,
    side: u32,
    width: u32,
}

/// Why there is no such shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The side is out of range or no power of two.
    #[error("side {0} is not a power of two from {SIDE_MIN} to {SIDE_MAX}")]
    Side(u32),
    /// The width of a leaf is out of range or no power of two.
    #[error("leaf width {0} is not a power of two up to {WIDTH_MAX} and the side")]
    Width(u32),
}

impl Shape {
    /// Square matrices of `side`, whose product is committed in leaves of `width` entries.
    pub fn new(entries: Entries, side: u32, width: u32) -> Result<Self, ShapeError> {
        if !side.is_power_of_two() || !(SIDE_MIN..=SIDE_MAX).contains(&side) {
            return Err(ShapeError::Side(side));
        }
        if !width.is_power_of_two() || width > WIDTH_MAX.min(side) {
            return Err(ShapeError::Width(width));
        }
        Ok(Self { entries, side, width })
    }

    /// How large entries are.
    pub const fn entries(self) -> Entries {
        self.entries
    }

    /// Rows and columns of A, B and C.
    pub const fn side(self) -> usize {
        self.side as usize
    }

    /// Entries of C in a leaf.
    pub const fn width(self) -> usize {
        self.width as usize
    }

    /// Leaves in a row.
    pub const fn segments(self) -> usize {
        (self.side / self.width) as usize
    }

    /// Leaves in a round.
    pub const fn leaves(self) -> usize {
        self.side() * self.segments()
    }

    /// Hashes on the way from a leaf to the root.
    pub const fn depth(self) -> usize {
        self.leaves().trailing_zeros() as usize
    }

    /// Multiplications with an addition each in a round.
    pub const fn operations(self) -> u64 {
        (self.side as u64).pow(3)
    }

    /// What goes into hashes for it.
    pub(crate) fn bytes(self) -> [u8; 9] {
        let mut bytes = [self.entries.tag(); 9];
        bytes[1..5].copy_from_slice(&self.side.to_le_bytes());
        bytes[5..].copy_from_slice(&self.width.to_le_bytes());
        bytes
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.entries {
            Entries::Byte => "byte",
            Entries::Nibble => "nibble",
        };
        write!(f, "{kind} {0}x{0}, leaves of {1}", self.side, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_break_the_protocol_are_no_shapes() {
        for side in [0, 1, 32, 63, 96, SIDE_MAX + 1, 2 * SIDE_MAX, u32::MAX] {
            let wrong = Shape::new(Entries::Byte, side, 16);
            assert_eq!(wrong, Err(ShapeError::Side(side)), "{side}");
        }
        for width in [0, 3, 128, 2 * WIDTH_MAX, u32::MAX] {
            let wrong = Shape::new(Entries::Byte, 64, width);
            assert_eq!(wrong, Err(ShapeError::Width(width)), "{width}");
        }
    }

    #[test]
    fn the_largest_sums_are_exact() {
        let most = |entries: Entries| {
            let bytes = 0..=u8::MAX;
            let largest = bytes.map(|b| i64::from(entries.entry(b)).abs()).max().unwrap();
            largest * largest * i64::from(SIDE_MAX)
        };
        assert!(most(Entries::Byte) < 1 << 31, "a signed word holds it");
        assert!(most(Entries::Nibble) < 1 << 24, "fp32 holds it and every partial sum");
    }
}
