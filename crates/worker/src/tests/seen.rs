//! What a worker tells of its machine, and to whom.

use super::rig::{Rig, welcome};
use crate::underneath::Underneath;
use ionet_core::GenesisHash;
use ionet_trust::signals::Salt;
use ionet_wire::message::{Echo, ToCoordinator, ToDevice};
use std::path::Path;

#[tokio::test]
async fn a_report_goes_to_a_coordinator_that_sends_a_salt_and_under_that_salt() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.greet().await;
    let salt = Salt::new(&[1; 32], &GenesisHash([2; 32]), 3);
    let mut welcome = welcome(1, 1);
    welcome.salt = Some(salt);
    talk.say(ToDevice::Welcome(welcome)).await;
    let told = loop {
        if let ToCoordinator::Report(report) = talk.hear().await {
            break report;
        }
    };
    let here = Underneath::look(Path::new("/"), None, false).report(&salt);
    assert_eq!((here.check(), *told), (Ok(()), here));
}

#[tokio::test]
async fn an_older_coordinator_is_told_nothing_and_echoes_come_back_at_once() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    let echo = Echo { nonce: [9; 16] };
    talk.say(ToDevice::Echo(echo)).await;
    let (mut heard, mut beats) = (None, 0);
    // A report would come with the first heartbeat.
    while heard.is_none() || beats < 3 {
        match talk.hear().await {
            ToCoordinator::Echo(echo) => heard = Some(echo),
            ToCoordinator::Heartbeat(_) => beats += 1,
            other => panic!("not asked for: {other:?}"),
        }
    }
    assert_eq!(heard, Some(echo));
}
