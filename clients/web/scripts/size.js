/** The budget of what a page loads, minified and gzipped. Ends with 1 when something is over it. */

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** [entry, budget in bytes, whether the core is there already] */
const BUDGETS = /** @type {const} */ ([
  ["src/index.js", 12_000, false],
  ["src/element/index.js", 12_000, true],
]);

/** What the core's own entry has loaded is not loaded again. @type {import("esbuild").Plugin} */
const coreIsThere = {
  name: "core is there",
  setup: (build) => build.onResolve({ filter: /\/core\// }, ({ path }) => ({ path, external: true })),
};

let over = false;
for (const [entry, budget, hasCore] of BUDGETS) {
  const { outputFiles } = await build({
    entryPoints: [new URL(`../${entry}`, import.meta.url).pathname],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    plugins: hasCore ? [coreIsThere] : [],
    write: false,
  });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  over ||= size > budget;
  console.log(`${entry}: ${size} of ${budget} bytes`);
}
process.exitCode = over ? 1 : 0;
