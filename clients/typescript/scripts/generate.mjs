// Makes src/generated from the program's IDL. Nothing generated is committed, so nothing can
// differ from the IDL; that the IDL is current is tested beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFromJson, visit } from "codama";
import { getValidationItemsVisitor } from "@codama/validators";
import { renderVisitor } from "@codama/renderers-js";

const home = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = join(home, "src/generated");
const idl = join(home, "../../programs/idl/market.json");
const text = readFileSync(idl, "utf8");

// Codama's own word on the document. ("Program has no origin" asks for Anchor or Shank.)
const items = visit(createFromJson(text).getRoot(), getValidationItemsVisitor());
const wrong = items.filter((item) => item.level !== "info" && item.level !== "trace");
for (const item of wrong) console.error(`${item.level}: ${item.message}`);
if (wrong.length > 0) process.exit(1);

const root = JSON.parse(text);
await visit(
  root,
  renderVisitor(home, { generatedFolder: "src/generated", syncPackageJson: false }),
);

/// Replaces what must be there exactly once.
function once(source, before, after, where) {
  if (source.split(before).length !== 2) throw new Error(`${where}: ${before} is not there once`);
  return source.replace(before, after);
}

const pascal = (name) => name[0].toUpperCase() + name.slice(1);
const snake = (name) => name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase();

// This renderer numbers variants from zero and passes over the values that the IDL gives them.
for (const type of root.program.definedTypes) {
  if (type.type.kind !== "enumTypeNode") continue;
  const file = join(out, "types", `${type.name}.ts`);
  const name = pascal(type.name);
  let source = readFileSync(file, "utf8");
  for (const variant of type.type.variants) {
    const value = `  ${pascal(variant.name)} = ${variant.discriminator},\n`;
    source = once(source, `  ${pascal(variant.name)},\n`, value, file);
  }
  const options = `${name}, { useValuesAsDiscriminators: true })`;
  for (const codec of ["getEnumEncoder", "getEnumDecoder"]) {
    source = once(source, `${codec}(${name})`, `${codec}(${options}`, file);
  }
  writeFileSync(file, source);
}

// What this renderer does not make: constants, errors by name, events.
const lines = ["// Made by scripts/generate.mjs from the IDL.", ""];
lines.push('import type { Decoder } from "@solana/kit";', 'import * as types from "./types";', "");
for (const { name, docs, value } of root.program.constants) {
  const bytes = () => `new Uint8Array([${[...Buffer.from(value.data, "hex")].join(", ")}])`;
  lines.push(`/** ${docs.join(" ")} */`);
  const made = value.kind === "bytesValueNode" ? bytes() : `${value.number}`;
  lines.push(`export const ${snake(name)} = ${made};`, "");
}
lines.push("/** Every error by its number: name, and what to do. */");
lines.push("export const MARKET_ERRORS: ReadonlyMap<number, { name: string; advice: string }> =");
lines.push("  new Map([");
for (const error of root.program.errors) {
  const entry = { name: pascal(error.name), advice: error.message };
  lines.push(`    [${error.code}, ${JSON.stringify(entry)}],`);
}
lines.push("  ]);", "", "/** What each instruction's event holds, after domain and tag. */");
lines.push("export type MarketEvent =");
const events = root.program.events.map((event) => {
  const prefix = Buffer.from(event.discriminators[0].constant.value.data, "hex");
  return { name: event.name, type: pascal(event.data.type.name), tag: prefix.at(-1) };
});
lines.push(...events.map(({ name, type }) => `  | { kind: "${name}"; data: types.${type} }`));
lines.push("  ;", "", "/** How to read them, by tag. */");
lines.push("export const EVENT_DECODERS: ReadonlyMap<");
lines.push('  number, { kind: MarketEvent["kind"]; decoder: Decoder<MarketEvent["data"]> }');
lines.push("> = new Map([");
for (const { name, type, tag } of events) {
  const decoder = `types.get${type}Decoder() as Decoder<MarketEvent["data"]>`;
  lines.push(`  [${tag}, { kind: "${name}" as MarketEvent["kind"], decoder: ${decoder} }],`);
}
lines.push("]);", "");
writeFileSync(join(out, "more.ts"), lines.join("\n"));
const index = join(out, "index.ts");
writeFileSync(index, `${readFileSync(index, "utf8")}export * from "./more";\n`);
