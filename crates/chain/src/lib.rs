//! ionet-chain
