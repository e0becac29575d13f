//! ionet-wire
