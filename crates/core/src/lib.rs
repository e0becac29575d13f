//! ionet-core
