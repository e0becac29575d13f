//! ionet-coordinator
