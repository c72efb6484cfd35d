/**
 * Builds the prebuilt JupyterLab extension into `build/labextension`: what JupyterLab's own builder
 * makes (a package.json, a container script and its files), in a second and without its 300 MB.
 */
import { type Plugin, build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sharedPackages } from "./src/share-scope.ts";

const here = import.meta.dirname;
const output = join(here, "..", "..", "build", "labextension");

/** Takes the shared packages from JupyterLab at run time instead of bundling them. */
const sharedFromJupyterLab: Plugin = {
  name: "shared-from-jupyterlab",
  setup(bundler) {
    bundler.onResolve({ filter: /^[@a-z]/ }, ({ path }) =>
      sharedPackages.includes(path) ? { path, namespace: "shared" } : undefined,
    );
    bundler.onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => ({
      contents: `module.exports = require("./share-scope.ts").sharedModule(${JSON.stringify(path)});`,
      resolveDir: join(here, "src"),
    }));
  },
};

const { outputFiles } = await build({
  entryPoints: [join(here, "src", "container.ts")],
  bundle: true,
  format: "iife",
  target: "es2022",
  minify: true,
  write: false,
  loader: { ".css": "text" },
  plugins: [sharedFromJupyterLab],
});
const container = outputFiles[0]!.contents;
const hash = createHash("sha256").update(container).digest("hex").slice(0, 20);
const load = `static/remoteEntry.${hash}.js`;
const manifest = {
  name: "infinity-labextension",
  version: "0.1.0",
  description: "The course panel, and plotly figures offline, in JupyterLab.",
  license: "Apache-2.0",
  jupyterlab: {
    extension: true,
    mimeExtension: true,
    _build: { load, extension: "./extension", mimeExtension: "./mimeExtension" },
  },
};

rmSync(output, { recursive: true, force: true });
mkdirSync(join(output, "static"), { recursive: true });
writeFileSync(join(output, load), container);
writeFileSync(join(output, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(
  fileURLToPath(import.meta.resolve("plotly.js")),
  join(output, "static", "plotly.min.js"),
);
