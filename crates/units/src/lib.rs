//! ionet-units
