/** Writes .d.ts files beside the sources, for the package: `npm pack` calls it. They are not kept in the repository. */

import { spawnSync } from "node:child_process";

const options = ["-p", "tsconfig.json", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", "types"];
const { status } = spawnSync("npx", ["tsc", ...options], { stdio: "inherit" });
process.exitCode = status ?? 1;
