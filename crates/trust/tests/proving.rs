//! Whole hours at small sizes: an honest device passes, and each shortcut is found.

use ionet_core::DeviceId;
use ionet_trust::*;

const SIDE: usize = 64;
const ROUNDS: u32 = 4;
const OPENINGS: usize = 48;

fn shape() -> Shape {
    Shape::new(Entries::Byte, SIDE as u32, 16).unwrap()
}

/// A device that may leave out work.
struct Device {
    chain: Chain,
    rounds: Vec<(Vec<i32>, Tree)>,
}

fn product(a: &[i8], b: &[i8]) -> Vec<i32> {
    let mut c = vec![0; SIDE * SIDE];
    for i in 0..SIDE {
        for k in 0..SIDE {
            let entry = i32::from(a[i * SIDE + k]);
            for j in 0..SIDE {
                c[i * SIDE + j] += entry * i32::from(b[k * SIDE + j]);
            }
        }
    }
    c
}

impl Device {
    /// Works on a beacon; `spoil` changes each round's product before it is committed to.
    fn work(id: u8, beacon: Beacon, spoil: impl Fn(u32, &mut Vec<i32>)) -> Self {
        let b = shared_seed(&beacon, shape()).matrix(shape());
        let mut chain = Chain::new(shape(), beacon, DeviceId([id; 32]));
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let mut c = product(&chain.seed(round).unwrap().matrix(shape()), &b);
            spoil(round, &mut c);
            let leaves = c.chunks_exact(shape().width()).enumerate();
            let hash = |(i, values)| leaf(round, Place::of_index(shape(), i), values);
            let tree = Tree::new(leaves.map(hash).collect());
            assert!(chain.push(tree.root()));
            rounds.push((c, tree));
        }
        Self { chain, rounds }
    }

    fn honest(id: u8) -> Self {
        Self::work(id, START, |_, _| ())
    }

    fn open(&self, asked: &[Opening]) -> Proof {
        let open = |opening: &Opening| {
            let (c, tree) = &self.rounds[opening.round as usize];
            let index = opening.place.index(shape());
            let values = c[index * shape().width()..][..shape().width()].to_vec();
            Opened { values, path: tree.path(index) }
        };
        Proof { roots: self.chain.roots().to_vec(), opened: asked.iter().map(open).collect() }
    }

    fn answers(&self, hour: &Hour) -> Result<u32, Rejection> {
        let device = self.chain.device();
        let proof = self.open(&hour.asks(device, ROUNDS));
        hour.verify(device, &self.chain.commitment(), &proof)
    }
}

const START: Beacon = Beacon([1; 32]);

fn hour_of(late: u8) -> Hour {
    let secret = Secret([8; 32]);
    let challenge =
        Challenge::new(&START, &Beacon([late; 32]), &secret, &secret.precommitment()).unwrap();
    Hour::new(shape(), START, challenge, OPENINGS)
}

#[test]
fn honest_work_passes_whatever_is_asked() {
    let device = Device::honest(1);
    for late in 0..20 {
        assert_eq!(device.answers(&hour_of(late)), Ok(ROUNDS));
    }
}

#[test]
fn one_wrong_entry_is_found_when_its_leaf_is_opened_and_only_then() {
    // One entry in each leaf of the last round's upper half: an eighth of all leaves.
    let device = Device::work(1, START, |round, c| {
        if round == ROUNDS - 1 {
            for values in c[..SIDE * SIDE / 2].chunks_exact_mut(shape().width()) {
                values[3] += 1;
            }
        }
    });
    let mut found = 0;
    for late in 0..40 {
        let hour = hour_of(late);
        let bad = |o: &Opening| o.round == ROUNDS - 1 && o.place.row < SIDE / 2;
        let first = hour.asks(device.chain.device(), ROUNDS).iter().position(bad);
        assert_eq!(device.answers(&hour), first.map_or(Ok(ROUNDS), |n| Err(Rejection::Product(n))));
        found += u32::from(first.is_some());
    }
    // All but (7/8)^48 = 0.2 % of the hours.
    assert!(found >= 38, "{found} of 40");
}

#[test]
fn work_for_another_key_hour_or_round_is_worth_nothing() {
    let hour = hour_of(3);
    let (own, other) = (Device::honest(1), Device::honest(2));
    let device = own.chain.device();
    // Another device's rounds under its own name, with its own commitment's form.
    let stolen = Chain::with_roots(shape(), START, device, other.chain.roots().to_vec()).unwrap();
    let proof = other.open(&hour.asks(device, ROUNDS));
    let verdict = hour.verify(device, &stolen.commitment(), &proof);
    assert!(matches!(verdict, Err(Rejection::Product(_))), "{verdict:?}");
    assert_eq!(hour.verify(device, &other.chain.commitment(), &proof), Err(Rejection::Commitment));
    // The same device's rounds of an hour before.
    let old = Device::work(1, Beacon([0; 32]), |_, _| ());
    let renewed = Chain::with_roots(shape(), START, device, old.chain.roots().to_vec()).unwrap();
    let proof = old.open(&hour.asks(device, ROUNDS));
    let verdict = hour.verify(device, &renewed.commitment(), &proof);
    assert!(matches!(verdict, Err(Rejection::Product(_))), "{verdict:?}");
    // One round's product, counted twice.
    let mut roots = own.chain.roots().to_vec();
    roots[2] = roots[1];
    let twice = Chain::with_roots(shape(), START, device, roots.clone()).unwrap();
    let mut proof = own.open(&hour.asks(device, ROUNDS));
    proof.roots = roots;
    assert!(hour.verify(device, &twice.commitment(), &proof).is_err());
}

#[test]
fn openings_are_taken_as_asked_or_not_at_all() {
    let hour = hour_of(5);
    let device = Device::honest(1);
    let (id, commitment) = (device.chain.device(), device.chain.commitment());
    let good = device.open(&hour.asks(id, ROUNDS));
    let with = |change: &dyn Fn(&mut Proof)| {
        let mut proof = good.clone();
        change(&mut proof);
        hour.verify(id, &commitment, &proof)
    };
    assert_eq!(with(&|_| ()), Ok(ROUNDS));
    let short = Rejection::Openings { expected: OPENINGS, found: OPENINGS - 1 };
    assert_eq!(with(&|p| p.opened.truncate(OPENINGS - 1)), Err(short));
    let none = Rejection::Openings { expected: OPENINGS, found: 0 };
    assert_eq!(with(&|p| p.opened.clear()), Err(none));
    assert_eq!(with(&|p| p.opened[2] = p.opened[1].clone()), Err(Rejection::Path(2)));
    assert_eq!(with(&|p| p.opened.swap(0, 1)), Err(Rejection::Path(0)));
    assert_eq!(with(&|p| p.opened[4].values[0] ^= 1), Err(Rejection::Path(4)));
    assert_eq!(with(&|p| p.opened[4].values.truncate(1)), Err(Rejection::Size(4)));
    assert_eq!(with(&|p| p.opened[4].path.push([0; 32])), Err(Rejection::Size(4)));
    assert_eq!(with(&|p| p.opened[4].path[0][0] ^= 1), Err(Rejection::Path(4)));
    assert_eq!(with(&|p| p.roots[0][0] ^= 1), Err(Rejection::Commitment));
    assert_eq!(with(&|p| p.roots.truncate(1)), Err(Rejection::Commitment));
    assert_eq!(with(&|p| p.roots.clear()), Err(Rejection::Commitment));
    let lazy = Chain::new(shape(), START, id);
    let nothing = Proof { roots: vec![], opened: vec![] };
    assert_eq!(hour.verify(id, &lazy.commitment(), &nothing), Err(Rejection::NoRounds));
}

#[test]
fn a_proof_that_travelled_as_bytes_still_passes() {
    let hour = hour_of(6);
    let device = Device::honest(9);
    let id = device.chain.device();
    let bytes = device.open(&hour.asks(id, ROUNDS)).encode();
    let proof = Proof::decode(shape(), OPENINGS, &bytes).unwrap();
    assert_eq!(hour.verify(id, &device.chain.commitment(), &proof), Ok(ROUNDS));
}
