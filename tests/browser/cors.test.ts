import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Browser } from '../../harness/browser/browser.ts';
import { findBrowser } from '../../harness/browser/find.ts';
import { Page } from '../../harness/browser/page.ts';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { digestOf, steadyWindow } from '../../harness/envoy/testPolicy.ts';

const found = await available();
const browser = await findBrowser();
const skip = found.skip !== false ? found.skip : browser === null ? 'no browser here' : false;
const TIMEOUT_MS = 60_000;

/** The page's own view of an answer: what a script can read of it, or that it can read nothing. */
interface Read {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: Record<string, unknown>;
  readonly error?: string;
}

const READ = `
const read = async (path, options = {}) => {
  try {
    const answer = await fetch(API + path, options);
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: await answer.json().catch(() => null),
    };
  } catch (error) {
    return { error: error.name };
  }
};
const key = (name) => ({ headers: { 'x-api-key': name + '-secret-key' } });
`;

describe('a page in a real browser, on another origin than the API', { skip }, () => {
  let page: Page;
  let test: EnvoyUnderTest;

  before(async () => {
    page = await Page.open();
    test = await EnvoyUnderTest.start(policyFor(page.port), found, { concurrency: 1 });
  });
  after(async () => {
    await test?.stop();
    await page?.close();
  });

  /** Opens the page under one of its names and runs a script there. */
  async function visit(host: string, script: string): Promise<Record<string, Read>> {
    let opened: Promise<Browser> | null = null;
    try {
      const api = `const API = 'http://127.0.0.1:${test.port}';`;
      return (await page.run(
        `${api}${READ}${script}`,
        () => void (opened = Browser.open(browser!, `http://${host}:${page.port}/`)),
        TIMEOUT_MS,
      )) as Record<string, Read>;
    } finally {
      await (await (opened as Promise<Browser> | null))?.close();
    }
  }

  it('reads answers and refusals alike, with the headers that say why', async () => {
    const { allowed, exceeded, missing, unknown, put, patch, header, plain } = await visit(
      '127.0.0.1',
      `return {
        allowed: await read('/v1/pets', key('acme')),
        exceeded: await read('/v1/pets', key('acme')),
        missing: await read('/v1/pets'),
        unknown: await read('/v1/pets', key('nobody')),
        put: await read('/v1/pets', { ...key('rich'), method: 'PUT', body: '{}' }),
        patch: await read('/v1/pets', { ...key('rich'), method: 'PATCH' }),
        header: await read('/v1/pets', { headers: { 'x-not-listed': '1' } }),
        plain: await read('/plain', key('rich')),
      };`,
    );
    assert.equal(allowed!.status, 200);
    assert.equal(allowed!.body?.['path'], '/v1/pets');
    assert.match(allowed!.headers?.['ratelimit'] ?? '', /^"main";r=0;t=\d+$/);
    assert.match(allowed!.headers?.['x-upstream'] ?? '', /./, 'a header that the policy exposes');

    assert.deepEqual([exceeded!.status, exceeded!.body?.['reason']], [429, 'quota_exceeded']);
    assert.match(exceeded!.headers?.['retry-after'] ?? '', /^\d+$/);
    assert.match(exceeded!.headers?.['ratelimit-policy'] ?? '', /^"main";q=1;w=\d+$/);

    for (const [answer, reason] of [
      [missing, 'missing_api_key'],
      [unknown, 'unknown_api_key'],
    ] as const) {
      assert.deepEqual([answer!.status, answer!.body?.['reason']], [401, reason]);
      assert.equal(answer!.headers?.['www-authenticate'], 'ApiKey realm="pets"');
    }
    assert.deepEqual([put!.status, put!.body?.['method']], [200, 'PUT']);
    // what the policy does not list, the browser does not send
    for (const answer of [patch, header]) assert.deepEqual(answer, { error: 'TypeError' });
    // and of an API without cors a page reads nothing: it is the API's cors that lets it read the others
    assert.deepEqual(plain, { error: 'TypeError' });
  });

  it('reads nothing on an origin that the policy does not list', async () => {
    const { missing, allowed } = await visit(
      'localhost',
      `return { missing: await read('/v1/pets'), allowed: await read('/v1/pets', key('rich')) };`,
    );
    assert.deepEqual([missing, allowed], [{ error: 'TypeError' }, { error: 'TypeError' }]);
  });

  it('sends cookies and reads the answer where the policy allows it for every host below a domain', async () => {
    const { plain, included, other } = await visit(
      'app.shop.localhost',
      `return {
        plain: await read('/cookies', key('rich')),
        included: await read('/cookies', { ...key('rich'), credentials: 'include' }),
        other: await read('/v1/pets', key('rich')),
      };`,
    );
    assert.deepEqual([plain!.status, included!.status], [200, 200]);
    assert.deepEqual(other, { error: 'TypeError' });
  });

  it('cannot send cookies where the policy does not allow them', async () => {
    const { included } = await visit(
      '127.0.0.1',
      `return { included: await read('/v1/pets', { ...key('rich'), credentials: 'include' }) };`,
    );
    assert.deepEqual(included, { error: 'TypeError' });
  });
});

function policyFor(port: number): string {
  return `policy: shop
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  pets:
    paths: [/v1]
    plans: [counted, endless]
    upstream: v1
    cors: { origins: ["http://127.0.0.1:${port}"], methods: [PUT], exposedHeaders: [x-upstream], maxAge: 0s }
  cookies:
    paths: [/cookies]
    plans: [endless]
    upstream: v1
    cors: { origins: ["http://*.shop.localhost:${port}"], credentials: true }
  plain: { paths: [/plain], plans: [endless], upstream: v1 }
plans:
  counted: { quotas: { main: { limit: 1, window: ${steadyWindow()} } } }
  endless: {}
consumers:
  acme: { plan: counted, keys: [{ id: acme-1, digest: "${digestOf('acme-secret-key')}" }] }
  rich: { plan: endless, keys: [{ id: rich-1, digest: "${digestOf('rich-secret-key')}" }] }
`;
}
