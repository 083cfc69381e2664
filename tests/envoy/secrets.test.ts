import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();
/** The policy's keys, and an unknown one: a mistyped key is a secret too. */
const KEYS = [
  'rich-secret-key',
  'acme-secret-key',
  'unknown-secret-key',
  `malformed-secret-key-${'k'.repeat(600)}`,
  'obs-secret-key-\xff',
];
const ADMIN_PAGES = [
  '/stats',
  '/stats/prometheus',
  '/config_dump?include_eds',
  '/clusters',
  '/listeners',
  '/server_info',
  '/certs',
  '/runtime',
];

describe('a key', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  const replies: string[] = [];
  before(async () => {
    test = await EnvoyUnderTest.start(testPolicy({ limit: 2 }), found, { concurrency: 1 });
    for (const key of KEYS) {
      const ways: [string, [string, string][]][] = [
        ['/v1/pets', [['x-api-key', key]]],
        ['/v1/pets', [['authorization', `Bearer ${key}`]]],
        ['/v1/pets', [['cookie', `a=b; api_key=${key}`]]],
        [
          '/v1/pets',
          [
            ['x-api-key', key],
            ['x-api-key', 'another'],
          ],
        ],
        ['/elsewhere', [['x-api-key', key]]],
        ...(key.includes('\xff')
          ? []
          : ([
              [`/v1/pets?q=1&api_key=${key}`, []],
              [`/v1/..%2f?api_key=${key}`, []],
            ] as [string, [string, string][]][])),
      ];
      for (const [path, headers] of ways) {
        const reply = await sendRaw(test.port, requestBytes({ method: 'GET', path, host: 'any', headers }));
        // what our echo upstream says is the upstream's own business; it is looked at below
        replies.push(
          JSON.stringify([reply?.headers, reply?.headers.some(([name]) => name === 'x-upstream') ? '' : reply?.body]),
        );
      }
      await test.edit(testPolicy({ limit: 2, routes: [`r${replies.length}`] }));
    }
    await test.entry(replies.length - 1);
  });
  after(() => test?.stop());

  it('is in no reply of the filter', () => absent(replies));

  it('is in no line of the access log', () => {
    assert.ok(test.entries.length >= replies.length);
    absent(test.entries.map((entry) => JSON.stringify(entry)));
  });

  it("is in no line of Envoy's log", () => absent(test.envoy.logged));

  it('is on no page of the admin interface', async () => {
    for (const page of ADMIN_PAGES) absent([await test.envoy.admin.page(page)]);
  });

  it('reaches no upstream', () => {
    assert.ok(test.seen.length > 0);
    absent(test.seen.map((seen) => JSON.stringify(seen)));
  });

  function absent(texts: readonly string[]): void {
    for (const key of KEYS) {
      const needle = key.slice(0, 14);
      const hit = texts.find((text) => text.includes(needle));
      assert.equal(hit, undefined, `found ${needle}`);
    }
  }
});
