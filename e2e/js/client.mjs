// Lemmy's own clients, called from Python: one JSON line in, one out.
//
//   node client.mjs FOLDER     FOLDER holds node_modules (tools/setup test makes it: .deps/js)
//   {"version":"v3","base":"http://…","headers":{…},"call":"uploadImage","form":{"image":{"base64":"…"}}}
//   {"answer":…} or {"thrown":{"name":…,"message":…}}
import { File } from "node:buffer";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

globalThis.File ??= File; // Debian 12's node 18 keeps it in a module; browsers and the clients want it global
console.error = () => {}; // the client of 1.0 says each refusal there

const require = createRequire(`${process.argv[2]}/`);
const clients = { v3: require("lemmy-v3").LemmyHttp, v4: require("lemmy-v4").LemmyHttp };

const pictureIn = (value) => (value?.base64 === undefined ? value : Buffer.from(value.base64, "base64"));
const told = (error) => ({ thrown: { name: error.name, message: error.message } });

async function call({ version, base, headers, call, form }) {
  const client = new clients[version](base, { headers });
  if (form?.image) form.image = pictureIn(form.image);
  try {
    const answer = await client[call](...(form === undefined ? [] : [form]));
    if (version === "v3") return { answer };
    return answer.state === "failed" ? told(answer.err) : { answer: answer.data };
  } catch (error) {
    return told(error);
  }
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await call(JSON.parse(line))));
