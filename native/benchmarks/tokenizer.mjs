// Times our tokenizer beside Hugging Face's JavaScript edition, M1's 199,744 merges in both, and writes
// results/tokenizer.json:
//   npm install @huggingface/tokenizers   (in any folder)
//   node native/benchmarks/tokenizer.mjs NPM-FOLDER FOLDER-WITH-M1S-MERGES.TXT
// Each case runs in both, the fastest of three passes that begin with empty caches counts (the peer has one pass at a
// megabyte without a space, which takes it half a minute), and the ids must be equal.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

const [npm, m1] = process.argv.slice(2).map((folder) => path.resolve(folder));
const require = createRequire(path.join(npm, "here.js"));
const { Tokenizer } = require("@huggingface/tokenizers");
const peerVersion = JSON.parse(fs.readFileSync(path.join(npm, "node_modules/@huggingface/tokenizers/package.json"), "utf8")).version;
const here = import.meta.dirname;
const root = path.resolve(here, "../..");
const passes = 3;
const run = (command, ...args) => execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });

// tokenizer.json as the model's card has it: cl100k's expression, then bytes.
const printable = [...Array(256).keys()].filter((b) => (b > 32 && b < 127) || (b > 160 && b !== 173));
const others = [...Array(256).keys()].filter((b) => !printable.includes(b));
const symbols = [...printable.map((b) => String.fromCharCode(b)), ...others.map((_, i) => String.fromCharCode(256 + i))];
const merges = fs.readFileSync(path.join(m1, "merges.txt"), "utf8").split("\n").slice(1).filter(Boolean).map((line) => line.split(" "));
const vocab = Object.fromEntries([...symbols, ...merges.map((pair) => pair.join(""))].map((token, id) => [token, id]));
const Regex = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const definition = {
  added_tokens: [{ id: 200020, content: "<end_of_sentence>", special: true, normalized: false, single_word: false, lstrip: false, rstrip: false }],
  normalizer: null,
  pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }, bytes] },
  post_processor: null,
  decoder: bytes,
  model: { type: "BPE", vocab, merges },
};

let state = 2025;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * n);
};
const pick = (items) => items[random(items.length)];
const many = (n, make) => Array.from({ length: n }, make);
const range = (from, to) => () => String.fromCodePoint(from + random(to - from));
// Words of M1's own vocabulary, frequent ones more often, as a long-tailed text has them.
const bytesOf = new Map(symbols.map((symbol, i) => [symbol, i < printable.length ? printable[i] : others[i - printable.length]]));
const word = (limit) => {
  const id = 256 + Math.floor(Math.exp(Math.log(limit) * (random(1 << 20) / (1 << 20))));
  return Buffer.from([...merges[id - 256].join("")].map((symbol) => bytesOf.get(symbol))).toString("utf8").replaceAll("\ufffd", "");
};
const scripts = [[0x61, 0x7b], [0xe0, 0x180], [0x391, 0x3ca], [0x410, 0x450], [0x5d0, 0x5eb], [0x620, 0x64b], [0x905, 0x93a], [0xe01, 0xe31],
  [0x3041, 0x3097], [0x4e00, 0x9fa6], [0xac00, 0xd7a4], [0x1f300, 0x1f650]].map(([from, to]) => range(from, to));
const sources = run("git", "-C", root, "ls-files", "*.cs", "*.cpp", "*.h", "*.md", "*.mjs", "*.py").split("\n").filter((file) => file && !file.includes(".g."));
const cases = {
  "source code": sources.map((file) => fs.readFileSync(path.join(root, file), "utf8")),
  "words of the vocabulary": many(100, () => many(2000, () => word(199000)).join("")),
  "frequent words": many(100, () => many(2500, () => word(8000)).join("")),
  "twelve scripts at random": many(100, () => many(600, () => { const letter = pick(scripts); return many(1 + random(9), letter).join(""); }).join(" ")),
  "1 MB of one letter, no space": ["a".repeat(1e6)],
  "1 MB of random letters, no space": [many(1e6, range(0x61, 0x7b)).join("")],
  "1 MB of Chinese, no space": [many(333333, range(0x4e00, 0x9fa6)).join("")],
};

const work = fs.mkdtempSync(path.join(os.tmpdir(), "tokenizer-benchmark-"));
const files = Object.keys(cases).map((name, i) => path.join(work, `${i}.json`));
fs.writeFileSync(path.join(work, "tokenizer.json"), JSON.stringify(definition));
Object.values(cases).forEach((texts, i) => fs.writeFileSync(files[i], JSON.stringify(texts)));
const project = path.join(here, "TokenizerBenchmark");
const properties = process.env.MSBUILD_PROPERTIES?.split(" ") ?? [];
run("dotnet", "build", project, "-c", "Release", "-v", "q", "-nologo", ...properties);

const ourTime = (file) => JSON.parse(run("dotnet", path.join(project, "bin/Release/net10.0/TokenizerBenchmark.dll"), work, String(passes), file));
const peerTime = (texts) => {
  let best = { seconds: Infinity };
  for (let pass = 0; pass < (texts.length > 1 ? passes : 1); pass++) {
    const tokenizer = new Tokenizer(definition, {});
    let [count, sum] = [0, 0];
    const start = performance.now();
    for (const text of texts) {
      for (const id of tokenizer.encode(text, { add_special_tokens: false }).ids) {
        count++;
        sum = (sum * 31 + id) % 1000000007;
      }
    }
    const seconds = (performance.now() - start) / 1000;
    best = { seconds: Math.min(seconds, best.seconds), count, sum };
  }
  return best;
};

const rows = [];
const digits = (value) => Number(value.toFixed(3));
Object.entries(cases).forEach(([name, texts], i) => {
  const [ours, peer] = [ourTime(files[i]), peerTime(texts)];
  if (ours.count !== peer.count || ours.sum !== peer.sum) {
    throw new Error(`${name}: the ids differ`);
  }
  const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
  const ratio = digits(peer.seconds / ours.seconds);
  rows.push({ case: name, ours: digits(megabytes / ours.seconds), peer: digits(megabytes / peer.seconds),
    peer_name: `@huggingface/tokenizers ${peerVersion}, node ${process.version}`, unit: "MB/s", ratio, target: 1, met: ratio >= 1 });
  console.log(JSON.stringify(rows.at(-1)));
  if (name.startsWith("1 MB")) {
    const seconds = digits(ours.seconds);
    rows.push({ case: `${name}: time`, ours: seconds, peer: 1, peer_name: "one second", unit: "s", ratio: digits(1 / seconds), target: 1, met: seconds < 1 });
  }
});
fs.rmSync(work, { recursive: true });
const result = {
  machine: `${os.cpus()[0].model}, ${os.cpus().length} cores, ${new Date().toISOString().slice(0, 10)}`,
  commit: run("git", "-C", root, "rev-parse", "HEAD").trim(),
  command: "node native/benchmarks/tokenizer.mjs NPM-FOLDER FOLDER-WITH-M1S-MERGES.TXT",
  rows,
};
fs.mkdirSync(path.join(here, "results"), { recursive: true });
fs.writeFileSync(path.join(here, "results", "tokenizer.json"), JSON.stringify(result, null, 1) + "\n");
