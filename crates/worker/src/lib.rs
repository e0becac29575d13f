//! ionet-worker
