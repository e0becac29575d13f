//! ionet-placement
