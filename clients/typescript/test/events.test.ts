/** Logs as hostile as anyone can make them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { address, type Address, getBase64Decoder } from "@solana/kit";
import {
  decodeEvent,
  EVENT_DOMAIN,
  getPaidEventEncoder,
  getRefundedEventEncoder,
  LogError,
  MARKET_PROGRAM_ADDRESS,
  readEvents,
} from "../src";

const LEASE = address("So11111111111111111111111111111111111111112");
const OTHER = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA" as Address;
const base64 = (bytes: Uint8Array) => getBase64Decoder().decode(bytes);

function event(tag: number, data: ArrayLike<number>): Uint8Array {
  return Uint8Array.from([...EVENT_DOMAIN, tag, ...Array.from(data)]);
}

const refund = event(
  16,
  getRefundedEventEncoder().encode({ lease: LEASE, amount: 2n, refunded: 3n }),
);

function run(program: string, ...lines: string[]): string[] {
  return [`Program ${program} invoke [1]`, ...lines, `Program ${program} success`];
}

test("only what the program itself logged counts", () => {
  const line = `Program data: ${base64(refund)}`;
  const one = [{ kind: "refund", data: { lease: LEASE, amount: 2n, refunded: 3n } }];
  assert.deepEqual(readEvents(run(MARKET_PROGRAM_ADDRESS, line)), one);
  assert.deepEqual(readEvents(run(OTHER, line)), []);
  assert.deepEqual(readEvents([line]), []);
  assert.deepEqual(readEvents(run(MARKET_PROGRAM_ADDRESS, ...run(OTHER, line))), []);
  const afterCall = run(MARKET_PROGRAM_ADDRESS, ...run(OTHER), line);
  assert.deepEqual(readEvents(afterCall), one);
  assert.deepEqual(readEvents(run(OTHER, ...run(MARKET_PROGRAM_ADDRESS, line))), one);
  // A program writes what it likes into its own messages, with a prefix of the runtime's.
  const forged = `Program log: Program ${MARKET_PROGRAM_ADDRESS} invoke [1]`;
  assert.deepEqual(readEvents(run(OTHER, forged, line)), []);
});

test("an event in two parts is one", () => {
  const paid = getPaidEventEncoder().encode({
    lease: LEASE,
    page: 258,
    paid: 9n,
    items: [{ index: 3, amount: 9n }],
  });
  const whole = event(14, paid);
  // Copies: Kit's decoder of base64 does not see where a view of a buffer ends.
  const parts = [whole.slice(0, 20), whole.slice(20)].map(base64).join(" ");
  const [read] = readEvents(run(MARKET_PROGRAM_ADDRESS, `Program data: ${parts}`));
  assert.ok(read?.kind === "withdraw");
  assert.deepEqual(read.data.items, [{ index: 3, amount: 9n }]);
  assert.equal(read.data.page, 258);
});

test("what cannot be read is named", () => {
  assert.throws(() => readEvents(run(MARKET_PROGRAM_ADDRESS, "Log truncated")), LogError);
  assert.throws(() => decodeEvent(event(99, [])), LogError);
  assert.throws(() => decodeEvent(Uint8Array.from([...refund, 0])), LogError);
  assert.throws(() => decodeEvent(refund.slice(0, -1)));
  assert.equal(decodeEvent(Uint8Array.of(1, 2, 3)), undefined);
});
