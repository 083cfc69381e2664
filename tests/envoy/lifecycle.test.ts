import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';

const found = await available();
const KEY = 'life-secret-key';
const BODY = JSON.stringify({ text: 'ü'.repeat(2000) });
const POLICY = `policy: life
keySources: [{ header: x-api-key }, { query: api_key }]
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  old:
    paths: [/old]
    plans: [free]
    upstream: v1
    deprecated: { since: 2026-01-01T00:00:00Z, sunset: 2030-01-01T00:00:00Z, link: "https://docs.test/old" }
  gone: { paths: [/gone], retired: { detail: Grüße, successor: /new } }
  moved: { paths: [/moved], redirect: { to: "https://b.test/new" } }
  closed: { paths: [/closed], plans: [free], upstream: v1, maintenance: { until: 2999-01-01T00:00:00Z } }
  fake: { paths: [/fake], plans: [free], mock: { status: 207, headers: { x-mock: "1", set-cookie: a=b }, body: '${BODY}' } }
plans: { free: { quotas: { daily: { limit: 1000000, window: year } } } }
consumers: { acme: { plan: free, keys: [{ id: a, digest: "${digestOf(KEY)}" }] } }
`;

interface Answer {
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly isHeadersOnly: boolean;
}

/** What HTTP/2 and gRPC callers see; the cases have the rest, over HTTP/1.1. */
describe('lifecycles over HTTP/2', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  before(async () => {
    test = await EnvoyUnderTest.start(POLICY, found, { concurrency: 1 });
  });
  after(() => test?.stop());

  it('says with allowed answers and refusals that an API is deprecated', async () => {
    for (const key of [KEY, 'no-such-key-at-all']) {
      const { headers } = await ask({ ':path': '/old/pets', 'x-api-key': key });
      assert.equal(headers[':status'], key === KEY ? 200 : 401);
      assert.equal(headers['deprecation'], '@1767225600');
      assert.equal(headers['sunset'], 'Tue, 01 Jan 2030 00:00:00 GMT');
      assert.equal(
        headers['link'],
        '<https://docs.test/old>; rel="deprecation", <https://docs.test/old>; rel="sunset"',
      );
    }
  });

  it('answers what is retired, closed and moved', async () => {
    const gone = await ask({ ':path': '/gone' });
    assert.equal(gone.headers[':status'], 410);
    assert.equal(gone.headers['link'], '</new>; rel="successor-version"');
    assert.equal((JSON.parse(gone.body) as { detail: string }).detail, 'Grüße');
    const closed = await ask({ ':path': '/closed', 'x-api-key': KEY });
    assert.equal(closed.headers[':status'], 503);
    assert.ok(Number(closed.headers['retry-after']) > 900 * 365 * 86_400);
    const moved = await ask({ ':path': `/moved/a%20b?api_key=${KEY}&x=1` });
    assert.equal(moved.headers[':status'], 308);
    assert.equal(moved.headers['location'], 'https://b.test/new/a%20b?x=1');
    assert.equal(test.seen.length, seenBefore(test));
  });

  it('mocks with the whole body, its headers and the standings, and without a body for HEAD', async () => {
    const { headers, body } = await ask({ ':path': '/fake/pets', 'x-api-key': KEY });
    assert.equal(headers[':status'], 207);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['x-mock'], '1');
    assert.deepEqual(headers['set-cookie'], ['a=b']);
    assert.match(String(headers['ratelimit']), /^"daily";r=\d+;t=\d+$/);
    assert.equal(body, BODY);
    const head = await ask({ ':path': '/fake/pets', ':method': 'HEAD', 'x-api-key': KEY });
    assert.equal(head.headers[':status'], 207);
    assert.equal(head.body, '');
    assert.equal((await ask({ ':path': '/fake' })).headers[':status'], 401);
  });

  it('answers gRPC with trailers only', async () => {
    const grpc = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
    for (const [path, status, message] of [
      ['/gone/a.B/C', '12', 'Gr%C3%BC%C3%9Fe'],
      ['/closed/a.B/C', '14', 'This is under maintenance.'],
      ['/moved/a.B/C', '12', 'This has moved to another place.'],
      ['/fake/a.B/C', '12', 'The policy answers this in the place of an upstream, without gRPC messages.'],
    ] as const) {
      const reply = await ask({ ...grpc, ':path': path, 'x-api-key': KEY });
      assert.equal(reply.headers[':status'], 200, path);
      assert.equal(reply.headers['grpc-status'], status, path);
      assert.equal(reply.headers['grpc-message'], message, path);
      assert.equal(reply.body, '');
      assert.ok(reply.isHeadersOnly);
    }
    const old = await ask({ ...grpc, ':path': '/old/a.B/C', 'x-api-key': 'no-such-key-at-all' });
    assert.equal(old.headers['grpc-status'], '16');
    assert.equal(old.headers['deprecation'], '@1767225600');
  });

  async function ask(headers: Record<string, string>): Promise<Answer> {
    const session = connectHttp2(`http://127.0.0.1:${test.port}`);
    try {
      return await new Promise((resolve, reject) => {
        session.on('error', reject);
        const stream = session.request(headers, { endStream: true });
        let [body, isHeadersOnly]: [string, boolean] = ['', false];
        let got: Record<string, unknown> = {};
        stream.on('response', (answer, flags) => ([got, isHeadersOnly] = [answer, (flags & 1) === 1]));
        stream.setEncoding('utf8').on('data', (text: string) => (body += text));
        stream.on('error', reject).on('end', () => resolve({ headers: got, body, isHeadersOnly }));
      });
    } finally {
      session.close();
    }
  }
});

/** Only the deprecated API has let anything through. */
function seenBefore({ seen }: EnvoyUnderTest): number {
  return seen.filter(({ path }) => path.startsWith('/old')).length;
}
