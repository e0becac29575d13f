/** The README's example is the one that is run. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const home = join(__dirname, "../..");

test("the README shows the example that is tested", () => {
  const source = readFileSync(join(home, "examples/open.ts"), "utf8");
  const shown = source.split("// README: begin\n")[1]?.split("  // README: end")[0];
  assert.ok(shown);
  const lines = shown.split("\n").map((line) => line.replace(/^ {2}/, ""));
  assert.ok(readFileSync(join(home, "README.md"), "utf8").includes(lines.join("\n").trim()));
});
