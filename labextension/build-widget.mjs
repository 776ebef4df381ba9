/**
 * Bundles the chat in an output cell: one module and one style sheet, which travel with the widget.
 *
 * Both are kept in notebooks that save their widgets, so that they are small: Preact in React's
 * place, and stand-ins for what the shared components take from JupyterLab.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { rspack } from "@rspack/core";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

const compiler = rspack({
  mode: "production",
  target: ["web", "es2022"],
  context: at("."),
  entry: { widget: [at("style/widget.css"), at("lib/widget/index.js")] },
  output: {
    path: at("../bestchat_kernel/static"),
    filename: "[name].js",
    cssFilename: "[name].css",
    module: true,
    library: { type: "module" },
    chunkFormat: "module",
    clean: true,
  },
  experiments: { css: true, outputModule: true },
  module: {
    // An icon that has no stand-in breaks the build, and not the page.
    parser: { javascript: { exportsPresence: "error" } },
    rules: [{ test: /\.css$/, type: "css/global" }],
  },
  resolve: {
    alias: {
      "react/jsx-runtime$": at("node_modules/preact/compat/jsx-runtime.mjs"),
      "react-dom/client$": at("node_modules/preact/compat/client.mjs"),
      "react-dom$": at("node_modules/preact/compat/dist/compat.module.js"),
      "react$": at("node_modules/preact/compat/dist/compat.module.js"),
      "@jupyterlab/ui-components$": at("lib/widget/standins/ui-components.js"),
      "@jupyterlab/rendermime$": at("lib/widget/standins/rendermime.js"),
      "@lumino/messaging$": at("lib/widget/standins/lumino.js"),
      "@lumino/widgets$": at("lib/widget/standins/lumino.js"),
    },
  },
  optimization: {
    minimizer: [
      new rspack.SwcJsMinimizerRspackPlugin(),
      new rspack.LightningCssMinimizerRspackPlugin({
        // Those that know light-dark(): it would be spelled out at length.
        minimizerOptions: { targets: ["chrome >= 123", "firefox >= 120", "safari >= 17.5"] },
      }),
    ],
  },
  performance: { hints: false },
});

compiler.run((error, stats) => {
  if (error !== null || stats.hasErrors()) {
    console.error(error ?? stats.toString({ all: false, errors: true, modules: true }));
    process.exitCode = 1;
  } else {
    writeFileSync(at("../bestchat_kernel/static/licenses.txt"), licenses(stats));
    console.log(stats.toString({ all: false, assets: true }));
  }
});

/** The licences of what others wrote and is in the bundle. */
function licenses(stats) {
  const read = Array.from(stats.compilation.fileDependencies);
  const names = read
    .filter((path) => /\.m?js$/.test(path))
    .map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return Array.from(new Set(names.filter((name) => name !== undefined)), license)
    .sort()
    .join("\n\n");
}

function license(name) {
  const folder = at(`node_modules/${name}`);
  const about = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((found) => /^licen[cs]e/i.test(found));
  const terms =
    file === undefined
      ? `${about.license}, Copyright ${about.author?.name ?? about.author}`
      : readFileSync(`${folder}/${file}`, "utf8").trim();
  return `${name} ${about.version}\n\n${terms}`;
}
