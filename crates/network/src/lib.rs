//! ionet-network
