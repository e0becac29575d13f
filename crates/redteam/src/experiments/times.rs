//! Wrong times: chips that are too slow, too many names for one, who begins early, and a
//! coordinator that helps.

use super::Effort;
use crate::draw::{Count, stream};
use crate::links::Link;
use crate::report::{Basis, Chart, Section};
use crate::workers::{Honest, Partial};
use crate::world::{LEAST, World, device, trial};
use ionet_core::{Task, TrialId, Units, Wallet};
use ionet_prover::{Cpu, Prover};
use ionet_trust::record::{
    Answer, Entry, Lane, Mark, Outcome, Question, Record, SLOT_MS_MAX, Start, proof_hash, replay,
};
use ionet_trust::{Entries, Hour, Secret, Shape};
use rand::Rng;
use rand::rngs::StdRng;

/// Links that all of these are tried over.
fn links() -> Vec<(String, Link)> {
    let mut links: Vec<_> =
        Link::recorded().into_iter().map(|(name, link)| (name.to_string(), link)).collect();
    for (median, sigma) in [(20_000.0, 0.5), (50_000.0, 1.0), (150_000.0, 1.0)] {
        let name = format!("model: {:.0} ms a way, sigma {sigma}", median / 1_000.0);
        links.push((name, Link::LogNormal(median, sigma)));
    }
    links
}

/// A1, A2, A3, A11: chips of any speed that claim the class. A1 and A2 are its left end.
pub(super) fn speed(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "A3-speed",
        &["link", "0.01", "0.14 (1/7 slice)", "0.50", "0.70", "0.74", "0.76", "0.85"],
    );
    let speeds = [10, 143, 500, 700, 740, 760, 850];
    let mut curves = Vec::new();
    for (name, link) in links() {
        let mut cells = vec![name.clone()];
        let mut points = Vec::new();
        for speed in speeds {
            let mut rng = stream(effort.seed, &format!("speed {name} {speed}"));
            let mut caught = Count::default();
            for _ in 0..effort.trials.min(100) {
                let world = World::new(&mut rng);
                let judged = trial(&world, &mut Honest::of_speed(speed), &link, &mut rng);
                caught.add(!judged[0].passes());
            }
            if speed < LEAST {
                let all = caught.hits == caught.of;
                section.must(format!("{name}: a chip at {speed} of 1000 is always caught"), all);
            }
            points.push((speed as f64 / 1_000.0, caught.share()));
            cells.push(caught.to_string());
        }
        section.rows.push(cells);
        curves.push((name, points));
    }
    section.chart = Some(Chart {
        title: "A1, A2, A3, A11: true speed of the chip behind a claim",
        x: "speed, of what is typical of the claimed class",
        y: "probability of not being taken for it",
        curves,
    });
    section
}

/// Honest devices that are wrongly not taken for what they are, over delays.
pub(super) fn honest(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "honest",
        &["median of one way (model, sigma 1)", "typical chip not taken", "chip at 0.80 not taken"],
    );
    let mut curves = vec![("typical chip".to_string(), Vec::new()), ("0.80".into(), Vec::new())];
    for median_ms in [1.0, 20.0, 50.0, 100.0, 200.0, 400.0, 800.0] {
        let mut cells = vec![format!("{median_ms} ms")];
        for (speed, curve) in [1_000, 800].into_iter().zip(&mut curves) {
            let mut rng = stream(effort.seed, &format!("honest {median_ms} {speed}"));
            let (mut flagged, link) = (Count::default(), Link::LogNormal(median_ms * 1_000.0, 1.0));
            for _ in 0..effort.trials.min(200) {
                let world = World::new(&mut rng);
                let judged = trial(&world, &mut Honest::of_speed(speed), &link, &mut rng);
                flagged.add(!judged[0].passes());
            }
            curve.1.push((median_ms, flagged.share()));
            cells.push(flagged.to_string());
            if median_ms <= 20.0 {
                section
                    .must(format!("at {median_ms} ms honest chips pass"), flagged.share() < 0.05);
            }
        }
        section.rows.push(cells);
    }
    section.chart = Some(Chart {
        title: "Honest devices on bad links (12 s of work, 1 s of grace)",
        x: "median delay of one way, ms",
        y: "share wrongly not taken",
        curves,
    });
    section
}

/// A6 in time: the start's block is public before the start reaches anybody; its veil is not.
pub(super) fn lead(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Partly("the columns of proofs and of 12 s"),
        "A6-lead",
        &[
            "lead",
            "proofs of work from the block alone that hold",
            "slowest that is told in time, 12 s",
            "slowest that a coordinator tells early, 12 s",
            "computed: 1.5 s",
            "12 s",
            "20 s",
        ],
    );
    let mut rng = stream(effort.seed, "lead");
    let mut points = Vec::new();
    for lead_ms in [0u64, 200, 400, 800, 1_600, 3_200] {
        let lead_us = lead_ms * 1_000;
        let mut guessed = Count::default();
        for _ in 0..effort.trials.min(40) {
            let record = begun(Vec::new(), &mut rng);
            let mut world = World::new(&mut rng);
            world.beacon = record.beacon(0).expect("it began");
            let block = record.starts[0].mark.beacon(&record.genesis);
            let mut attacker = Honest::guessing(1_000, lead_us, block);
            let judged = trial(&world, &mut attacker, &Link::NONE, &mut rng);
            guessed.add(judged[0].rounds.is_ok());
        }
        section.must("work from the block alone proves nothing", guessed.hits == 0);
        let (told, early) = (slowest(0, &mut rng), slowest(lead_us, &mut rng));
        section.must(
            "without a lead nobody below the least passes",
            told.is_some_and(|speed| speed >= LEAST),
        );
        let even = |time_ms: u64| 0.75 * time_ms as f64 / (time_ms + lead_ms) as f64;
        let of = |found: Option<u64>| found.map_or(0.0, |speed| speed as f64 / 1_000.0);
        points.push((lead_ms as f64 / 1_000.0, even(1_500)));
        section.row(&[
            &format!("{lead_ms} ms"),
            &guessed,
            &format!("{:.2}", of(told)),
            &format!("{:.2}", of(early)),
            &format!("{:.2}", even(1_500)),
            &format!("{:.2}", even(12_000)),
            &format!("{:.2}", even(20_000)),
        ]);
    }
    section.chart = Some(Chart {
        title: "A6: slowest chip that passes if a coordinator tells it early (1.5 s of work)",
        x: "seconds of lead",
        y: "speed, of typical",
        curves: vec![("1.5 s of work".into(), points)],
    });
    section
}

/// The slowest chip, in thousandths of typical, that is taken for the class with this lead.
fn slowest(lead_us: u64, rng: &mut StdRng) -> Option<u64> {
    (400..=800).step_by(5).find(|speed| {
        let world = World::new(rng);
        let mut attacker = Honest::early(*speed, lead_us);
        trial(&world, &mut attacker, &Link::NONE, rng)[0].passes()
    })
}

/// A4, A5: one chip, many names, all asked at once.
pub(super) fn identities(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "A4-identities",
        &[
            "identities on one chip",
            "chip as claimed",
            "chip twice as strong",
            "chip four times as strong",
        ],
    );
    let mut rng = stream(effort.seed, "identities");
    for identities in [1u8, 2, 3, 4, 5, 8] {
        let mut cells = vec![identities.to_string()];
        for speed in [1_000, 2_000, 4_000] {
            let world = World::new(&mut rng);
            let mut attacker = Honest::many(identities, speed);
            let judged = trial(&world, &mut attacker, &Link::NONE, &mut rng);
            let taken = judged.iter().filter(|j| j.passes()).count();
            let proofs = judged.iter().filter(|j| j.rounds.is_ok()).count();
            cells.push(format!("{taken} taken ({proofs} valid proofs)"));
            let share = speed / u64::from(identities);
            let right = if share < LEAST { taken == 0 } else { taken == usize::from(identities) };
            section.must(format!("{identities} names at {speed}: {taken} taken"), right);
        }
        section.rows.push(cells);
    }
    section
}

/// A5 over two networks that know nothing of each other.
pub(super) fn two_networks(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Computed,
        "A5-networks",
        &[
            "time of work an hour",
            "duty",
            "a trial of both at once, in an hour",
            "seen within a day",
        ],
    );
    for time_s in [1.5, 12.0, 20.0, 60.0] {
        let mut rng = stream(effort.seed, &format!("networks {time_s}"));
        let (mut hour, mut day) = (Count::default(), Count::default());
        for _ in 0..effort.trials * 5 {
            let meets = |rng: &mut rand::rngs::StdRng| {
                let starts = [rng.random_range(0.0..2_700.0), rng.random_range(0.0..2_700.0)];
                // Over half of the work at once: either has less than three quarters then.
                f64::abs(starts[0] - starts[1]) < time_s / 2.0
            };
            let hours: Vec<bool> = (0..24).map(|_| meets(&mut rng)).collect();
            hour.add(hours[0]);
            day.add(hours.contains(&true));
        }
        let duty = format!("{:.2} %", time_s / 36.0);
        section.row(&[&format!("{time_s} s"), &duty, &hour, &day]);
    }
    section
}

/// A15: what a coordinator can do for a friend.
pub(super) fn coordinator(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Partly("the voids, against the real questions, and the secret"),
        "A15-coordinator",
        &["what it does", "how far it gets", "what shows it"],
    );
    let mut rng = stream(effort.seed, "coordinator");
    // It holds trials until the questions suit a friend who left out a share.
    for share in [0.02, 0.05] {
        let mut tries = Vec::new();
        for _ in 0..effort.trials.min(40) {
            let mut world = World::new(&mut rng);
            world.time_us /= 6;
            let mut own = stream(rng.random(), "friend");
            let (notes, wrong) = Partial::new(share, 1_000, &mut own).attempted(&world, 2);
            let suits = |_: &u32| {
                let hour: Hour = world.hour_of_block(rng.random());
                notes.survives(&hour.asks(device(1), 2), &wrong)
            };
            tries.push((1..500).find(suits).unwrap_or(500));
        }
        tries.sort();
        section.row(&[
            &format!("voids trials until a friend's {:.0} % are not asked for", share * 100.0),
            &format!("median of {} trials", tries[tries.len() / 2]),
            &"promises on the chain without records; `verify list` counts those it is told",
        ]);
    }
    for time_ms in [1_500u64, 12_000, 20_000] {
        // Anchored two slots later than the work's end, at Solana's 400 ms.
        let slots = (time_ms + 1_000).div_ceil(400) + 2;
        section.row(&[
            &format!("notes arrivals of {:.1} s of work as it likes", time_ms as f64 / 1_000.0),
            &format!(
                "a friend has {:.2} times the time",
                slots as f64 * 0.4 / (time_ms as f64 / 1e3)
            ),
            &format!(
                "replay's rate by slots: {:.2} of the rate of an honest device",
                time_ms as f64 / (slots * SLOT_MS_MAX) as f64
            ),
        ]);
    }
    let other = Secret(rng.random());
    let world = World::new(&mut rng);
    let refused =
        ionet_trust::Challenge::new(&world.beacon, &world.beacon, &other, &world.promised());
    section.must("another secret than promised is refused", refused.is_err());
    section.row(&[&"reveals another secret", &"refused", &"the promise on the chain"]);
    section
}

/// A record of a trial with these tasks, before anybody answered: the second one starts after 3 s.
fn begun(tasks: Vec<Task>, rng: &mut StdRng) -> Record {
    let secret = Secret(rng.random());
    let mark = |slot, hash| Mark { slot, hash };
    Record {
        trial: TrialId(1),
        before: TrialId(0),
        lane: Lane::Joining,
        genesis: rng.random(),
        coordinator: Wallet([1; 32]),
        previous: [0; 32],
        promised: secret.precommitment(),
        promise: [0; 64],
        promise_slot: 0,
        secret,
        basis: mark(1, rng.random()),
        period_ms: 0,
        starts: vec![
            Start { mark: mark(1, rng.random()), at_us: 0 },
            Start { mark: mark(9, rng.random()), at_us: 3_000_000 },
        ],
        anchor_slot: 12,
        anchor: [0; 64],
        late: mark(13, rng.random()),
        started_ms: 0,
        grace_us: 1_000_000,
        assignments: vec![tasks],
        entries: Vec::new(),
    }
}

/// Two tasks: the second one's work done before the first one's commitment is sent.
pub(super) fn tasks(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "A3-tasks",
        &["task", "honest rate", "rate by replay", "overstated by"],
    );
    let mut rng = stream(effort.seed, "tasks");
    let task = |units| Task::Multiply { units, side: 64, width: 16, openings: 16, time_ms: 2_000 };
    let mut record = begun(vec![task(Units::Integer), task(Units::Matrix)], &mut rng);
    let Ok(challenge) = record.challenge() else { return section };
    let beacon = record.beacon(0).expect("it began");
    // A chip that does a round a second: one round of the first task, two of the second, all of
    // it before the first commitment leaves at 3 s. Then the second task begins, and its
    // commitment follows a millisecond later. It had only the first beacon to do it from.
    let mut proofs = Vec::new();
    let mut answers = Vec::new();
    for (number, (entries, rounds, arrived)) in
        [(Entries::Byte, 1, 3_000_000), (Entries::Nibble, 2, 1_000)].into_iter().enumerate()
    {
        let shape = Shape::new(entries, 64, 16).expect("a shape");
        let Ok(mut prover) = Prover::start(Cpu::new(1), shape, beacon, device(1));
        for _ in 0..rounds {
            let Ok(_) = prover.round();
        }
        let hour = Hour::new(shape, beacon, challenge, 16);
        let own = record.beacon(number).expect("it began");
        let question = Question::new(&record.assignments[0][number], own, challenge);
        let question = question.expect("a task");
        let proof = prover.open(&hour.asks(device(1), rounds)).expect("its own leaves");
        let bytes = proof.encode();
        answers.push(Answer {
            committed: Some((prover.commitment(), arrived)),
            outcome: question.outcome(device(1), number as u8, &prover.commitment(), &bytes),
            proof: Some(proof_hash(&bytes)),
        });
        proofs.push(bytes);
    }
    record.entries.push(Entry { chip: device(1).into(), assignment: 0, answers });
    let replayed = replay(&record, |_, task| proofs.get(task).cloned());
    section.must(
        format!("the record replays: {:?}", replayed.disagreements),
        replayed.disagreements.is_empty() && replayed.tasks.len() == 2,
    );
    let honest = 64u64.pow(3);
    for (number, task) in replayed.tasks.iter().enumerate() {
        let factor = task.rate as f64 / honest as f64;
        section.must(format!("task {number} is not overstated: {factor:.2}"), factor <= 1.0);
        let caught = number == 0 || task.outcome == Outcome::Rejected;
        section.must(format!("task {number}: {:?}", task.outcome), caught);
        section.row(&[&(number + 1), &honest, &task.rate, &format!("{factor:.2}")]);
    }
    section
}
