// Writes ids.json, nfc.json and chats.json, with Hugging Face's JavaScript editions as the oracle:
//   npm install @huggingface/tokenizers @huggingface/jinja   (in any folder; run this file from there)
//   node goldens.mjs FOLDER-OF-THIS-FILE TOKENIZER_CONFIG-WITH-M1S-TEMPLATE
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "here.js"));
const { Tokenizer } = require("@huggingface/tokenizers");
const { Template } = require("@huggingface/jinja");
const [folder, m1] = process.argv.slice(2);
const read = (file) => JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
const write = (file, items) =>
  fs.writeFileSync(path.join(folder, file), "[\n" + items.map((item) => "  " + JSON.stringify(item)).join(",\n") + "\n]\n");

let state = 2024;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * n);
};
const pick = (items) => items[random(items.length)];
// Texts may be broken UTF-16, which JSON libraries refuse: every unit is written as four hexadecimal digits.
const units = (text) => [...Array(text.length).keys()].map((i) => text.charCodeAt(i).toString(16).padStart(4, "0")).join("");

const fragments = [
  "true", " true", " and", " not", " (", ")", " [", "Ann", " Ann", " says", "'s", "'LL", "don't", "12", "1234567", " 42", "\n", "\r\n",
  "\n\n", "\t", " ", "  ", "   ", "...", "=", "==", "<end_of_sentence>", "<beginning_of_sentence>", "<begin_of_document>", "<end_of_", "\0",
  "\u0007", "\u0085", "\u00a0", "\ufeff", "\u200d", "\u2028", "\u3000", "é", "e\u0301", "Å", "\u212b", "ß", "犬", "好き", "中文", "слово", "日",
  "한국어", "\u1112\u1161\u11ab", "العربية", "हिन्दी", "😀", "👨‍👩‍👧", "👋🏽", "𝒳", "𝟙𝟚𝟛𝟜", "𐐀𐐨", "\ud83d", "\ude00", "\ufffd", "²", "Ⅷ", "ǅ", "ʰ", "_", "A1b2",
];
const texts = [];
for (let i = 0; i < 90; i++) texts.push(Array.from({ length: 1 + random(9) }, () => pick(fragments)).join(""));
for (let i = 0; i < 40; i++) texts.push(Array.from({ length: 1 + random(20) }, () => String.fromCharCode(random(65536))).join(""));
for (const run of ["a", " ", "\n", "7", "é", "犬", "😀", "\ud800", "\u0301"]) texts.push(run.repeat(40));
texts.push(...fs.readFileSync(path.join(folder, "paragraphs.txt"), "utf8").split("\n").filter((line) => line));

const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const split = (Regex, behavior = "Isolated", invert = false) => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex }, behavior, invert }, bytes],
});
const variants = {
  "as trained": {},
  "GPT-2": { pre_tokenizer: { ...bytes, add_prefix_space: true, use_regex: true } },
  "NFC": { normalizer: { type: "NFC" } },
  "whole pieces first": { pre_tokenizer: split("\\S+| +"), model: { ignore_merges: true } },
  "marks and case": {
    pre_tokenizer: split("[\\p{Lu}\\p{Lt}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'ll)?|\\p{N}{1,2}|[^\\p{L}\\p{N}\\r\\n]++[\\r\\n/]*|\\s+"),
  },
  "words removed": { pre_tokenizer: split("\\w+\\b", "Removed") },
  "digits one by one": { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex: "\\d" }, behavior: "Isolated", invert: false }, { ...bytes, use_regex: true }] } },
};
const trained = read("tokenizer.json");
const encoded = Object.entries(variants).map(([name, change]) => {
  const changed = { ...trained, ...change, model: { ...trained.model, ...change.model } };
  const tokenizer = new Tokenizer(changed, read("tokenizer_config.json"));
  return { name, change, ids: texts.map((text) => tokenizer.encode(text, { add_special_tokens: false }).ids) };
});
write("ids.json", [texts.map(units), ...encoded]);

const marks = [];
for (let code = 0; code <= 0x10ffff; code++) {
  const text = code >= 0xd800 && code <= 0xdfff ? "" : String.fromCodePoint(code);
  if (text.normalize("NFD") !== text || /\p{M}/u.test(text)) marks.push(text);
}
const composing = [];
for (let i = 0; i < 400; i++) {
  const text = Array.from({ length: 2 + random(5) }, () => pick([pick(marks), String.fromCharCode(0x300 + random(0x70)), pick([..."aeouAOsyα각가か"])])).join("");
  composing.push([units(text), units(text.normalize("NFC"))]);
}
write("nfc.json", composing);

const template = new Template(JSON.parse(fs.readFileSync(m1, "utf8")).chat_template);
const text = (value) => ({ type: "text", text: value });
const chats = [
  { messages: [] },
  { messages: [], add_generation_prompt: true },
  { messages: [{ role: "user", content: [text("close ( [")] }], add_generation_prompt: true },
  {
    messages: [
      { role: "system", content: [text("Be brief. ")] },
      { role: "user", content: [text("first"), text("ignored")] },
      { role: "system", content: [text("Be right.")] },
      { role: "assistant", content: [text("<think>\n…\n</think>"), { type: "image", text: "left out" }, text("yes")] },
      { role: "tool", content: [{ name: "add", type: "text", text: "3" }, { name: "sub", type: "text", text: "{}" }] },
      { role: "assistant", content: [] },
    ],
    tools: [
      { name: "add", description: "é 😀 \"quoted\" \\ / \u0001 \u2028 <&>", parameters: { a: [1, -2.5, 1e21, 1e-7, 0.00001, 1e20, 123456789012, 1.0, -0.0, 5e-324], b: {}, c: [], d: [null, true, false] } },
      "a name alone",
    ],
    add_generation_prompt: true,
  },
  { messages: [{ role: "system", content: [text("")] }, { role: "tool", content: [] }], tools: [] },
  {
    messages: [{ role: "user", content: [text("\ud83d \ude00 \u2028\u0000")] }, { role: "assistant", content: [text("a"), { text: "of no type" }] }],
    tools: [{ b: 1, 10: 2, "": 3, 9: 4, "01": 5, 4294967294: 6, 4294967295: 7, "\ud800": "\udc00\ud83d\ude00\x7f", a: 1e300 * 1e10, c: 0.1 + 0.2 }],
  },
];
write("chats.json", chats.map((chat) => ({ ...chat, rendered: template.render(chat) })));
