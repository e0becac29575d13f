//! Those who answer: an honest device, and cheats that really make commitments and proofs.

use crate::world::{Attacker, LEAST, ROUND_US, Sent, World, device};
use ionet_core::DeviceId;
use ionet_prover::{Cpu, Prover};
use ionet_trust::{
    Beacon, Chain, Commitment, Hash, Opened, Opening, Place, Proof, Shape, Tree, leaf, shared_seed,
};
use rand::Rng;
use rand::rngs::StdRng;

/// Microseconds of a round at a speed in thousandths of the typical one.
fn round_us(speed: u64) -> u64 {
    ROUND_US * 1_000 / speed.max(1)
}

/// Rounds that fit into a time, at least one: whoever has none has nothing to send.
fn rounds_in(time_us: u64, round_us: u64) -> u32 {
    (time_us / round_us).max(1) as u32
}

/// The ordinary prover of the network, for one or more identities on one chip, perhaps with the
/// beacon in hand before the start reaches it, or with what it takes for it. An honest device is
/// one identity without a lead.
pub struct Honest {
    identities: u8,
    speed: u64,
    lead_us: u64,
    guess: Option<Beacon>,
    provers: Vec<(DeviceId, Prover<Cpu>)>,
}

impl Honest {
    /// One device on a chip of this speed.
    pub fn of_speed(speed: u64) -> Self {
        Self { identities: 1, speed, lead_us: 0, guess: None, provers: Vec::new() }
    }

    /// A4, A5: so many identities, one chip.
    pub fn many(identities: u8, speed: u64) -> Self {
        Self { identities, ..Self::of_speed(speed) }
    }

    /// A6: knows the beacon so many microseconds before it is told. A coordinator's friend.
    pub fn early(speed: u64, lead_us: u64) -> Self {
        Self { lead_us, ..Self::of_speed(speed) }
    }

    /// A6: begins so many microseconds early, from what it takes for the beacon.
    pub fn guessing(speed: u64, lead_us: u64, guess: Beacon) -> Self {
        Self { guess: Some(guess), ..Self::early(speed, lead_us) }
    }
}

impl Attacker for Honest {
    fn commit(&mut self, world: &World) -> Vec<Sent> {
        let each = round_us(self.speed / u64::from(self.identities));
        let rounds = rounds_in(world.time_us + self.lead_us, each);
        let after_us = (u64::from(rounds) * each).saturating_sub(self.lead_us);
        let sent = (1..=self.identities).map(|number| {
            let device = device(number);
            let beacon = self.guess.unwrap_or(world.beacon);
            let Ok(mut prover) = Prover::start(Cpu::new(1), world.shape, beacon, device);
            for _ in 0..rounds {
                let Ok(_) = prover.round();
            }
            let commitment = prover.commitment();
            self.provers.push((device, prover));
            Sent { device, commitment, rounds, after_us }
        });
        sent.collect()
    }

    fn open(&mut self, device: DeviceId, asked: &[Opening]) -> Proof {
        let found = self.provers.iter_mut().find(|(id, _)| *id == device);
        let (_, prover) = found.expect("it committed for this device");
        prover.open(asked).expect("only leaves of its rounds are asked for")
    }
}

/// Rounds with all their leaves kept, so that a cheat can change any of them before hashing.
pub struct Notes {
    chain: Chain,
    b: Vec<i8>,
    rounds: Vec<(Vec<i32>, Tree)>,
}

impl Notes {
    /// Of a device that begins.
    pub fn new(world: &World, device: DeviceId) -> Self {
        let b = shared_seed(&world.beacon, world.shape).matrix(world.shape);
        Self { chain: Chain::new(world.shape, world.beacon, device), b, rounds: Vec::new() }
    }

    /// Does a round, and lets `change` have its product before it is hashed.
    pub fn round(&mut self, multiply: Multiply, change: impl FnOnce(Shape, &mut Vec<i32>)) {
        let (shape, round) = (self.chain.shape(), self.chain.rounds());
        let seed = self.chain.seed(round).expect("all rounds before are there");
        let mut product = multiply(shape.side(), &seed.matrix(shape), &self.b);
        change(shape, &mut product);
        let tree = Tree::new(hashes(shape, round, &product));
        self.chain.push(tree.root());
        self.rounds.push((product, tree));
    }

    /// Puts another root in place of what was found, as if the round had been done.
    pub fn invent(&mut self, root: Hash) {
        let shape = self.chain.shape();
        self.chain.push(root);
        let leaves = vec![[0; 32]; shape.leaves()];
        self.rounds.push((vec![0; shape.side() * shape.side()], Tree::new(leaves)));
    }

    /// What would be sent.
    pub fn commitment(&self) -> Commitment {
        self.chain.commitment()
    }

    /// Rounds so far.
    pub fn done(&self) -> u32 {
        self.chain.rounds()
    }

    /// Opens what was kept, right or wrong.
    pub fn open(&self, asked: &[Opening]) -> Proof {
        let shape = self.chain.shape();
        let opened = asked.iter().map(|Opening { round, place }| {
            let (product, tree) = &self.rounds[*round as usize];
            let index = place.index(shape);
            let values = product[index * shape.width()..][..shape.width()].to_vec();
            Opened { values, path: tree.path(index) }
        });
        Proof { roots: self.chain.roots().to_vec(), opened: opened.collect() }
    }

    /// Whether all that is asked for happens to be right: a cheat can tell.
    pub fn survives(&self, asked: &[Opening], wrong: &[(u32, usize)]) -> bool {
        let shape = self.chain.shape();
        asked.iter().all(|o| !wrong.contains(&(o.round, o.place.index(shape))))
    }
}

/// How somebody multiplies: side, A, B.
pub type Multiply = fn(usize, &[i8], &[i8]) -> Vec<i32>;

/// By the definition: any number of rows of A.
pub fn plainly(side: usize, a: &[i8], b: &[i8]) -> Vec<i32> {
    let mut c = vec![0; a.len()];
    for (row, into) in a.chunks_exact(side).zip(c.chunks_exact_mut(side)) {
        for (a, b) in row.iter().zip(b.chunks_exact(side)) {
            into.iter_mut().zip(b).for_each(|(c, b)| *c += i32::from(*a) * i32::from(*b));
        }
    }
    c
}

fn hashes(shape: Shape, round: u32, product: &[i32]) -> Vec<Hash> {
    let leaves = product.chunks_exact(shape.width()).enumerate();
    leaves.map(|(n, values)| leaf(round, Place::of_index(shape, n), values)).collect()
}

/// A8: leaves out a share of the leaves and commits to noise there. Tries other noise as often as
/// it has patience for, until a question of its own guess would find nothing.
pub struct Partial<'a> {
    share: f64,
    speed: u64,
    guesses: u32,
    rng: &'a mut StdRng,
    wrong: Vec<(u32, usize)>,
    notes: Option<Notes>,
}

impl<'a> Partial<'a> {
    /// Of a chip whose speed would be `speed` if it worked honestly.
    pub fn new(share: f64, speed: u64, rng: &'a mut StdRng) -> Self {
        Self { share, speed, guesses: 0, rng, wrong: Vec::new(), notes: None }
    }

    /// Tries again up to `guesses` times, against a question that it makes up.
    pub fn grinding(share: f64, speed: u64, guesses: u32, rng: &'a mut StdRng) -> Self {
        Self { guesses, ..Self::new(share, speed, rng) }
    }

    /// Rounds with the leaves left out, drawn anew.
    fn attempt(&mut self, world: &World, rounds: u32) -> Notes {
        let mut notes = Notes::new(world, device(1));
        self.wrong.clear();
        for round in 0..rounds {
            let (rng, wrong, share) = (&mut *self.rng, &mut self.wrong, self.share);
            notes.round(plainly, |shape, product| {
                for (index, values) in product.chunks_exact_mut(shape.width()).enumerate() {
                    if rng.random_bool(share) {
                        values[0] = values[0].wrapping_add(1 + rng.random_range(0..1_000));
                        wrong.push((round, index));
                    }
                }
            });
        }
        notes
    }

    /// The leaves that are wrong, and the rounds.
    pub fn attempted(&mut self, world: &World, rounds: u32) -> (Notes, Vec<(u32, usize)>) {
        (self.attempt(world, rounds), std::mem::take(&mut self.wrong))
    }
}

impl Attacker for Partial<'_> {
    fn commit(&mut self, world: &World) -> Vec<Sent> {
        let saved = (self.speed as f64 / (1.0 - self.share)) as u64;
        let each = round_us(saved);
        let rounds = rounds_in(world.time_us, each);
        let mut notes = self.attempt(world, rounds);
        for _ in 0..self.guesses {
            let guess = world_guess(self.rng, world);
            let asked = guess.hour().asks(device(1), rounds);
            if notes.survives(&asked, &self.wrong) {
                break;
            }
            notes = self.attempt(world, rounds);
        }
        let commitment = notes.commitment();
        let after_us = u64::from(rounds) * each;
        self.notes = Some(notes);
        vec![Sent { device: device(1), commitment, rounds, after_us }]
    }

    fn open(&mut self, _: DeviceId, asked: &[Opening]) -> Proof {
        self.notes.as_ref().expect("it committed").open(asked)
    }
}

/// The same start with another late block and secret: all that a prover can make up.
fn world_guess(rng: &mut StdRng, world: &World) -> World {
    let mut guess = World::new(rng);
    (guess.shape, guess.beacon, guess.openings) = (world.shape, world.beacon, world.openings);
    guess
}

/// A6: sends what was computed for another beacon or for another device.
pub struct Replay {
    from: World,
    name: DeviceId,
    notes: Notes,
}

impl Replay {
    /// With rounds that `owner` did in the world `from`, sent in the name of device 1.
    pub fn new(from: World, owner: u8) -> Self {
        let mut notes = Notes::new(&from, device(owner));
        (0..4).for_each(|_| notes.round(plainly, |_, _| ()));
        Self { from, name: device(1), notes }
    }
}

impl Attacker for Replay {
    fn commit(&mut self, _: &World) -> Vec<Sent> {
        let commitment = self.notes.commitment();
        let after_us = self.from.time_us / 100;
        vec![Sent { device: self.name, commitment, rounds: self.notes.done(), after_us }]
    }

    fn open(&mut self, _: DeviceId, asked: &[Opening]) -> Proof {
        self.notes.open(asked)
    }
}

/// A3 upside down: several weak chips share each round's rows and pose as one strong chip. Only
/// the roots of their parts cross between them.
pub struct Joined {
    chips: u64,
    speed: u64,
    exchange_us: u64,
    notes: Option<Notes>,
}

impl Joined {
    /// So many chips, each of this speed, with this time for one exchange.
    pub fn new(chips: u64, speed: u64, exchange_us: u64) -> Self {
        Self { chips, speed, exchange_us, notes: None }
    }
}

impl Attacker for Joined {
    fn commit(&mut self, world: &World) -> Vec<Sent> {
        let each = round_us(self.speed * self.chips) + self.exchange_us;
        let rounds = rounds_in(world.time_us, each);
        let mut notes = Notes::new(world, device(1));
        let chips = self.chips as usize;
        let multiply: Multiply = match chips {
            2 => |n, a, b| in_parts(2, n, a, b),
            4 => |n, a, b| in_parts(4, n, a, b),
            _ => |n, a, b| in_parts(8, n, a, b),
        };
        (0..rounds).for_each(|_| notes.round(multiply, |_, _| ()));
        let commitment = notes.commitment();
        self.notes = Some(notes);
        vec![Sent { device: device(1), commitment, rounds, after_us: u64::from(rounds) * each }]
    }

    fn open(&mut self, _: DeviceId, asked: &[Opening]) -> Proof {
        self.notes.as_ref().expect("it committed").open(asked)
    }
}

/// Each part has some rows of A and never sees those of others.
fn in_parts(parts: usize, side: usize, a: &[i8], b: &[i8]) -> Vec<i32> {
    a.chunks(a.len() / parts).flat_map(|rows| plainly(side, rows, b)).collect()
}

/// A7: multiplies exactly, by fewer multiplications.
pub struct Fast {
    multiply: Multiply,
    speed: u64,
    notes: Option<Notes>,
}

impl Fast {
    /// With an algorithm that makes this chip so fast.
    pub fn new(multiply: Multiply, speed: u64) -> Self {
        Self { multiply, speed, notes: None }
    }
}

impl Attacker for Fast {
    fn commit(&mut self, world: &World) -> Vec<Sent> {
        let each = round_us(self.speed);
        let rounds = rounds_in(world.time_us, each);
        let mut notes = Notes::new(world, device(1));
        (0..rounds).for_each(|_| notes.round(self.multiply, |_, _| ()));
        let commitment = notes.commitment();
        self.notes = Some(notes);
        vec![Sent { device: device(1), commitment, rounds, after_us: u64::from(rounds) * each }]
    }

    fn open(&mut self, _: DeviceId, asked: &[Opening]) -> Proof {
        self.notes.as_ref().expect("it committed").open(asked)
    }
}

/// Commits to roots of nothing at once, and does the leaves that are asked for afterwards.
pub struct Afterwards {
    beacon: Beacon,
    shape: Option<Shape>,
    notes: Option<Notes>,
}

impl Default for Afterwards {
    fn default() -> Self {
        Self { beacon: Beacon([0; 32]), shape: None, notes: None }
    }
}

impl Attacker for Afterwards {
    fn commit(&mut self, world: &World) -> Vec<Sent> {
        (self.beacon, self.shape) = (world.beacon, Some(world.shape));
        let mut notes = Notes::new(world, device(1));
        (0..12u8).for_each(|n| notes.invent([n; 32]));
        let commitment = notes.commitment();
        self.notes = Some(notes);
        let after_us = world.time_us * LEAST / 1_000;
        vec![Sent { device: device(1), commitment, rounds: 12, after_us }]
    }

    fn open(&mut self, device: DeviceId, asked: &[Opening]) -> Proof {
        let (notes, shape) =
            (self.notes.as_ref().expect("it committed"), self.shape.expect("it committed"));
        let roots = notes.open(&[]).roots;
        let chain = Chain::with_roots(shape, self.beacon, device, roots.clone()).expect("few");
        let b = shared_seed(&self.beacon, shape).matrix(shape);
        let opened = asked.iter().map(|Opening { round, place }| {
            let seed = chain.seed(*round).expect("all roots are there");
            let mut row = vec![0; shape.side()];
            seed.row(shape, place.row, &mut row);
            let product = plainly(shape.side(), &row, &b);
            let values = product[place.segment * shape.width()..][..shape.width()].to_vec();
            Opened { values, path: vec![[0; 32]; shape.depth()] }
        });
        Proof { roots, opened: opened.collect() }
    }
}
