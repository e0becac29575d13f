//! The REST interface over real sockets and its real store; the control loop is scripted.

mod checks;
mod harness;
mod inside;
mod mutations;
mod openapi;
mod refusals;
mod sign_in;
mod timeline;
mod trials;
