/** A chain node of our own, for one test: `ionet chain start` in a folder that goes with it. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Address } from "@solana/kit";

/** Milliseconds within which the node must answer. */
const READY_MS = 60_000;

const BINARY = process.env["IONET_BIN"] ?? resolve(__dirname, "../../../../target/debug/ionet");

async function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const at = server.address();
      server.close(() =>
        at && typeof at === "object" ? done(at.port) : failed(new Error("port")),
      );
    });
  });
}

export interface Chain {
  url: string;
  wsUrl: string;
  stop: () => Promise<void>;
}

export async function startChain(upgradeAuthority: Address): Promise<Chain> {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is not there: cargo build -p ionet-cli`);
  const home = mkdtempSync(join(tmpdir(), "ionet-client-"));
  const [rpc, ws] = [await freePort(), await freePort()];
  const log = join(home, "log");
  const [url, wsUrl] = [`http://127.0.0.1:${rpc}`, `ws://127.0.0.1:${ws}`];
  const args = ["chain", "start", "--data-dir", join(home, "chain")];
  args.push("--listen", `127.0.0.1:${rpc}`, "--listen-ws", `127.0.0.1:${ws}`);
  args.push("--upgrade-authority", upgradeAuthority);
  const out = openSync(log, "w");
  const env = { ...process.env, IONET_HOME: home };
  const node = spawn(BINARY, args, { env, stdio: ["ignore", out, out] });
  const ended = new Promise<void>((done) => node.once("exit", () => done()));
  const stop = async () => {
    node.kill("SIGTERM");
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "getHealth" });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body }).catch(() => undefined);
    if (answer?.ok) return { url, wsUrl, stop };
    if (node.exitCode !== null || Date.now() > deadline) {
      const said = readFileSync(log, "utf8");
      await stop();
      throw new Error(`the chain does not answer:\n${said}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}
