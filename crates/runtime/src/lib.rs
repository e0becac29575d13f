//! ionet-runtime
