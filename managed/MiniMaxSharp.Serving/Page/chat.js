'use strict';
// Everything that comes from the model or the user becomes a text node; nothing is ever parsed as markup.
const element = id => document.getElementById(id);
const log = element('log'), form = element('form'), input = element('input'), status = element('status');
let messages = [], model = null, running = null;

function add(parent, tag, className, text = '') {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  parent.append(node);
  return node;
}

const headers = () => element('key').value ? { Authorization: `Bearer ${element('key').value}` } : {};

async function read(response) {
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error?.message ?? `The server said ${response.status}.`);
}

async function findModel() {
  const list = await (await read(await fetch('v1/models', { headers: headers() }))).json();
  model = list.data[0].id;
  element('model').textContent = document.title = model;
}

// The events of a stream, as objects.
async function* events(response, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  signal.addEventListener('abort', () => reader.cancel().catch(() => {}));
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop();
    for (const part of parts) {
      if (!part.startsWith('data: ')) continue;
      const data = part.slice(6);
      if (data === '[DONE]') return;
      const event = JSON.parse(data);
      if (event.error) throw new Error(event.error.message);
      yield event;
    }
  }
}

// A turn of the model, with its thinking folded away above the text. What comes is shown a few times a second, however fast it comes.
function turn() {
  const node = add(log, 'article', 'turn assistant');
  const thinking = add(node, 'details', 'thinking');
  thinking.hidden = true;
  const summary = add(thinking, 'summary', '', 'Thinking …');
  const thoughts = add(thinking, 'div', 'thoughts').appendChild(new Text());
  const text = add(node, 'div', 'text').appendChild(new Text());
  let thought = '', said = '', note = '', timer = 0;
  const show = () => {
    clearTimeout(timer);
    timer = 0;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    if (thought) thinking.hidden = false;
    if (said) summary.textContent = 'Thought';
    thoughts.appendData(thought);
    text.appendData(said);
    thought = said = '';
    status.textContent = note;
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  const soon = () => { timer ||= setTimeout(show, 50); };
  return {
    think(more) { thought += more; soon(); },
    say(more) { said += more; soon(); },
    note(now) { note = now; soon(); },
    end(now) { note = now; show(); return text.data; },
    fail(message) { node.classList.add('error'); said += message; },
  };
}

async function answer() {
  const history = messages;
  const abort = running = new AbortController();
  const shown = turn();
  const start = performance.now();
  let tokens = 0, finish = null;
  const rate = () => `${(tokens * 1000 / (performance.now() - start)).toFixed(1)} tokens/s`;
  try {
    if (!model) await findModel();
    const system = element('system').value.trim();
    const response = await read(await fetch('v1/chat/completions', {
      method: 'POST',
      signal: abort.signal,
      headers: { ...headers(), 'Content-Type': 'application/json' },
      body: JSON.stringify({
        model,
        messages: system ? [{ role: 'system', content: system }, ...history] : history,
        temperature: Number(element('temperature').value),
        max_tokens: Number(element('max').value) || undefined,
        stream: true,
        logprobs: true, // one event a token, so that they can be counted
      }),
    }));
    for await (const event of events(response, abort.signal)) {
      const choice = event.choices[0];
      if (!choice) continue;
      if (choice.logprobs) {
        tokens += choice.logprobs.content.length;
        shown.note(`${tokens} tokens, ${rate()}`);
      }
      if (choice.delta.reasoning_content) shown.think(choice.delta.reasoning_content);
      if (choice.delta.content) shown.say(choice.delta.content);
      finish = choice.finish_reason ?? finish;
    }
  } catch (error) {
    if (!abort.signal.aborted) shown.fail(error.message);
  }
  const end = abort.signal.aborted ? ', stopped' : finish === 'length' ? ', cut off' : '';
  history.push({ role: 'assistant', content: shown.end(`${tokens} tokens, ${rate()}${end}`) });
  if (running === abort) running = null;
  show();
}

function show() {
  element('send').hidden = running !== null;
  element('stop').hidden = running === null;
}

form.addEventListener('submit', event => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text || running) return;
  input.value = '';
  messages.push({ role: 'user', content: text });
  add(add(log, 'article', 'turn user'), 'div', 'text', text);
  log.scrollTop = log.scrollHeight;
  answer();
  show();
});

input.addEventListener('keydown', event => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

element('stop').addEventListener('click', () => running?.abort());
element('new').addEventListener('click', () => {
  running?.abort();
  messages = [];
  log.replaceChildren();
  status.textContent = '';
  input.focus();
});
findModel().catch(error => { status.textContent = error.message; });
