/** Where a renter's next lease will be, and what belongs to a lease. */
import type { Address, Rpc, SolanaRpcApi } from "@solana/kit";
import {
  fetchMaybeRenterCounter,
  findLeasePda,
  findPagePda,
  findRenterCounterPda,
  findVaultPda,
  LINES_PER_PAGE,
} from "./generated";

/** A lease's number among its renter's, and its addresses. */
export interface LeaseAddresses {
  counter: bigint;
  lease: Address;
  vault: Address;
}

/** The addresses of a renter's lease by its number. */
export async function leaseAddresses(renter: Address, counter: bigint): Promise<LeaseAddresses> {
  const [lease] = await findLeasePda({ renter, counter });
  const [vault] = await findVaultPda({ lease });
  return { counter, lease, vault };
}

/** Those of the lease that this renter would open next. */
export async function nextLease(rpc: Rpc<SolanaRpcApi>, renter: Address): Promise<LeaseAddresses> {
  const [at] = await findRenterCounterPda({ renter });
  const counter = await fetchMaybeRenterCounter(rpc, at);
  return leaseAddresses(renter, counter.exists ? counter.data.next : 0n);
}

/** The address of a lease's page. */
export async function pageAddress(lease: Address, page: number): Promise<Address> {
  return (await findPagePda({ lease, page }))[0];
}

/** Bytes of a page with room for so many lines, to know its rent. */
export function pageSize(capacity: number): number {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > LINES_PER_PAGE) {
    throw new RangeError(`a page has room for 1 to ${LINES_PER_PAGE} lines, not ${capacity}`);
  }
  return 80 + 136 * capacity;
}
