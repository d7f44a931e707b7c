// Types of all results from their JSON schemas: what the page reads is what is written.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

mkdirSync("results", { recursive: true });
for (const file of readdirSync("schemas")) {
  const { title, $id, ...schema } = JSON.parse(readFileSync("schemas/" + file, "utf8"));
  const name = file.replace(".schema.json", "");
  const types = await compile(schema, name, { additionalProperties: false, ignoreMinAndMaxItems: true, format: false, bannerComment: "" });
  writeFileSync("results/" + name + ".d.ts", types);
}
