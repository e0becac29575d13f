//! Serves a chain from a directory until Ctrl-C: `cargo run -p ionet-chain --example serve DIR`.

use ionet_chain::{Chain, ChainConfig, ChainError};

#[tokio::main]
async fn main() -> Result<(), ChainError> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "chain-data".to_owned());
    let chain = Chain::open(ChainConfig::new(dir))?;
    println!("rpc http://{}, websocket ws://{}", chain.rpc_addr(), chain.ws_addr());
    println!("genesis {}", chain.genesis_hash());
    chain
        .serve(async {
            // An error means that Ctrl-C cannot be caught: then the process is simply killed.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await
}
