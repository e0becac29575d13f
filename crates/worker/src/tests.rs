//! Sessions against a scripted coordinator over real QUIC.
