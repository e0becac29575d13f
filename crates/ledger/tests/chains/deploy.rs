//! Deploying a program as Solana's own tools do: a buffer, its chunks, and the loader's word.

use futures_util::future::join_all;
use ionet_ledger::{Address, Connection, KeypairFile, LedgerError, Signer};
use solana_loader_v3_interface::instruction as loader;
use solana_loader_v3_interface::state::UpgradeableLoaderState;
use std::time::{Duration, Instant};

/// Bytecode in one transaction: 1,232 bytes less a signature, three keys and a blockhash.
const CHUNK: usize = 1_000;
/// Transactions under way at once.
const AT_ONCE: usize = 24;
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes `elf` to a new buffer that `payer` owns.
pub(crate) async fn write_buffer(
    connection: &Connection,
    payer: &KeypairFile,
    buffer: &KeypairFile,
    elf: &[u8],
) -> Result<(), LedgerError> {
    let (owner, at) = (payer.address(), buffer.address());
    let rent = rent(connection, UpgradeableLoaderState::size_of_buffer(elf.len())).await;
    let made = loader::create_buffer(&owner, &at, &owner, rent, elf.len()).unwrap();
    connection.send(&made, &[payer, buffer]).await?;
    let chunks: Vec<_> = elf.chunks(CHUNK).enumerate().collect();
    for some in chunks.chunks(AT_ONCE) {
        let sent = some.iter().map(|(number, bytes)| async move {
            let offset = u32::try_from(number * CHUNK).unwrap();
            let write = loader::write(&at, &owner, offset, bytes.to_vec());
            connection.send(&[write], &[payer]).await
        });
        for result in join_all(sent).await {
            result?;
        }
    }
    Ok(())
}

/// Makes the buffer a program at `program`, upgradeable by `payer`, and waits until it runs.
pub(crate) async fn deploy(
    connection: &Connection,
    payer: &KeypairFile,
    buffer: &Address,
    program: &KeypairFile,
    elf_bytes: usize,
) -> Result<(), LedgerError> {
    let (owner, at) = (payer.address(), program.address());
    let rent = rent(connection, UpgradeableLoaderState::size_of_program()).await;
    let close_buffer = true;
    let ixs = loader::deploy_with_max_program_len(
        &owner,
        &at,
        buffer,
        &owner,
        rent,
        elf_bytes,
        close_buffer,
    )
    .unwrap();
    connection.send(&ixs, &[payer, program]).await?;
    next_slot(connection).await;
    Ok(())
}

/// Replaces a program by the buffer's bytecode, as `authority`, and waits until it runs.
pub(crate) async fn upgrade(
    connection: &Connection,
    authority: &KeypairFile,
    buffer: &Address,
    program: &Address,
) -> Result<(), LedgerError> {
    let who = authority.address();
    let close_buffer = true;
    let ix = loader::upgrade(program, buffer, &who, &who, close_buffer);
    connection.send(&[ix], &[authority]).await?;
    next_slot(connection).await;
    Ok(())
}

async fn rent(connection: &Connection, bytes: usize) -> u64 {
    connection.rpc().get_minimum_balance_for_rent_exemption(bytes).await.unwrap()
}

/// A program runs from the slot after that of its deployment.
async fn next_slot(connection: &Connection) {
    let deployed = connection.rpc().get_slot().await.unwrap();
    let patience = Instant::now() + PATIENCE;
    while connection.rpc().get_slot().await.unwrap() <= deployed {
        assert!(Instant::now() < patience, "the chain stands");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
