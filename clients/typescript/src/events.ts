/** Events of the program in a transaction's log. Anyone can log bytes that look like one, so
 * only lines that the runtime attributes to the program count. */
import { type Address, getBase64Encoder } from "@solana/kit";
import {
  EVENT_DECODERS,
  EVENT_DOMAIN,
  MARKET_PROGRAM_ADDRESS,
  type MarketEvent,
} from "./generated";

/** Why a log cannot be read to its end. */
export class LogError extends Error {}

/** Reads an event's bytes; `undefined` when they are something else of the program's. */
export function decodeEvent(bytes: Uint8Array): MarketEvent | undefined {
  if (!EVENT_DOMAIN.every((byte, at) => bytes[at] === byte)) return undefined;
  const tag = bytes[EVENT_DOMAIN.length];
  const known = tag === undefined ? undefined : EVENT_DECODERS.get(tag);
  if (!known) throw new LogError(`an event of unknown tag ${tag}: update this client`);
  const rest = bytes.slice(EVENT_DOMAIN.length + 1);
  const [data, end] = known.decoder.read(rest, 0);
  if (end !== rest.length) throw new LogError(`${rest.length - end} bytes after ${known.kind}`);
  return { kind: known.kind, data } as MarketEvent;
}

const INVOKE = /^Program (\w+) invoke \[\d+\]$/;
const ENDED = /^Program (\w+) (success|failed)/;
const DATA = "Program data: ";

/** The events of a transaction that succeeded, in order, from `meta.logMessages`. Throws
 * `LogError` when the runtime cut the log: read the accounts then. */
export function readEvents(
  logs: readonly string[],
  program: Address = MARKET_PROGRAM_ADDRESS,
): MarketEvent[] {
  const running: string[] = [];
  const events: MarketEvent[] = [];
  for (const line of logs) {
    if (line === "Log truncated") throw new LogError("the log was cut: read the accounts");
    const invoked = INVOKE.exec(line);
    if (invoked?.[1]) {
      running.push(invoked[1]);
    } else if (ENDED.exec(line)?.[1] === running.at(-1) && running.length > 0) {
      running.pop();
    } else if (line.startsWith(DATA) && running.at(-1) === program) {
      const parts = line.slice(DATA.length).split(" ");
      const bytes = parts.flatMap((part) => [...getBase64Encoder().encode(part)]);
      const event = decodeEvent(Uint8Array.from(bytes));
      if (event) events.push(event);
    }
  }
  return events;
}
