//! What leases cost over their whole lives: transactions, bytes, rent, compute units, as the
//! program tests' own binary lives through them.

use crate::program_units::printed;
use std::path::Path;

/// The section's text, with a SOL at so many dollars.
pub(crate) async fn measure(path: &Path, sol_dollars: u64) -> anyhow::Result<String> {
    printed(path, &[sol_dollars.to_string()]).await
}
