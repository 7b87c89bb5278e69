// node page.mjs URL MODULES CHROMIUM SCREENSHOT WORD-ID: the page in a headless browser. Silence is success.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [url, modules, executablePath, screenshot] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 900, height: 720 } });
  const complaints = [], foreign = [];
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('dialog', dialog => { complaints.push('dialog'); dialog.dismiss(); });
  page.on('request', request => { if (!request.url().startsWith(url)) foreign.push(request.url()); });
  await page.goto(url);
  await page.getByText('taught').first().waitFor();
  await page.getByText('Settings').click();
  await page.getByLabel('Temperature').fill('0');
  await page.getByText('Settings').click();

  const say = async text => {
    await page.getByLabel('Message').fill(text);
    await page.getByLabel('Message').press('Enter');
  };
  const answered = () => page.getByRole('button', { name: 'Send' }).waitFor();
  const last = page.locator('.assistant').last();

  // Thinking is there, folded, and unfolds.
  await say('riddle');
  await answered();
  assert.equal(await last.locator('.text').textContent(), 'A dog.');
  assert.equal(await last.locator('.thoughts').isVisible(), false);
  assert.match(await page.locator('#status').textContent(), /^\d+ tokens, [\d.]+ tokens\/s$/);
  await last.locator('summary').click();
  assert.equal(await last.locator('.thoughts').textContent(), 'It barks and it has four legs.');
  assert.equal(await last.locator('.thoughts').isVisible(), true);

  // Markup from the model and from the user is text.
  await page.getByRole('button', { name: 'New chat' }).click();
  await say('markup');
  await answered();
  assert.equal(await last.locator('.text').textContent(), 'Ünïcode 你好 <img src=x onerror=alert(1)> & <b>bold</b>');
  await page.getByRole('button', { name: 'New chat' }).click();
  await say('<script>alert(2)</script><img src=y onerror=alert(3)>');
  await answered();
  assert.equal(await page.locator('main img, main b, main script').count(), 0);

  // A long answer grows on the page, and stops at the button. The model ends its own answers, so it is made to say one word for ever.
  await page.getByRole('button', { name: 'New chat' }).click();
  await page.route('**/v1/chat/completions', async (route, request) => {
    await route.continue({ postData: JSON.stringify({ ...request.postDataJSON(), max_tokens: 30000, logit_bias: { [process.argv[6]]: 1000 } }) });
  });
  await say('count');
  const grown = async length => {
    for (let tries = 0; tries < 1000; tries++) {
      const now = (await last.locator('.text').textContent()).length;
      if (now > length) return now;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    assert.fail(`The answer does not grow beyond ${length}: ${await last.textContent()} | ${await page.locator('#status').textContent()}`);
  };
  await grown(await grown(200));
  await page.getByRole('button', { name: 'Stop' }).click();
  await answered();
  assert.match(await page.locator('#status').textContent(), /stopped$/);
  await page.unroute('**/v1/chat/completions');

  await page.getByRole('button', { name: 'New chat' }).click();
  for (const text of ['riddle', 'markup', 'count']) {
    await say(text);
    await answered();
  }
  assert.equal(await last.locator('.text').textContent(), 'one two three four four five six seven eight nine ten');
  await page.locator('.assistant summary').first().click();
  await page.screenshot({ path: screenshot });
  // The policy allows no script but the page's own.
  await page.evaluate(() => { const s = document.createElement('style'); s.textContent = 'body { display: none }'; document.head.append(s); });
  assert.equal(await page.locator('body').isVisible(), true);
  assert.equal(complaints.filter(c => !c.includes('Content Security Policy')).join('\n'), '');
  assert.deepEqual(foreign, []);
} finally {
  await browser.close();
}
