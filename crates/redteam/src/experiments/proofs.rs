//! Wrong work: leaves left out, things of another hour, shortcuts, memory that is not there.

use super::Effort;
use crate::algebra::{hankel, rank, strassen};
use crate::draw::{Count, stream};
use crate::faults::{Missing, accepts, asks};
use crate::forgetful::Forgetful;
use crate::links::Link;
use crate::report::{Basis, Chart, Section};
use crate::workers::{Afterwards, Fast, Honest, Multiply, Partial, Replay, plainly};
use crate::world::{Attacker, World, device, trial};
use ionet_trust::{Hour, shared_seed};

const SHARES: [f64; 8] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/// A8: how often somebody passes who leaves out a share, with and without trying to be lucky.
pub(super) fn partial(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "A8-partial",
        &[
            "share left out",
            "passes, counted",
            "(1 - e)^64",
            "passes, grinding 50 guesses",
            "rate gained",
        ],
    );
    let mut curve = Vec::new();
    for share in SHARES {
        let (mut plain, mut ground) = (Count::default(), Count::default());
        let mut rng = stream(effort.seed, &format!("partial {share}"));
        for number in 0..effort.trials {
            let mut world = World::new(&mut rng);
            world.time_us /= 3;
            let mut own = stream(effort.seed, &format!("noise {share} {number}"));
            let mut cheat = Partial::new(share, 1_000, &mut own);
            plain.add(trial(&world, &mut cheat, &Link::NONE, &mut rng)[0].rounds.is_ok());
            // Grinding costs fifty times the work: a quarter of the trials.
            if number % 4 == 0 {
                let mut cheat = Partial::grinding(share, 1_000, 50, &mut own);
                ground.add(trial(&world, &mut cheat, &Link::NONE, &mut rng)[0].rounds.is_ok());
            }
        }
        let theory = (1.0 - share).powi(64);
        let (low, high) = plain.interval();
        section.must(
            format!("leaving out {share} passes as often as the formula says, {plain}"),
            low - 0.05 <= theory && theory <= high + 0.05,
        );
        let (least, _) = ground.interval();
        section
            .must(format!("guessing does not help at {share}: {ground}"), least <= theory + 0.05);
        curve.push((share, theory, 1.0 - plain.share()));
        section.row(&[
            &format!("{:.1} %", share * 100.0),
            &plain,
            &format!("{:.1} %", theory * 100.0),
            &ground,
            &format!("{:.1} %", (1.0 / (1.0 - share) - 1.0) * 100.0),
        ]);
    }
    section.chart = Some(Chart {
        title: "A8: work left out (64 openings)",
        x: "share of leaves left out",
        y: "probability of being caught",
        curves: vec![
            ("counted".into(), curve.iter().map(|(x, _, y)| (*x, *y)).collect()),
            ("1 - (1 - e)^64".into(), curve.iter().map(|(x, y, _)| (*x, 1.0 - y)).collect()),
        ],
    });
    section
}

/// A3 with A8: a chip that is too slow leaves out what it cannot do, fails, and tries again: under
/// its name, which waits longer after each failure, or under a new one.
pub(super) fn persistent(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Computed,
        "A8-persistent",
        &[
            "speed, of the class's least",
            "has to leave out",
            "holds a verdict, one name",
            "chip-seconds a paid hour",
            "holds a verdict, new names",
            "chip-seconds a paid hour",
        ],
    );
    let manners = ["one name", "a new name after each failure"];
    let mut curves = manners.map(|name| (name.to_string(), Vec::new()));
    for speed in [1.0, 0.99, 0.98, 0.97, 0.95, 0.93, 0.92, 0.9, 0.8, 0.5] {
        let mut cells = vec![format!("{speed:.2}"), format!("{:.0} %", (1.0 - speed) * 100.0)];
        for (manner, (_, points)) in curves.iter_mut().enumerate() {
            let mut rng = stream(effort.seed, &format!("persistent {speed}"));
            let (share, cost) = lives(speed, manner == 1, &mut rng);
            points.push((1.0 - speed, share));
            cells.push(format!("{:.1} %", share * 100.0));
            cells.push(cost.map_or("never paid".into(), |seconds| format!("{seconds:.0}")));
            if speed <= 0.8 {
                section
                    .must(format!("a chip at {speed} of the least lives below 2 %"), share < 0.02);
            }
        }
        section.rows.push(cells);
    }
    section.chart = Some(Chart {
        title: "A3 with A8: too slow, leaves out the rest, tries again for 30 days",
        x: "share that it has to leave out",
        y: "share of time with a verdict",
        curves: curves.into(),
    });
    section
}

/// The share of 30 days with a verdict, and the chip-seconds of work for each hour of it.
fn lives(speed: f64, new_names: bool, rng: &mut rand::rngs::StdRng) -> (f64, Option<f64>) {
    const PERIOD_S: u64 = 3_600;
    const WORK_S: u64 = 20;
    /// From a trial that was failed to the first of a new name: promise, anchor and their blocks.
    const JOIN_S: u64 = 2;
    let passes = f64::powi(speed, 64);
    let (mut now, mut held, mut worked, mut failures) = (0, 0, 0, 0u32);
    while now < 30 * 86_400 {
        worked += WORK_S;
        if rand::Rng::random_bool(rng, passes) {
            failures = 0;
            held += PERIOD_S;
            now += PERIOD_S;
        } else {
            // A wrong answer ends the verdict; then 2, 4, 8 .. seconds, an hour at the most.
            failures += 1;
            let pause = (1u64 << failures.min(12)).min(PERIOD_S);
            now += WORK_S + if new_names { JOIN_S } else { pause };
        }
    }
    let cost = (held > 0).then(|| worked as f64 * 3_600.0 / held as f64);
    (held as f64 / now as f64, cost)
}

/// A6 and plain forgeries: nothing of another hour or another device counts.
pub(super) fn forgeries(effort: Effort) -> Section {
    let mut section = Section::new(Basis::Ran, "A6-replay", &["attack", "caught"]);
    let mut rng = stream(effort.seed, "forgeries");
    let names = ["last hour's rounds", "another device's rounds", "leaves made after the question"];
    for (kind, name) in names.iter().enumerate() {
        let mut caught = Count::default();
        for _ in 0..effort.trials.min(100) {
            let world = World::new(&mut rng);
            let mut replayed;
            let mut after = Afterwards::default();
            let attacker: &mut dyn Attacker = match kind {
                0 => {
                    replayed = Replay::new(World::new(&mut rng), 1);
                    &mut replayed
                }
                1 => {
                    let mut same = World::new(&mut rng);
                    same.beacon = world.beacon;
                    replayed = Replay::new(same, 2);
                    &mut replayed
                }
                _ => &mut after,
            };
            caught.add(trial(&world, attacker, &Link::NONE, &mut rng)[0].rounds.is_err());
        }
        section.must(format!("{name}: always caught"), caught.hits == caught.of);
        section.row(&[name, &caught]);
    }
    section
}

/// Checks taken out of a copy of the verifier: who wins then? A red team must be able to fail.
pub(super) fn faults(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "faults",
        &["check taken out", "attack", "passes without it", "passes with it"],
    );
    let cases = [
        (Missing::Commitment, "another hour's roots under this commitment"),
        (Missing::Path, "leaves made after the question"),
        (Missing::Product, "half of all leaves are noise"),
        (Missing::Question, "a tenth is noise; grinds its own commitment"),
    ];
    for (missing, name) in cases {
        let (mut without, mut with) = (Count::default(), Count::default());
        let mut rng = stream(effort.seed, name);
        for _ in 0..effort.trials.min(20) {
            without.add(attempt(missing, missing, &mut rng));
            with.add(attempt(missing, Missing::Nothing, &mut rng));
        }
        section.must(format!("without {missing:?} {name} wins"), without.hits == without.of);
        section.must(format!("with {missing:?} {name} does not"), with.share() < 0.25);
        section.row(&[&format!("{missing:?}"), &name, &without, &with]);
    }
    section
}

/// The attack that a missing check invites, against a verifier without it or with it.
fn attempt(attack: Missing, missing: Missing, rng: &mut rand::rngs::StdRng) -> bool {
    let mut world = World::new(rng);
    world.time_us /= 6;
    let hour: Hour = world.hour();
    let mut own = stream(rand::Rng::random(rng), "own");
    match attack {
        Missing::Nothing => false,
        Missing::Commitment => {
            // It commits to nothing in time, and works at leisure afterwards.
            let mut promise = Afterwards::default();
            let sent = promise.commit(&world)[0];
            let mut later = Honest::of_speed(1_000);
            let done = later.commit(&world)[0];
            let asked = asks(&world, &hour, missing, done.device, &sent.commitment, done.rounds);
            let proof = later.open(done.device, &asked);
            accepts(&world, &asked, missing, done.device, &sent.commitment, &proof)
        }
        Missing::Path => {
            let mut cheat = Afterwards::default();
            let sent = cheat.commit(&world)[0];
            let asked = asks(&world, &hour, missing, sent.device, &sent.commitment, sent.rounds);
            let proof = cheat.open(sent.device, &asked);
            accepts(&world, &asked, missing, sent.device, &sent.commitment, &proof)
        }
        Missing::Product => {
            let mut cheat = Partial::new(0.5, 1_000, &mut own);
            let sent = cheat.commit(&world)[0];
            let asked = asks(&world, &hour, missing, sent.device, &sent.commitment, sent.rounds);
            let proof = cheat.open(sent.device, &asked);
            accepts(&world, &asked, missing, sent.device, &sent.commitment, &proof)
        }
        Missing::Question => {
            world.openings = 32; // Thirty tries in place of 850: the same attack.
            let hour = world.hour();
            let mut cheat = Partial::new(0.1, 1_000, &mut own);
            for _ in 0..600 {
                let (notes, wrong) = cheat.attempted(&world, 1);
                let sent = notes.commitment();
                let own = asks(&world, &hour, Missing::Question, device(1), &sent, 1);
                if notes.survives(&own, &wrong) {
                    let asked = asks(&world, &hour, missing, device(1), &sent, 1);
                    let proof = notes.open(&asked);
                    return accepts(&world, &asked, missing, device(1), &sent, &proof);
                }
            }
            false
        }
    }
}

/// A7: what structure would give away, and what is a gain for everyone.
pub(super) fn algebra(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "A7-algebra",
        &["shortcut", "multiplications", "taken for right", "what follows"],
    );
    let mut rng = stream(effort.seed, "algebra");
    let mut run = |multiply: Multiply, speed: u64| {
        let mut right = Count::default();
        for _ in 0..effort.trials.min(20) {
            let mut world = World::new(&mut rng);
            world.time_us /= 3;
            let mut attacker = Fast::new(multiply, speed);
            right.add(trial(&world, &mut attacker, &Link::NONE, &mut rng)[0].rounds.is_ok());
        }
        right
    };
    let found = run(hankel, 64_000);
    section.must("the shortcut for sums of indices never passes", found.hits == 0);
    section.row(&[
        &"entries of a sum of indices",
        &"n² for n³",
        &found,
        &"caught: ours have no structure",
    ]);
    let found = run(strassen, 1_000);
    section.must("an exact fast product is right", found.hits == found.of);
    section.row(&[
        &"Strassen, two levels",
        &"49 for 64",
        &found,
        &"**not caught**: at best a chip at 0.77 of the least passes, additions not counted",
    ]);
    let found = run(plainly, 1_000);
    section.row(&[&"none", &"64 for 64", &found, &"the definition"]);
    let world = World::new(&mut rng);
    let full = (0..10u8).all(|n| {
        let mut beacon = world.beacon;
        beacon.0[0] = n;
        rank(world.shape.side(), &shared_seed(&beacon, world.shape).matrix(world.shape))
            == world.shape.side()
    });
    section.must("ten matrices have full rank", full);
    section.row(&[&"low rank", &"-", &"-", &"10 of 10 matrices B have full rank modulo 2^31 - 1"]);
    section
}

/// A9: pages that are not kept.
pub(super) fn memory(effort: Effort) -> Section {
    use ionet_trust::memory::{Memory, PAGE_BYTES, Verifier};
    let mut section = Section::new(
        Basis::Ran,
        "A9-memory",
        &["pages lost at each pass", "caught, 24 openings", "1 - (1 - d)^48"],
    );
    let mut points = Vec::new();
    for lost in [0.0, 0.02, 0.05, 0.1, 0.25, 0.5] {
        let mut caught = Count::default();
        let mut rng = stream(effort.seed, &format!("memory {lost}"));
        for _ in 0..effort.trials.min(100) {
            let world = World::new(&mut rng);
            let memory = Memory::new(256 * PAGE_BYTES as u64).expect("a size");
            let mut cheat = Forgetful::start(memory, world.beacon, device(1));
            (0..12).for_each(|_| cheat.pass(|| rand::Rng::random_bool(&mut rng, lost)));
            let question = world.question();
            let verifier = Verifier::new(memory, world.beacon, question, 24);
            let proof = cheat.open(&cheat.trail().openings(&question, 24));
            let commitment = cheat.trail().commitment();
            caught.add(verifier.verify(device(1), 0, &commitment, &proof).is_err());
        }
        let theory = 1.0 - f64::powi(1.0 - lost, 48);
        points.push((lost, caught.share()));
        section.row(&[
            &format!("{:.0} %", lost * 100.0),
            &caught,
            &format!("{:.1} %", theory * 100.0),
        ]);
        let (low, high) = caught.interval();
        section.must(
            format!("losing {lost} is caught as often as the formula says: {caught}"),
            low - 0.08 <= theory && theory <= high + 0.08,
        );
    }
    section.chart = Some(Chart {
        title: "A9: memory that is not held (24 openings)",
        x: "share of pages lost at each pass",
        y: "probability of being caught",
        curves: vec![("counted".into(), points)],
    });
    section
}
