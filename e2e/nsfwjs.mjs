// node nsfwjs.mjs PACKAGE MODEL FOLDER SIDE <PICTURES: the package's own predictions, a line of five scores for each
// picture. Pictures are SIDE x SIDE x 4 bytes of RGBA. The package's bundle for browsers has everything it needs inside,
// TensorFlow.js in plain JavaScript included; it finds the weights in global variables, as its <script> tags put them there.
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const [folder, name, models, side] = process.argv.slice(2);
const require = createRequire(import.meta.url);

globalThis.self = globalThis;
globalThis.WorkerGlobalScope = class {};  // a browser's, but without a screen: no WebGL
for (const say of ["error", "warn", "info", "log"]) console[say] = () => {};
const bundle = { exports: {} };
const text = fs.readFileSync(path.join(folder, "dist/browser/nsfwjs.min.js"), "utf8");
new Function("module", "exports", text)(bundle, bundle.exports);

const files = path.join(folder, "dist/models", models);
globalThis.model = require(path.join(files, "model.min.js"));
for (const file of fs.readdirSync(files).filter(file => file.startsWith("group1")))
  globalThis[file.replace(".min.js", "").replaceAll("-", "_")] = require(path.join(files, file));

const model = await bundle.exports.load(name);
const pictures = fs.readFileSync(0);
const size = side * side * 4;
for (let at = 0; at < pictures.length; at += size) {
  const data = new Uint8Array(pictures.subarray(at, at + size));
  const classes = await model.classify({ data, width: +side, height: +side });
  const scores = Object.fromEntries(classes.map(one => [one.className, one.probability]));
  process.stdout.write(["Drawing", "Hentai", "Neutral", "Porn", "Sexy"].map(label => scores[label]).join(" ") + "\n");
}
