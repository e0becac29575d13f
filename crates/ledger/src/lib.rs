//! ionet-ledger
