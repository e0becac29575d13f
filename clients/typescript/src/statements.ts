/** What is signed off-chain for the program, and the instruction that has it checked. */
import {
  type Address,
  type Instruction,
  type ReadonlyUint8Array,
  getAddressEncoder,
  getI64Encoder,
  getU16Encoder,
  getU64Encoder,
  getU8Encoder,
} from "@solana/kit";
import { MARKET_PROGRAM_ADDRESS, RECEIPT_DOMAIN, REGISTRATION_DOMAIN } from "./generated";

/** The Ed25519 precompile. */
export const ED25519_PROGRAM_ADDRESS =
  "Ed25519SigVerify111111111111111111111111111" as Address<"Ed25519SigVerify111111111111111111111111111">;

function join(parts: readonly ReadonlyUint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const key = getAddressEncoder();

/** How every signed statement begins: its purpose, its chain, its program. */
function head(domain: ReadonlyUint8Array, genesisHash: string, program: Address) {
  return [domain, key.encode(genesisHash as Address), key.encode(program)];
}

/** A receipt: a line has served so many seconds since its start. */
export interface Receipt {
  lease: Address;
  page: number;
  index: number;
  generation: bigint;
  served: bigint;
}

/** The bytes of a receipt that coordinator or session key sign. `genesisHash` is the chain's,
 * as `getGenesisHash` answers it. */
export function receiptBytes(
  receipt: Receipt,
  genesisHash: string,
  program: Address = MARKET_PROGRAM_ADDRESS,
): Uint8Array {
  return join([
    ...head(RECEIPT_DOMAIN, genesisHash, program),
    key.encode(receipt.lease),
    getU16Encoder().encode(receipt.page),
    getU8Encoder().encode(receipt.index),
    getU64Encoder().encode(receipt.generation),
    getU64Encoder().encode(receipt.served),
  ]);
}

/** The bytes that a device signs to be registered by a supplier. */
export function registrationBytes(
  consent: { device: Address; supplier: Address; expires: bigint },
  genesisHash: string,
  program: Address = MARKET_PROGRAM_ADDRESS,
): Uint8Array {
  return join([
    ...head(REGISTRATION_DOMAIN, genesisHash, program),
    key.encode(consent.device),
    key.encode(consent.supplier),
    getI64Encoder().encode(consent.expires),
  ]);
}

/** The precompile's instruction for one signature, in the only form that the program takes. It
 * must stand right before the instruction that needs the statement. */
export function signedStatement(
  signer: Address,
  signature: ReadonlyUint8Array,
  message: ReadonlyUint8Array,
): Instruction & { data: Uint8Array } {
  if (signature.length !== 64) throw new RangeError(`a signature of ${signature.length} bytes`);
  const [here, keyAt] = [0xffff, 16];
  const [signatureAt, messageAt] = [keyAt + 32, keyAt + 32 + 64];
  const words = [signatureAt, here, keyAt, here, messageAt, message.length, here];
  const head = [Uint8Array.of(1, 0), ...words.map((word) => getU16Encoder().encode(word))];
  const data = join([...head, getAddressEncoder().encode(signer), signature, message]);
  return { programAddress: ED25519_PROGRAM_ADDRESS, data };
}
