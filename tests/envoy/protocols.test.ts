import assert from 'node:assert/strict';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';

const found = await available();
const KEY = 'rich-secret-key';

describe('protocols', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  before(async () => {
    test = await EnvoyUnderTest.start(testPolicy({ api: '    preflight: allow\n' }), found, { concurrency: 1 });
  });
  after(() => test?.stop());

  it('checks HTTP/2 as it checks HTTP/1.1', async () => {
    const refused = await http2({ ':path': '/v1/pets' });
    assert.equal(refused.headers[':status'], 401);
    assert.equal(refused.headers['content-type'], 'application/problem+json');
    assert.equal((JSON.parse(refused.body) as { reason: string }).reason, 'missing_api_key');
    const allowed = await http2({ ':path': '/v1/pets', 'x-api-key': KEY });
    assert.equal(allowed.headers[':status'], 200);
    assert.match(String(test.seen.at(-1)?.headers), /x-tollgate-consumer,rich/);
  });

  it('takes a request whose trailers bear headers of Tollgate', async () => {
    const session = connectHttp2(`http://127.0.0.1:${test.port}`);
    try {
      const stream = session.request(
        { ':method': 'POST', ':path': '/v1/pets', 'x-api-key': KEY },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'x-tollgate-consumer': 'evil', x_tollgate_plan: 'evil', checksum: '1' }),
      );
      stream.end('body');
      const status = await new Promise<unknown>((resolve, reject) => {
        stream.on('response', (headers) => resolve(headers[':status']));
        stream.on('error', reject);
      });
      stream.resume();
      assert.equal(status, 200);
      assert.doesNotMatch(String(test.seen.at(-1)?.headers), /evil/);
    } finally {
      session.close();
    }
    // The module that ran at the trailers still serves.
    assert.equal((await http2({ ':path': '/v1/pets', 'x-api-key': KEY })).headers[':status'], 200);
  });

  it('finds two different keys in one HTTP/2 request', async () => {
    const reply = await http2({ ':path': '/v1/pets?api_key=other', 'x-api-key': KEY });
    assert.equal((JSON.parse(reply.body) as { reason: string }).reason, 'ambiguous_api_key');
  });

  it('answers gRPC over HTTP/2 with trailers only', async () => {
    const reply = await http2({
      ':method': 'POST',
      ':path': '/v1/pets.Pets/List',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    assert.equal(reply.headers[':status'], 200);
    assert.equal(reply.headers['grpc-status'], '16');
    assert.match(String(reply.headers['grpc-message']), /key/i);
    assert.equal(reply.body, '');
    assert.equal(reply.endedWithHeaders, true);
  });

  it('finds the key in one of several cookie headers, as HTTP/2 clients split them', async () => {
    const reply = await http2({ ':path': '/v1/pets', cookie: ['theme=dark', `api_key=${KEY}`, 'lang=en'] });
    assert.equal(reply.headers[':status'], 200);
    assert.deepEqual(
      test.seen.at(-1)?.headers.filter(([name]) => name === 'cookie'),
      [['cookie', 'theme=dark; lang=en']],
    );
  });

  it('gates HTTP/1.0, with and without a host', async () => {
    assert.equal((await sendRaw(test.port, 'GET /v1/pets HTTP/1.0\r\n\r\n'))?.status, 401);
    assert.equal((await sendRaw(test.port, `GET /v1/pets HTTP/1.0\r\nx-api-key: ${KEY}\r\n\r\n`))?.status, 200);
    assert.equal(
      (await sendRaw(test.port, `GET /v1/pets HTTP/1.0\r\nhost: pets\r\nx-api-key: ${KEY}\r\n\r\n`))?.status,
      200,
    );
  });

  it('answers HEAD without a body', async () => {
    const refused = await head([]);
    assert.equal(refused?.status, 401);
    assert.equal((await head([['x-api-key', KEY]]))?.status, 200);
  });

  it('lets a CORS preflight pass without a key where the API says so', async () => {
    const preflight = {
      method: 'OPTIONS',
      path: '/v1/pets',
      host: 'any',
      headers: [
        ['origin', 'https://shop.test'],
        ['access-control-request-method', 'GET'],
      ] as [string, string][],
    };
    assert.equal((await sendRaw(test.port, requestBytes(preflight)))?.status, 200);
    assert.equal((await sendRaw(test.port, requestBytes({ ...preflight, headers: [] })))?.status, 401);
  });

  it('upgrades to a websocket with a key, and not without', async () => {
    const upgrade = (key: string): string =>
      `GET /v1/pets HTTP/1.1\r\nhost: any\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${key}\r\n`;
    assert.equal((await sendRaw(test.port, upgrade('')))?.status, 401);
    const text = await conversation(upgrade(`x-api-key: ${KEY}\r\n`), 'ping through the tunnel');
    assert.match(text, /^HTTP\/1\.1 101 /);
    assert.ok(text.endsWith('ping through the tunnel'), text);
    assert.equal(
      test.seen.at(-1)?.headers.some(([name]) => name === 'x-api-key'),
      false,
    );
  });

  it('survives hostile bytes: no reply is a pass, and the next request is served', async () => {
    const hostile = [
      'GET /v1/\0 HTTP/1.1\r\nhost: a\r\n\r\n',
      'GET /v1\xff HTTP/1.1\r\nhost: a\r\n\r\n',
      `GET /v1/pets HTTP/1.1\r\nhost: a\r\nx-api-key: ${KEY}\0\r\n\r\n`,
      `GET http://evil.test?api_key=${KEY} HTTP/1.1\r\nhost: a\r\n\r\n`,
      `OPTIONS * HTTP/1.1\r\nhost: a\r\nx-api-key: ${KEY}\r\n\r\n`,
      `CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nx-api-key: ${KEY}\r\n\r\n`,
      `GET /v1/pets HTTP/1.1\r\nhost: a\r\nx-api-key: ${'k'.repeat(65536)}\r\n\r\n`,
      `GET /admin/../v1 HTTP/1.1\r\nhost: a\r\nx-api-key: \xff\xfe\r\n\r\n`,
    ];
    for (const bytes of hostile) {
      const reply = await sendRaw(test.port, bytes);
      assert.ok(
        reply === null || (reply.status >= 400 && reply.status < 500),
        `${JSON.stringify(bytes.slice(0, 60))}: ${reply?.status}`,
      );
    }
    assert.equal(
      (
        await sendRaw(
          test.port,
          requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [['x-api-key', KEY]] }),
        )
      )?.status,
      200,
    );
  });

  function head(headers: [string, string][]): Promise<WireReply | null> {
    return sendRaw(test.port, requestBytes({ method: 'HEAD', path: '/v1/pets', host: 'any', headers }), 'HEAD');
  }

  /** Sends the opening, then `text` once the peer has answered; resolves to all that came back when it ends with the text. */
  function conversation(opening: string, text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let received = '';
      const socket = connect(test.port, '127.0.0.1', () => socket.write(opening));
      socket.setTimeout(5000, () => socket.destroy(new Error(`no echo; received ${received}`)));
      socket.on('error', reject).on('data', (bytes: Buffer) => {
        if (received === '') socket.write(text);
        received += bytes.toString('latin1');
        if (received.endsWith(text) || !received.startsWith('HTTP/1.1 101')) {
          resolve(received);
          socket.destroy();
        }
      });
    });
  }

  async function http2(
    headers: Record<string, string | string[]>,
  ): Promise<{ headers: Record<string, unknown>; body: string; endedWithHeaders: boolean }> {
    const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${test.port}`);
    try {
      return await new Promise((resolve, reject) => {
        session.on('error', reject);
        const stream = session.request(headers, { endStream: true });
        let body = '';
        let endedWithHeaders = false;
        let reply: Record<string, unknown> = {};
        stream.on('response', (got, flags) => {
          reply = got;
          endedWithHeaders = (flags & 1) === 1;
        });
        stream
          .setEncoding('utf8')
          .on('data', (text: string) => (body += text))
          .on('error', reject);
        stream.on('end', () => resolve({ headers: reply, body, endedWithHeaders }));
      });
    } finally {
      session.close();
    }
  }
});
