// Goes on training from train_step.onnx in JavaScript: npm install, then
//
//     node train.mjs RUN ROWS.json LR STEPS
//
// RUN is a folder with train_step.onnx and checkpoint.safetensors; ROWS.json holds a batch that each step
// learns from, {"x": [[...], ...], "y": [...]}. Prints the losses and writes RUN/continued.safetensors.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";

const TYPES = { F32: "float32", F64: "float64", I64: "int64" };
const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array };

const [folder, data, lr, steps] = process.argv.slice(2);
const session = await InferenceSession.create(join(folder, "train_step.onnx"));
const rows = JSON.parse(await readFile(data, "utf8"));
const inputs = new Map(session.inputMetadata.map((input) => [input.name, input]));

// A tensor for an input of the graph, its numbers from a function of their place.
function tensor(name, shape, number) {
  const { type } = inputs.get(name);
  const count = shape.reduce((product, size) => product * size, 1);
  const convert = type === "int64" ? BigInt : Number;
  return new Tensor(type, ARRAYS[type].from({ length: count }, (_, i) => convert(number(i))), shape);
}

function sizes(name) {
  return inputs.get(name).shape.map((size) => (size === "batch" ? rows.x.length : size));
}

function batch(name) {
  const numbers = rows[name].flat(Infinity);
  return tensor(name, sizes(name), (i) => numbers[i]);
}

// What Dropout draws for each step: uniform on [0, 1).
function draws() {
  const names = session.inputNames.filter((name) => name.startsWith("random."));
  return Object.fromEntries(names.map((name) => [name, tensor(name, sizes(name), Math.random)]));
}

// A safetensors file is the length of a header, the header as JSON, and the tensors one after another.
const content = await readFile(join(folder, "checkpoint.safetensors"));
const start = 8 + Number(content.readBigUInt64LE(0));
const header = JSON.parse(content.toString("utf8", 8, start));
const state = {};
for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
  if (name === "__metadata__") continue;
  const [begin, end] = data_offsets;
  const bytes = new Uint8Array(content.subarray(start + begin, start + end)); // a copy, aligned
  state[name] = new Tensor(TYPES[dtype], new ARRAYS[TYPES[dtype]](bytes.buffer), shape);
}

for (let step = 0; step < Number(steps); step++) {
  const feed = { ...state, lr: tensor("lr", [], () => lr), x: batch("x"), y: batch("y"), ...draws() };
  const result = await session.run(feed);
  console.log(result.loss.data[0]);
  for (const name of Object.keys(state)) state[name] = result[`${name}.next`] ?? state[name];
}

const places = {};
const parts = [];
let size = 0;
for (const [name, { data }] of Object.entries(state)) {
  places[name] = { ...header[name], data_offsets: [size, size + data.byteLength] };
  parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  size += data.byteLength;
}
const text = Buffer.from(JSON.stringify(places));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(text.length));
await writeFile(join(folder, "continued.safetensors"), Buffer.concat([length, text, ...parts]));
