/** Writes .d.ts files beside the sources, for the package: `npm pack` calls it. They are not kept in the repository. */

import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";

const options = ["-p", "tsconfig.json", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rootDir", "src", "--outDir", "types"];
rmSync("types", { recursive: true, force: true });
const { status } = spawnSync("npx", ["tsc", ...options], { stdio: "inherit" });
// Those that were written by hand or generated are not the compiler's output.
cpSync("src", "types", { recursive: true, filter: (path) => !/\.\w+$/.test(path) || path.endsWith(".d.ts") });
process.exitCode = status ?? 1;
