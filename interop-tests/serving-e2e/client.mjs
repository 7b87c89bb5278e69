// node client.mjs URL MODULES WORD-ID: OpenAI's client, unchanged, against the server with the taught model. Silence is success.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [url, modules] = process.argv.slice(2);
const { default: OpenAI } = await import(pathToFileURL(createRequire(`${modules}/`).resolve('openai')));
const client = new OpenAI({ baseURL: `${url}v1`, apiKey: 'a-key', maxRetries: 0 });
const ask = (content, more = {}) => ({ model: 'taught', temperature: 0, messages: [{ role: 'user', content }], ...more });

const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert.deepEqual(models, ['taught']);

const whole = await client.chat.completions.create(ask('riddle'));
assert.equal(whole.choices[0].message.content, 'A dog.');
assert.equal(whole.choices[0].message.reasoning_content, 'It barks and it has four legs.');
assert.equal(whole.choices[0].finish_reason, 'stop');

// Its own accumulator of streams gives what it gives for a whole answer.
const stream = client.chat.completions.stream(ask('riddle', { stream_options: { include_usage: true } }));
let pieces = 0;
stream.on('content', () => pieces++);
const streamed = await stream.finalChatCompletion();
assert.equal(streamed.choices[0].message.content, 'A dog.');
assert.deepEqual(streamed.usage, whole.usage);
assert.ok(pieces >= 2);

// Its own loop that runs tools.
const numbers = [];
const runner = client.chat.completions.runTools({
  ...ask('sum of 2 and 3'),
  tools: [{
    type: 'function',
    function: {
      name: 'add',
      description: 'Adds two numbers.',
      parameters: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
      parse: JSON.parse,
      function: ({ a, b }) => { numbers.push(a, b); return String(a + b); },
    },
  }],
});
assert.equal(await runner.finalContent(), 'The sum is 5.');
assert.deepEqual(numbers, [2, 3]);

const scored = await client.chat.completions.create(ask('count', { logprobs: true, top_logprobs: 2, n: 2, max_tokens: 5, seed: 1 }));
assert.equal(scored.choices.length, 2);
assert.equal(scored.choices[1].logprobs.content.length, 5);
assert.equal(scored.choices[1].logprobs.content[0].top_logprobs.length, 2);
assert.equal(scored.choices[0].finish_reason, 'length');

const text = await client.completions.create({ model: 'taught', prompt: 'one two', max_tokens: 4, temperature: 0, stream: true });
let continued = '';
for await (const chunk of text) continued += chunk.choices[0].text;
assert.ok(continued.length > 0);

await assert.rejects(client.chat.completions.create(ask('x', { model: 'gpt' })), error => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found');
await assert.rejects(client.chat.completions.create(ask('x', { temperature: -1 })), error => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
await assert.rejects(client.chat.completions.create(ask('x', { max_tokens: 50000 })), error => error.code === 'context_length_exceeded');
const stranger = new OpenAI({ baseURL: `${url}v1`, apiKey: 'wrong', maxRetries: 0 });
await assert.rejects(stranger.chat.completions.create(ask('x')), error => error instanceof OpenAI.AuthenticationError && error.code === 'invalid_api_key');

// Leaving a stream ends it.
const left = await client.chat.completions.create(ask('count', { stream: true, max_tokens: 20000, logit_bias: { [process.argv[4]]: 1000 } }));
for await (const chunk of left) if (chunk.choices[0].delta.content) break;
