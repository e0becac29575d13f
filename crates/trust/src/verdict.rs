//! From figures to a verdict: score, tier, decay.
