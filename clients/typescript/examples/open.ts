import { type Address, createSolanaRpc, type Instruction, type KeyPairSigner } from "@solana/kit";
import * as market from "../src";

type Terms = Pick<
  market.OpenLeaseAsyncInput,
  | "vouch"
  | "sessionRights"
  | "acceptS"
  | "slotsMax"
  | "ratePerSlotMax"
  | "rateTotalMax"
  | "expiresAt"
  | "session"
  | "coordinator"
  | "policyHash"
>;

/** The README's example, run by the tests. */
export async function example(
  url: string,
  renter: KeyPairSigner,
  source: Address,
  terms: Terms,
  send: (instructions: Instruction[]) => Promise<unknown>,
): Promise<{ lease: Address; lastsUntil: bigint }> {
  // README: begin
  const rpc = createSolanaRpc(url);
  const [config] = await market.findConfigPda();
  const [usdc] = (await market.fetchConfig(rpc, config)).data.now.mints;
  const { counter, lease } = await market.nextLease(rpc, renter.address);
  const deposit = 5_000_000n; // five dollars
  const order = { renter, payer: renter, mint: usdc!, source, counter, deposit, ...terms };
  await send([await market.getOpenLeaseInstructionAsync(order)]);
  const { data } = await market.fetchLease(rpc, lease);
  const lastsUntil = market.clockAt(data, data.changedAt).runsUntil;
  return { lease, lastsUntil };
  // README: end
}
