import assert from 'node:assert/strict';
import { createServer as createSocketServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../scripts/oci/reference.ts';
import { push } from '../../scripts/cli/push.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { behaving, ME, outcome, unseen, type Behaviour, type Heard } from '../../harness/registry/hostile.ts';
import { runCommand } from './runCommand.ts';
import { writeModule } from '../../harness/registry/wasmFixture.ts';

const folder = scratchFolder();
const bundle = await unseen((fill) => writeModule(folder, 1000, fill));
const MANIFEST_DIGEST = bundle.manifest.descriptor.digest;

/** A registry in memory that follows the protocol, except for requests that `lie` answers itself. */
function registryThat(lie: Behaviour): Behaviour {
  const blobs = new Set<string>();
  const manifests = new Map<string, string>();
  return (heard, response, request) => {
    let answered = false;
    const writeHead = response.writeHead.bind(response);
    response.writeHead = ((...args: Parameters<typeof writeHead>) => (
      (answered = true),
      writeHead(...args)
    )) as typeof response.writeHead;
    lie(heard, response, request);
    if (!answered && !response.destroyed) honest(heard, response);
  };
  function honest({ method, url, body }: Heard, response: Parameters<Behaviour>[1]): void {
    const name = decodeURIComponent(url.replace(/.*[/=]/, ''));
    if (url === '/v2/') response.writeHead(200).end();
    else if (method === 'POST') response.writeHead(202, { location: '/v2/x/blobs/uploads/1?state=s' }).end();
    else if (method === 'PUT' && url.includes('/uploads/')) response.writeHead(blobs.add(name) ? 201 : 500).end();
    else if (method === 'PUT') {
      const digest = digestOf(Buffer.from(body, 'latin1'));
      for (const key of [name, digest]) manifests.set(key, digest);
      response.writeHead(201, { 'docker-content-digest': digest }).end();
    } else if (url.includes('/blobs/')) response.writeHead(blobs.has(name) ? 200 : 404).end();
    else if (manifests.has(name)) response.writeHead(200, { 'docker-content-digest': manifests.get(name) }).end();
    else response.writeHead(404).end();
  }
}

/** A server that sends these bytes to any client that connects and sends something, then does as told. */
async function saying<T>(
  say: (socket: Socket) => void,
  use: (host: string, connections: () => number) => Promise<T>,
): Promise<T> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    // the first bytes are a TLS hello or a request
    socket.once('data', (bytes: Buffer) => (bytes[0] === 0x16 ? socket.destroy() : say(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`127.0.0.1:${(server.address() as AddressInfo).port}`, () => connections);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('the registry of these tests is one', async () => {
  await behaving(
    registryThat(() => undefined),
    async (host) => assert.equal((await outcome(`oci://${host}/x:1`, bundle, null)).error, ''),
  );
});

for (const status of [405, 501]) {
  test(`a registry that answers HEAD with ${status} is asked with GET, and only once with HEAD`, async () => {
    await behaving(
      registryThat(({ method }, response) => void (method === 'HEAD' && response.writeHead(status).end())),
      async (host, heard) => {
        assert.equal((await outcome(`oci://${host}/x:1`, bundle, null)).error, '');
        assert.equal(heard.filter(({ method }) => method === 'HEAD').length, 1);
        heard.splice(0);
        assert.equal((await outcome(`oci://${host}/x:1`, bundle, null)).error, '');
        assert.deepEqual(
          heard.filter(({ method }) => !['GET', 'HEAD'].includes(method)),
          [],
          'nothing is sent again',
        );
      },
    );
  });
}

test('a blob that is asked for with GET is not read to its end', async () => {
  let sent = 0;
  await behaving(
    registryThat(({ method, url }, response) => {
      if (method === 'HEAD') response.writeHead(405).end();
      else if (method === 'GET' && url.includes('/blobs/sha256')) {
        response.writeHead(200);
        const chunk = Buffer.alloc(65_536);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      }
    }),
    async (host) => assert.equal((await outcome(`oci://${host}/x:1`, bundle, null)).error, ''),
  );
  assert.ok(sent < 50_000_000, `${sent} bytes`);
});

test('an upload that ends with 204 counts when the blob is there', async () => {
  const seen = new Set<string>();
  await behaving(
    registryThat(({ method, url }, response) => {
      const name = decodeURIComponent(url.replace(/.*[/=]/, ''));
      if (method === 'PUT' && url.includes('/uploads/')) {
        seen.add(name);
        response.writeHead(204).end();
      } else if (method === 'HEAD' && seen.has(name)) response.writeHead(200).end();
    }),
    async (host) => assert.equal((await outcome(`oci://${host}/x:1`, bundle, null)).error, ''),
  );
});

test('an upload that ends with 204 and stored nothing is an error that says so', async () => {
  await behaving(
    registryThat(({ method }, response) => void (method === 'PUT' && response.writeHead(204).end())),
    async (host) => {
      assert.match(
        (await outcome(`oci://${host}/x:1`, bundle, null)).error,
        /upload of sha256:[0-9a-f]{64}: answered 204, and the blob is not there$/,
      );
    },
  );
});

test('a status outside the protocol is named, with what was expected', async () => {
  await behaving(
    registryThat(({ method }, response) => void (method === 'POST' && response.writeHead(204).end())),
    async (host) => {
      assert.equal(
        (await outcome(`oci://${host}/x:1`, bundle, null)).error,
        `${host}: start of an upload: answered 204 No Content, where the protocol has 202`,
      );
    },
  );
  await behaving(
    registryThat(({ method }, response) => void (method === 'HEAD' && response.writeHead(304).end())),
    async (host) => {
      assert.equal(
        (await outcome(`oci://${host}/x:1`, bundle, null)).error,
        `${host}: look-up of 1: answered 304 Not Modified, where the protocol has 200`,
      );
    },
  );
});

test('a registry that always answers 401 is asked a few times, then the push fails', async () => {
  for (const challenge of ['Basic realm="x"', 'Bearer realm="http://HOST/token"']) {
    await behaving(
      ({ url }, response, request) => {
        if (url.startsWith('/token')) response.writeHead(200).end('{"token":"t"}');
        else
          response.writeHead(401, { 'www-authenticate': challenge.replace('HOST', request.headers.host ?? '') }).end();
      },
      async (host, heard) => {
        const { error } = await outcome(`oci://${host}/x:1`, bundle, ME);
        assert.match(error, /\(401\); the credentials from --username and --password-stdin were not accepted$/);
        assert.ok(heard.length <= 8, `${heard.length} requests`);
      },
    );
  }
});

test('a token service that always answers 401 fails the push', async () => {
  await behaving(
    (_heard, response, request) =>
      void response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end(),
    async (host, heard) => {
      assert.match(
        (await outcome(`oci://${host}/x:1`, bundle, ME)).error,
        /token service 127\.0\.0\.1:\d+: \(401\); the credentials/,
      );
      assert.equal(heard.length, 2);
    },
  );
});

const strange: [string, string][] = [
  ['null', 'null'],
  ['a number', '7'],
  ['errors that are none', '{"errors":[null,7,"x",{"code":{},"message":[]}]}'],
  ['errors that are no list', '{"errors":{"length":3}}'],
  ['deep nesting', '['.repeat(8000)],
  ['another prototype', '{"__proto__":{"errors":[]},"constructor":1}'],
];
for (const [name, body] of strange) {
  test(`${name} as an answer does not crash the tool`, async () => {
    for (const status of [400, 403]) {
      await behaving(
        registryThat(({ method }, response) => void (method === 'POST' && response.writeHead(status).end(body))),
        async (host) => {
          assert.match((await outcome(`oci://${host}/x:1`, bundle, null)).error, /start of an upload: .*\(40[03]\)/);
        },
      );
    }
    await behaving(
      ({ url }, response, request) => {
        if (url.startsWith('/token')) response.writeHead(200).end(body);
        else
          response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
      },
      async (host) =>
        assert.match((await outcome(`oci://${host}/x:1`, bundle, null)).error, /gave an answer without a token$/),
    );
  });
}

test('a token with a line break in it goes into no header', async () => {
  for (const token of ['a\r\nX-Evil: 1', 'ä', '', 'x'.repeat(100_000)]) {
    await behaving(
      ({ url }, response, request) => {
        if (url.startsWith('/token')) response.writeHead(200).end(JSON.stringify({ token }));
        else
          response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
      },
      async (host, heard) => {
        assert.match((await outcome(`oci://${host}/x:1`, bundle, null)).error, /gave an answer without a token$/);
        assert.ok(heard.every(({ authorization }) => authorization === undefined));
      },
    );
  }
});

const lists: [string, string][] = [
  [
    'entries that are none',
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[null]}',
  ],
  [
    'entries without digest',
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}',
  ],
  ['no list', '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":{"some":1}}'],
];
for (const [name, body] of lists) {
  test(`a list of referrers with ${name} is refused`, async () => {
    await behaving(
      registryThat(
        ({ method, url }, response) =>
          void (method === 'GET' && /referrers|manifests\/sha256-/.test(url) && response.writeHead(200).end(body)),
      ),
      async (host) => {
        const { error } = await outcome(
          `oci://${host}/x:1`,
          { ...bundle, referrers: [await unseen((fill) => writeModule(folder, 10, fill))] },
          null,
        );
        assert.match(error, /the tag sha256-[0-9a-f]{64} is taken by something that is not a list of referrers$/);
      },
    );
  });
}

/** Bodies that never end, and small ones that would unpack to something large. */
const bombs: [string, Record<string, string>, Buffer, RegExp][] = [
  [
    'a gzip bomb',
    { 'content-encoding': 'gzip' },
    gzipSync(Buffer.alloc(200_000_000)),
    /sends a compressed answer that nobody asked for$/,
  ],
  [
    'a body without end',
    {},
    Buffer.alloc(20_000_000, 0x20),
    /sends more than the \d+ bytes that such an answer may have$/,
  ],
];
for (const [name, headers, body, words] of bombs) {
  test(`${name} takes no memory`, async () => {
    // no digest in the header: the content is asked for
    await behaving(
      registryThat(({ method, url }, response) => {
        if (url.includes('/manifests/')) response.writeHead(200, headers).end(method === 'GET' ? body : undefined);
      }),
      async (host) => {
        const before = process.memoryUsage().rss;
        assert.match((await outcome(`oci://${host}/x:1`, bundle, null)).error, words);
        assert.ok(process.memoryUsage().rss - before < 150_000_000);
      },
    );
    await behaving(
      ({ url }, response, request) => {
        if (url.startsWith('/token')) response.writeHead(200, headers).end(body);
        else
          response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
      },
      async (host) => assert.match((await outcome(`oci://${host}/x:1`, bundle, null)).error, words),
    );
  });
}

test('a registry that stores something other than it was sent is detected, whatever its header says', async () => {
  for (const digest of [`sha256:${'0'.repeat(64)}`, 'sha512:abc', '\x9b31m', '']) {
    await behaving(
      registryThat(({ method, url }, response) => {
        if (method === 'PUT' && url.includes('/manifests/'))
          response.writeHead(201, { 'docker-content-digest': digest }).end();
        else if (method === 'GET' && url.endsWith('/manifests/1')) response.writeHead(200).end('{}');
      }),
      async (host) => {
        const { error } = await outcome(`oci://${host}/x:1`, bundle, null);
        assert.match(
          error,
          new RegExp(
            `: manifest 1: digest mismatch: the registry stored sha256:[0-9a-f]{64}, and ${MANIFEST_DIGEST} was sent$`,
          ),
        );
      },
    );
  }
});

test('a redirect loop ends', async () => {
  await behaving(
    (_heard, response) => void response.writeHead(307, { location: '/v2/' }).end(),
    async (host, heard) => {
      assert.match(
        (await outcome(`oci://${host}/x:1`, bundle, null)).error,
        /redirects in a way that cannot be followed \(307\)$/,
      );
      assert.equal(heard.length, 6);
    },
  );
});

test('an upload address keeps its query, and its fragment does not swallow the digest', async () => {
  const puts: string[] = [];
  await behaving(
    registryThat(({ method, url }, response) => {
      if (method === 'POST') response.writeHead(202, { location: '/v2/x/blobs/uploads/1?sig=a%2Fb#fragment' }).end();
      if (method === 'PUT' && url.includes('/uploads/')) puts.push(url);
    }),
    async (host) => {
      assert.equal((await outcome(`oci://${host}/x:1`, bundle, null)).error, '');
      for (const url of puts) assert.match(url, /^\/v2\/x\/blobs\/uploads\/1\?sig=a%2Fb&digest=sha256%3A[0-9a-f]{64}$/);
    },
  );
});

for (const location of [
  '//',
  'http://',
  'ftp://127.0.0.1/',
  'javascript:1',
  'https://[::1',
  'http://127.0.0.1:99999/',
  'data:,x',
  'file:///etc/passwd',
]) {
  test(`an upload address of ${location} is refused at once`, async () => {
    await behaving(
      registryThat(({ method }, response) => void (method === 'POST' && response.writeHead(202, { location }).end())),
      async (host) => {
        const { error, notes } = await outcome(`oci://${host}/x:1`, bundle, null);
        assert.match(error, /sends a location that is not an address$|; that is refused$/);
        assert.deepEqual(
          notes.filter((note) => note.includes('trying again')),
          [],
        );
      },
    );
  });
}

/** What servers send that are not registries or that answer nonsense, and how many connections the tool makes to them. */
const noise: [string, (socket: Socket) => void, RegExp, 'once' | 'again'][] = [
  [
    'another protocol',
    (socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
    /does not speak HTTP \(HPE_\w+\)$/,
    'once',
  ],
  [
    'more headers than any',
    (socket) => void socket.end(`HTTP/1.1 200 OK\r\n${`X-Filler: ${'x'.repeat(1000)}\r\n`.repeat(100)}\r\n`),
    /sends more headers than any registry does$/,
    'once',
  ],
  [
    'one header without end',
    (socket) => void socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(10_000_000)}`),
    /sends more headers than any registry does$/,
    'once',
  ],
  [
    'a header with a lone line feed',
    (socket) => void socket.end('HTTP/1.1 200 OK\r\nLocation: a\n b\r\nX:\0\r\n\r\n'),
    /does not speak HTTP|broke the connection/,
    'once',
  ],
  [
    'half a head',
    (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-'),
    /broke the connection \(\w+\); gave up after 4 attempts$/,
    'again',
  ],
  ['nothing', (socket) => void socket.end(), /broke the connection \(ECONNRESET\); gave up after 4 attempts$/, 'again'],
];
for (const [name, say, words, times] of noise) {
  test(`${name} is a clear error`, async () => {
    await saying(say, async (host, connections) => {
      const { error } = await outcome(`oci://${host}/x:1`, bundle, null);
      assert.match(error, words);
      // the first connection spoke TLS
      assert.equal(connections(), times === 'once' ? 2 : 5);
    });
  });
}

test('an error response that is cut off is still an error', async () => {
  await saying(
    (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{"errors":[{"co'),
    async (host) => {
      assert.equal(
        (await outcome(`oci://${host}/x:1`, bundle, null)).error,
        `${host}: no registry answers there (400)`,
      );
    },
  );
});

test('a slow body that nobody reads does not delay the push', async () => {
  await saying(
    (socket) => {
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\n');
      const drip = setInterval(() => socket.write('.'), 100);
      socket.on('close', () => clearInterval(drip));
    },
    async (host) => {
      const { error, seconds } = await outcome(`oci://${host}/x:1`, bundle, null);
      assert.equal(error, `${host}: no registry answers there (404)`);
      assert.ok(seconds < 30, `${seconds} s`);
    },
  );
});

test('Ctrl-C ends it while a registry says nothing, or says little', async () => {
  const says: ((socket: Socket) => void)[] = [
    () => undefined,
    (socket) => void socket.write('HTTP/1.1 200 OK\r\n'),
    (socket) => void socket.write('HTTP/1.1 401 X\r\nContent-Length: 9\r\n\r\n'),
  ];
  for (const say of says) {
    await saying(say, async (host) => {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 200);
      const started = Date.now();
      const { error } = await outcome(`oci://${host}/x:1`, bundle, null, { signal: stop.signal });
      assert.equal(error, 'stopped; the tag was not moved');
      assert.ok(Date.now() - started < 30_000);
    });
  }
});

test('an invalid port is wrong usage, at once', async () => {
  for (const port of ['0', '65536', '99999']) {
    const { code, err } = await runCommand(push, [`oci://127.0.0.1:${port}/x:1`]);
    assert.deepEqual([code, err], [2, `"127.0.0.1:${port}" is not a host; found "oci://127.0.0.1:${port}/x:1"\n`]);
  }
  for (const host of ['https://x', 'a/b', 'a:0', '', 'me@x', '1.2.3.4.5.6.999999']) {
    assert.match(
      (await runCommand(push, ['oci://r.example/x', '--allow-host', host])).err,
      /^--allow-host is a host such as auth\.example\.com; found /,
      host,
    );
  }
});

test('a port that browsers block is an ordinary port', async () => {
  // fetch refuses 6000 as "bad port"; here nobody listens on it, and the tool must say so
  const { error } = await outcome('oci://127.0.0.1:6000/x:1', bundle, null);
  assert.match(error, /refuses the connection|broke the connection|does not speak/);
});
