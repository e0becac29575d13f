//! ionet-market-interface
