/** What the program said no to. */
import {
  isSolanaError,
  SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM,
  SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
} from "@solana/kit";
import { MARKET_ERRORS } from "./generated";

/** A refusal of the program. */
export interface MarketRefusal {
  /** The transaction's custom error code. */
  code: number;
  /** The error's name in the program. */
  name: string;
  /** What happened and what to do. */
  advice: string;
}

/** The refusal behind an error of `@solana/kit`, if it is one of this program's. Its codes are
 * clear of SPL Token's and the system program's, so a number alone tells whose it is. */
export function marketRefusal(error: unknown): MarketRefusal | undefined {
  // Preflight and confirmation wrap the instruction's error; chains are short.
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (isSolanaError(at, SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM)) {
      const code = Number(at.context.code);
      const known = MARKET_ERRORS.get(code);
      return known && { code, ...known };
    }
  }
  return undefined;
}

/** The same as one line for people; for other errors, what they say themselves. */
export function explain(error: unknown): string {
  const refusal = marketRefusal(error);
  if (refusal) return `${refusal.advice} (market error ${refusal.code}, ${refusal.name})`;
  if (
    isSolanaError(error, SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE) &&
    error.cause instanceof Error
  ) {
    return error.cause.message;
  }
  return error instanceof Error ? error.message : String(error);
}
