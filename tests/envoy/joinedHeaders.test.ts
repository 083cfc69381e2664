import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { JOINED, joinHeaders, type Pair } from '../../scripts/host/stream.ts';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { sendHttp2 } from '../../harness/envoy/http2Client.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();

/** Headers that stay lines of their own; key sources and conditions are about such as these. */
const APART = [
  'x-api-key',
  'api-key',
  'apikey',
  'x-access-token',
  'x-debug',
  'accept-language',
  'forwarded',
  'range',
  'date',
  'priority',
  'proxy-authorization',
  'sec-websocket-protocol',
  'traceparent',
  'baggage',
  'warning',
  'x-real-ip',
  'x-requested-with',
  'x_api_key',
];
/** What Envoy takes as its own at its edge, sets anew, or ends the request for: nothing of these can be seen behind it. */
const ENVOYS = /^(:.*|connection|content-length|te|upgrade|expect|x-request-id|x-envoy-.*|x-forwarded-(for|proto))$/;

describe('repeated request headers', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  before(async () => {
    test = await EnvoyUnderTest.start(`${testPolicy()}unmatched: allow\n`, found, { concurrency: 1 });
  });
  after(() => test?.stop());

  const names = [...JOINED].filter((name) => !ENVOYS.test(name)).concat(APART);
  const values: string[][] = [
    ['v1', 'v2'],
    ['v1', '', 'v3'],
    ['', 'v2'],
    ['a(b,c', 'd)'],
  ];

  it('are joined over HTTP/1 as the Node host joins them', async () => {
    for (const name of names) {
      for (const lines of values) {
        const sent = around(name, lines);
        const reply = await sendRaw(
          test.port,
          requestBytes({ method: 'GET', path: '/open', host: 'h.test', headers: sent }),
        );
        assert.equal(reply?.status, 200, name);
        assert.deepEqual(lastSeen(name), expected(name, sent), name);
      }
    }
  });

  it('are joined over HTTP/2 as the Node host joins them', async () => {
    for (const name of names) {
      const sent = around(name, ['v1', 'v2']);
      const pseudo: Pair[] = [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/open'],
        [':authority', 'h.test'],
      ];
      assert.equal(await sendHttp2(test.port, [...pseudo, ...sent]), true, name);
      assert.deepEqual(lastSeen(name), expected(name, sent), name);
    }
  });

  it('join two hosts, and the result is not a valid host', async () => {
    const seen = test.seen.length;
    const reply = await sendRaw(
      test.port,
      requestBytes({ method: 'GET', path: '/open', host: 'a.test', headers: [['host', 'b.test']] }),
    );
    assert.equal(reply?.status, 400);
    assert.equal((JSON.parse(reply.body) as { reason: string }).reason, 'invalid_host');
    assert.equal(test.seen.length, seen);
  });

  it('join cookies with "; " over HTTP/2, and leave them apart over HTTP/1', async () => {
    const sent: Pair[] = [
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ];
    await sendRaw(test.port, requestBytes({ method: 'GET', path: '/open', host: 'h.test', headers: sent }));
    assert.deepEqual(lastSeen('cookie'), sent);
    await sendHttp2(test.port, [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/open'],
      [':authority', 'h.test'],
      ...sent,
    ]);
    assert.deepEqual(lastSeen('cookie'), [['cookie', 'a=1; b=2']]);
  });

  function lastSeen(name: string): Pair[] {
    return test.seen.at(-1)!.headers.filter((header) => header[0] === name);
  }
});

function around(name: string, lines: readonly string[]): Pair[] {
  return lines.flatMap((value, index): Pair[] => [
    [name, value],
    [`x-between-${index}`, '1'],
  ]);
}

function expected(name: string, sent: readonly Pair[]): Pair[] {
  return joinHeaders(sent).filter((header) => header[0] === name);
}
