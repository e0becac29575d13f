/** The lease's own clock and the program's arithmetic, in whole base units: what the program
 * will say at a later second. Amounts, rates and times are bigints; nothing is ever a float. */
import { type Lease, LeaseState } from "./generated";

const HOUR = 3_600n;
const WHOLE_BPS = 10_000n;

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** What a line has earned: base units an hour for so many seconds, rounded down. */
export function earned(rate: bigint, served: bigint): bigint {
  return (rate * served) / HOUR;
}

/** The fee on an amount, rounded up. */
export function fee(amount: bigint, feeBps: number): bigint {
  return divideUp(amount * BigInt(feeBps), WHOLE_BPS);
}

/** A rate with its fee, rounded up. */
export function gross(rate: bigint, feeBps: number): bigint {
  return rate + fee(rate, feeBps);
}

/** What the lease's clock is at some second. */
export interface LeaseClock {
  /** Seconds that it has run. */
  v: bigint;
  /** The most that lines can claim, fees included. */
  committed: bigint;
  /** What is neither claimed nor claimable: paid back at once when the lease closes then. */
  available: bigint;
  /** Until when the deposit lasts, or the lease, if nothing changes. */
  runsUntil: bigint;
}

type ClockFields = Pick<
  Lease,
  "state" | "deposit" | "committed" | "grossRate" | "v" | "changedAt" | "expiresAt" | "seenAt"
>;

/** The lease's clock at `now`, the chain's time in unix seconds. */
export function clockAt(lease: ClockFields, now: bigint): LeaseClock {
  const open = lease.state === LeaseState.Open;
  const left = lease.deposit - lease.committed;
  const lasts = lease.grossRate === 0n ? undefined : (left * HOUR) / lease.grossRate;
  const funded = lasts === undefined ? lease.expiresAt : lease.changedAt + lasts;
  const runsUntil = funded < lease.expiresAt ? funded : lease.expiresAt;
  // Time that runs backwards counts as standing still.
  const seen = now > lease.seenAt ? now : lease.seenAt;
  const end = seen < runsUntil ? seen : runsUntil;
  const elapsed = open && end > lease.changedAt ? end - lease.changedAt : 0n;
  const committed = lease.committed + divideUp(lease.grossRate * elapsed, HOUR);
  return { v: lease.v + elapsed, committed, available: lease.deposit - committed, runsUntil };
}
