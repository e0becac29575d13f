//! ionet-mesh
