/** Accounts that are what they should be. The generated `fetch..` functions read whatever stands
 * at an address; where the address came from somebody else, check it with these. */
import {
  type Address,
  type EncodedAccount,
  assertAccountExists,
  fetchEncodedAccount,
} from "@solana/kit";
import type { GetAccountInfoApi, Rpc } from "@solana/kit";
import {
  decodeDevice,
  decodeLease,
  decodePage,
  identifyMarketAccount,
  MARKET_PROGRAM_ADDRESS,
  MarketAccount,
} from "./generated";

/** The account is not the market program's, or another kind of its accounts. */
export class WrongAccountError extends Error {}

/** Throws unless the account belongs to the program and begins as this kind does. */
export function assertMarketAccount(
  account: EncodedAccount,
  kind: MarketAccount,
  program: Address = MARKET_PROGRAM_ADDRESS,
): void {
  const name = MarketAccount[kind];
  if (account.programAddress !== program) {
    const owner = account.programAddress;
    throw new WrongAccountError(`${account.address} is no ${name}: it belongs to ${owner}`);
  }
  let found: MarketAccount | undefined;
  try {
    found = identifyMarketAccount(account);
  } catch {
    found = undefined;
  }
  if (found !== kind) {
    const is = found === undefined ? "something unknown" : `a ${MarketAccount[found]}`;
    throw new WrongAccountError(`${account.address} is no ${name}: it is ${is}`);
  }
}

async function fetched(rpc: Rpc<GetAccountInfoApi>, at: Address, kind: MarketAccount) {
  const account = await fetchEncodedAccount(rpc, at);
  assertAccountExists(account);
  assertMarketAccount(account, kind);
  return account;
}

/** The lease at an address that nobody has to trust. */
export async function readLease(rpc: Rpc<GetAccountInfoApi>, at: Address) {
  return decodeLease(await fetched(rpc, at, MarketAccount.Lease)).data;
}

/** The page at an address that nobody has to trust. */
export async function readPage(rpc: Rpc<GetAccountInfoApi>, at: Address) {
  return decodePage(await fetched(rpc, at, MarketAccount.Page)).data;
}

/** The device at an address that nobody has to trust. */
export async function readDevice(rpc: Rpc<GetAccountInfoApi>, at: Address) {
  return decodeDevice(await fetched(rpc, at, MarketAccount.Device)).data;
}
