//! Every attack, with few trials: `make test-red-team` runs them all the way.

use ionet_redteam::experiments::{Effort, all};

#[test]
fn what_must_be_caught_is_caught() {
    for section in all(Effort::FAST) {
        for (words, holds) in &section.must {
            assert!(holds, "{}: {words}", section.name);
        }
        assert!(!section.must.is_empty() || section.name == "A5-networks", "{}", section.name);
    }
}
