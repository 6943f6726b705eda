/**
 * The budget of what a page loads, minified and gzipped. Ends with 1 when something is over it.
 *
 * What comes by `import()` is not there at the start: each such part is named and measured by itself, without what its
 * entry has loaded already.
 */

import { dirname, relative, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** [entry, budget in bytes, the entry that is loaded before it] */
const BUDGETS = /** @type {const} */ ([
  ["src/index.js", 12_000, null],
  ["src/element/index.js", 12_000, "src/index.js"],
]);
const LATER_BUDGET = 4_000;

/** @type {Map<string, Set<string>>} the modules of each entry */
const modules = new Map();
let over = false;

/** @param {string} entry @param {number} budget @param {Set<string>} there @param {string} [note] @returns {Promise<{loaded: Set<string>, later: Set<string>}>} */
async function measure(entry, budget, there, note = "") {
  /** @type {Set<string>} */ const later = new Set();
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    metafile: true,
    write: false,
    plugins: [
      {
        name: "what is there, or comes later, is not loaded now",
        setup: (build) =>
          build.onResolve({ filter: /^\./ }, ({ path, kind, importer }) => {
            if (kind === "entry-point") return undefined;
            const module = relative(".", resolve(dirname(importer), path));
            if (kind === "dynamic-import") later.add(module);
            return kind === "dynamic-import" || there.has(module) ? { path, external: true } : undefined;
          }),
      },
    ],
  });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  over ||= size > budget;
  console.log(`${note}${entry}: ${size} of ${budget} bytes`);
  return { loaded: new Set([...there, ...Object.keys(metafile.inputs)]), later };
}

process.chdir(new URL("..", import.meta.url).pathname);
for (const [entry, budget, before] of BUDGETS) {
  const { loaded, later } = await measure(entry, budget, modules.get(before ?? "") ?? new Set());
  modules.set(entry, loaded);
  // What comes later may bring what comes later still.
  const parts = new Set(later);
  for (const part of parts) {
    if (loaded.has(part)) continue;
    for (const next of (await measure(part, LATER_BUDGET, loaded, "  later ")).later) parts.add(next);
  }
}
process.exitCode = over ? 1 : 0;
