//! Mutations of inputs from a fixed seed: what an ordinary test tries without a fuzzer. They see
//! no coverage, so they are no substitute for one.

/// Numbers from a seed (Steele, Lea and Flood's SplitMix64): all chance of a run.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From a name, so that each target has its own.
    pub fn new(name: &str) -> Self {
        Self(name.bytes().fold(0x1057, |seed, byte| seed.rotate_left(7) ^ u64::from(byte)))
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// Below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound.max(1) as u64) as usize
    }
}

/// Values at which lengths and counts go wrong.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, u64::MAX];

/// `input` with one to four changes, of `others` where it is joined with something.
pub fn mutate(input: &[u8], others: &[Vec<u8>], bytes_max: usize, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(4) {
        change(&mut bytes, others, chance);
    }
    bytes.truncate(bytes_max);
    bytes
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(bytes.len());
    let reach = 1 << chance.below(10);
    let end = (at + 1 + chance.below(reach)).min(bytes.len());
    match chance.below(8) {
        _ if bytes.is_empty() => bytes.push(chance.below(256) as u8),
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => bytes[at] = chance.below(256) as u8,
        2 => {
            let edge = EDGES[chance.below(EDGES.len())].to_le_bytes();
            let wide = (1 << chance.below(4)).min(bytes.len() - at);
            bytes[at..at + wide].copy_from_slice(&edge[..wide]);
        }
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        6 => bytes.insert(at, chance.below(256) as u8),
        _ => {
            let other = &others[chance.below(others.len())];
            let from = chance.below(other.len());
            let piece = &other[from..(from + end - at).min(other.len())];
            bytes.splice(at..end, piece.iter().copied());
        }
    }
}
