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

// A turn of the model, with its thinking folded away above the text.
function turn() {
  const node = add(log, 'article', 'turn assistant');
  const thinking = add(node, 'details', 'thinking');
  thinking.hidden = true;
  const summary = add(thinking, 'summary', '', 'Thinking …');
  const thoughts = add(thinking, 'div', 'thoughts');
  const text = add(node, 'div', 'text');
  return {
    think(more) { thinking.hidden = false; thoughts.append(more); },
    say(more) { summary.textContent = 'Thought'; text.append(more); },
    text: () => text.textContent,
    fail(message) { node.classList.add('error'); text.append(message); },
  };
}

const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
const follow = wasAtEnd => { if (wasAtEnd) log.scrollTop = log.scrollHeight; };

async function answer() {
  const history = messages;
  const abort = running = new AbortController();
  const shown = turn();
  let first = 0, tokens = 0, finish = null;
  const rate = () => tokens > 1 ? `${((tokens - 1) * 1000 / (performance.now() - first)).toFixed(1)} tokens/s` : '';
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
      const wasAtEnd = atEnd();
      if (choice.logprobs) {
        first ||= performance.now();
        tokens += choice.logprobs.content.length;
        status.textContent = `${tokens} tokens, ${rate()}`;
      }
      if (choice.delta.reasoning_content) shown.think(choice.delta.reasoning_content);
      if (choice.delta.content) shown.say(choice.delta.content);
      finish = choice.finish_reason ?? finish;
      follow(wasAtEnd);
    }
    status.textContent = `${tokens} tokens, ${rate()}${finish === 'length' ? ', cut off' : ''}${abort.signal.aborted ? ', stopped' : ''}`;
  } catch (error) {
    if (abort.signal.aborted) status.textContent = `${tokens} tokens, ${rate()}, stopped`;
    else shown.fail(error.message);
  }
  history.push({ role: 'assistant', content: shown.text() });
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
