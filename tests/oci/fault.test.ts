import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { afterEach, test } from 'node:test';
import { givenCredential } from '../../scripts/oci/credentials.ts';
import { digestOf } from '../../scripts/oci/reference.ts';
import { bundleModule, pushModule, type Pushed } from '../../scripts/oci/index.ts';
import { push } from '../../scripts/cli/push.ts';
import { selfSigned } from '../../harness/registry/certificate.ts';
import { lacking } from '../../harness/registry/component.ts';
import { place, QUICK, stored } from '../../harness/registry/place.ts';
import type { Seen } from '../../harness/registry/proxy.ts';
import { runCommand } from './runCommand.ts';
import { withServer } from '../../harness/registry/server.ts';
import { moduleBytes, writeModule } from '../../harness/registry/wasmFixture.ts';

const here = await place();
const { folder, skip } = here;
const LARGE = 3_000_000;

afterEach(() => {
  if (skip !== false) return;
  here.proxy.fault = () => undefined;
  here.proxy.take();
});

let fill = 10;
/** A module that no other test has pushed. */
function unseen(padding = 1000): string {
  return writeModule(folder, padding, fill++);
}

interface Attempt {
  readonly notes: string[];
  readonly pushed: Promise<Pushed>;
}

async function attempt(name: string, module: string, signal = new AbortController().signal): Promise<Attempt> {
  const notes: string[] = [];
  const bundle = await bundleModule({ layout: 'artifact', module });
  return {
    notes,
    pushed: pushModule(here.target(name), bundle, {
      retry: QUICK,
      signal,
      note: (text) => void notes.push(text),
      credentials: () => Promise.resolve(null),
    }),
  };
}

const isUpload = ({ method, body }: Seen): boolean => method === 'PUT' && body.length > 1000;
const sizes = (method: string): number[] =>
  here.proxy.seen.filter((seen) => seen.method === method).map(({ body }) => body.length);

for (const status of [429, 500, 502, 503, 504]) {
  test(`an answer of ${status} is retried, at every step of a push`, { skip }, async () => {
    const name = `busy${status}:1`;
    const before = new Set<string>();
    here.proxy.fault = ({ method, path }) => {
      // each step fails the first time
      const step = `${method} ${path.replace(/[0-9a-f-]{36}.*/, '')}`;
      if (before.has(step)) return undefined;
      before.add(step);
      return { status, headers: { 'retry-after': '0' } };
    };
    const { pushed, notes } = await attempt(name, unseen());
    await pushed;
    assert.ok(before.size >= 6, [...before].join('\n'));
    assert.equal(notes.filter((note) => note.endsWith('trying again in 0.0 s')).length, before.size);
  });
}

test('Retry-After is waited for', { skip }, async () => {
  here.proxy.failing(1, ({ method }) => method === 'POST', {
    status: 429,
    headers: { 'retry-after': '1' },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
  });
  const started = Date.now();
  const { pushed, notes } = await attempt('patient:1', unseen());
  await pushed;
  assert.ok(Date.now() - started >= 1000);
  assert.ok(
    notes.includes(`${here.proxy.host}: start of an upload: TOOMANYREQUESTS: slow down (429); trying again in 1.0 s`),
    notes.join('\n'),
  );
});

test('a registry that stays busy is given up, with the error that it sent', { skip }, async () => {
  here.proxy.fault = ({ method }) =>
    method === 'POST'
      ? { status: 503, body: '{"errors":[{"code":"UNAVAILABLE","message":"disk is full"}]}' }
      : undefined;
  await assert.rejects(
    (await attempt('full:1', unseen())).pushed,
    new RegExp(
      `${here.proxy.host}: start of an upload: UNAVAILABLE: disk is full \\(503\\); gave up after 4 attempts$`,
    ),
  );
});

test('a permanent refusal is not retried', { skip }, async () => {
  here.proxy.fault = ({ method }) =>
    method === 'POST'
      ? { status: 400, body: '{"errors":[{"code":"NAME_INVALID","message":"no such project"}]}' }
      : undefined;
  await assert.rejects(
    (await attempt('never:1', unseen())).pushed,
    /start of an upload: NAME_INVALID: no such project \(400\)$/,
  );
  assert.equal(sizes('POST').length, 1);
});

test('a broken upload starts again at a registry that drops the session', { skip }, async () => {
  here.proxy.failing(1, isUpload, { cutAfter: LARGE / 3 });
  const { pushed, notes } = await attempt('anew:1', unseen(LARGE));
  const { uploaded } = await pushed;
  assert.ok(
    notes.some((note) => /broke the connection/.test(note)),
    notes.join('\n'),
  );
  assert.equal(sizes('PUT').filter((size) => size > LARGE).length, 2);
  const layer = uploaded.find(({ size }) => size > LARGE);
  assert.equal(digestOf((await stored(here.registry.host, 'anew', `blobs/${layer?.digest}`)).bytes), layer?.digest);
});

/** Makes the proxy act as a registry that keeps and reports partial uploads; `breaks` times, a request breaks in the middle. */
function keepingProxy(breaks: number): void {
  let kept = Buffer.alloc(0);
  here.proxy.fault = ({ method, path, headers, body }) => {
    if (!path.includes('/uploads/') || method === 'POST') return undefined;
    const standing = { location: path, range: `0-${kept.length - 1}` };
    if (method === 'GET') return { status: 204, headers: standing };
    if (body.length > 1000) {
      if (method === 'PATCH' && headers['content-range'] !== `${kept.length}-${LARGE_BYTES - 1}`)
        return { status: 416 };
      const broken = breaks-- > 0;
      kept = Buffer.concat([kept, broken ? body.subarray(0, body.length / 3) : body]);
      return broken ? 'break' : { status: 202, headers: { ...standing, range: `0-${kept.length - 1}` } };
    }
    return method === 'PUT' && kept.length > 0 ? { replaceBody: kept } : undefined;
  };
}
const LARGE_BYTES = moduleBytes(LARGE).length;

for (const breaks of [1, 2, 3]) {
  test(`an upload resumes where the registry got to; breaks: ${breaks}`, { skip }, async () => {
    keepingProxy(breaks);
    const { uploaded } = await (await attempt(`resumed${breaks}:1`, unseen(LARGE))).pushed;
    let left = LARGE_BYTES;
    const expected = Array.from({ length: breaks }, () => (left -= Math.floor(left / 3)));
    assert.deepEqual(sizes('PATCH'), expected, 'each time only the rest');
    const layer = uploaded.find(({ size }) => size === LARGE_BYTES);
    assert.equal(
      digestOf((await stored(here.registry.host, `resumed${breaks}`, `blobs/${layer?.digest}`)).bytes),
      layer?.digest,
    );
  });
}

test('an upload whose answer got lost is not repeated', { skip }, async () => {
  here.proxy.failing(1, isUpload, 'lose the answer');
  await (
    await attempt('unanswered:1', unseen(LARGE))
  ).pushed;
  assert.equal(sizes('PUT').filter((size) => size > LARGE).length, 1);
});

test('a registry that stops half-way is a clear error, and the next push sends only the rest', { skip }, async () => {
  const module = unseen(LARGE);
  here.proxy.fault = async (seen) => {
    if (isUpload(seen)) await here.registry.stop();
    return undefined;
  };
  await assert.rejects(
    (await attempt('stopped:1', module)).pushed,
    new RegExp(`^OciError: ${here.proxy.host}: broke the connection \\(\\w+\\); gave up after 4 attempts$`),
  );
  await here.registry.start();
  assert.equal((await stored(here.registry.host, 'stopped', 'manifests/1')).status, 404);
  here.proxy.fault = () => undefined;
  const { uploaded } = await (await attempt('stopped:1', module)).pushed;
  assert.deepEqual(
    uploaded.map(({ size }) => size > LARGE),
    [true],
    'the small blob was there already',
  );
});

test('a registry that cannot be reached is named, with the reason', { skip }, async () => {
  await here.registry.stop();
  try {
    const { code, out, err } = await runCommand(push, [`oci://${here.registry.host}/x:1`, '--module', unseen()]);
    assert.deepEqual([code, out], [1, '']);
    assert.match(
      err,
      new RegExp(`${here.registry.host}: refuses the connection \\(ECONNREFUSED\\); gave up after 5 attempts\n$`),
    );
    assert.match(err, /trying again in \d\.\d s\n/, 'what takes longer than two seconds says so');
  } finally {
    await here.registry.start();
  }
});

test('a blob that changes on the way is refused by the registry, and no tag is set', { skip }, async () => {
  here.proxy.fault = (seen) => (isUpload(seen) ? { replaceBody: Buffer.from(seen.body).fill(1, 500, 501) } : undefined);
  await assert.rejects(
    (await attempt('changed:1', unseen(5000))).pushed,
    new RegExp(`^RegistryError: ${here.proxy.host}: upload of sha256:[0-9a-f]{64}: DIGEST_INVALID: .* \\(400\\)$`),
  );
  assert.equal((await stored(here.registry.host, 'changed', 'manifests/1')).status, 404);
});

test('a manifest that the registry stored differently is detected', { skip }, async () => {
  const wrong = `sha256:${'0'.repeat(64)}`;
  here.proxy.fault = ({ method, path }) =>
    method === 'PUT' && path.includes('/manifests/')
      ? { replaceHeaders: { 'docker-content-digest': wrong } }
      : undefined;
  await assert.rejects(
    (await attempt('mismatch:1', unseen())).pushed,
    new RegExp(`: manifest 1: digest mismatch: the registry stored ${wrong}, and sha256:[0-9a-f]{64} was sent$`),
  );
});

test('Ctrl-C stops at once, takes back the upload and leaves the tag alone', { skip }, async () => {
  const stop = new AbortController();
  here.proxy.fault = (seen) => {
    if (!isUpload(seen)) return undefined;
    setTimeout(() => stop.abort(), 50);
    return 'hang';
  };
  const started = Date.now();
  const { code, out, err } = await runCommand(push, [here.target('interrupted:1'), '--module', unseen(LARGE)], {
    signal: stop.signal,
  });
  assert.deepEqual([code, out, err], [1, '', 'stopped; the tag was not moved\n']);
  assert.ok(Date.now() - started < 30_000);
  assert.deepEqual(
    here.proxy.take().filter((line) => line.startsWith('DELETE')),
    ['DELETE /v2/interrupted/blobs/uploads/UUID'],
  );
});

test('credentials do not follow a redirect or an upload to another host', async () => {
  const heard: string[] = [];
  const storage = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization ?? 'without credentials'}`);
    request.resume().on('end', () => response.writeHead(request.method === 'HEAD' ? 404 : 201).end());
  });
  await withServer(storage, async (elsewhere) => {
    const registry = createServer((request, response) => {
      const { method, url = '', headers } = request;
      request.resume().on('end', () => {
        if (headers.authorization !== `Basic ${Buffer.from('me:secret').toString('base64')}`)
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        else if (url.includes('/manifests/')) response.writeHead(method === 'HEAD' ? 404 : 403).end();
        // a look-up that is redirected to the storage, and an upload that is to go there
        else if (method === 'HEAD') response.writeHead(307, { location: `http://${elsewhere}/look` }).end();
        else response.writeHead(202, { location: `http://${elsewhere}/put?signature=a%2Fb` }).end();
      });
    });
    await withServer(registry, async (host) => {
      const bundle = await bundleModule({ layout: 'artifact', module: unseen() });
      const options = {
        retry: QUICK,
        signal: new AbortController().signal,
        credentials: () => Promise.resolve(givenCredential('me', 'secret')),
      };
      await assert.rejects(pushModule(`oci://${host}/x:1`, bundle, options), /manifest 1: \(403\)/);
    });
    assert.deepEqual(
      [...new Set(heard.map((line) => line.replace(/sha256.*? /, 'DIGEST ')))],
      ['HEAD /look without credentials', 'PUT /put?signature=a%2Fb&digest=DIGEST without credentials'],
    );
  });
});

test('the challenge of a host that a request was redirected to is not answered', async () => {
  const heard: string[] = [];
  const other = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization ?? 'without credentials'}`);
    response
      .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="x"` })
      .end();
  });
  await withServer(other, async (elsewhere) => {
    const registry = createServer((request, response) => {
      if (request.url === '/v2/') response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(307, { location: `http://${elsewhere}/look` }).end();
    });
    await withServer(registry, async (host) => {
      const bundle = await bundleModule({ layout: 'artifact', module: unseen() });
      const options = {
        retry: QUICK,
        signal: new AbortController().signal,
        credentials: () => Promise.resolve(givenCredential('me', 'secret')),
      };
      await assert.rejects(pushModule(`oci://${host}/x:1`, bundle, options), /look-up of 1: \(401\)/);
    });
    assert.deepEqual([...new Set(heard)], ['HEAD /look without credentials', 'GET /look without credentials']);
  });
});

test('plain http goes to loopback by itself and elsewhere only when told to', { skip }, async () => {
  // reached through loopback, but its address does not look like loopback
  const target = `oci://[::ffff:127.0.0.1]:${here.registry.host.split(':')[1]}/plain:1`;
  const module = unseen();
  const refused = await runCommand(push, [target, '--module', module]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /does not speak TLS; if plain http is meant, say --plain-http\n$/);
  assert.equal((await runCommand(push, [target, '--module', module, '--plain-http'])).code, 0);
});

test(
  'a certificate that nobody vouches for is refused, on loopback too',
  { skip: await lacking('openssl') },
  async () => {
    const { key, certificate } = await selfSigned(folder);
    await withServer(
      createTlsServer({ key, cert: certificate }, (_request, response) => response.end()),
      async (host) => {
        const { code, err } = await runCommand(push, [`oci://${host}/x:1`, '--module', unseen()]);
        assert.equal(code, 1);
        assert.match(
          err,
          new RegExp(
            `^${host}: its certificate is not trusted \\(DEPTH_ZERO_SELF_SIGNED_CERT\\); name your authority's in \\$NODE_EXTRA_CA_CERTS\n$`,
          ),
        );
      },
    );
  },
);

test('a server that is not a registry is reported as such', async () => {
  await withServer(
    createServer((_request, response) => response.writeHead(404).end('<html>')),
    async (host) => {
      const { code, err } = await runCommand(push, [`oci://${host}/x:1`, '--module', unseen()]);
      assert.deepEqual([code, err], [1, `${host}: no registry answers there (404)\n`]);
    },
  );
});
