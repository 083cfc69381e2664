import type { ServerResponse } from 'node:http';
import { pushModule, type PushOptions } from '../../scripts/oci/index.ts';
import type { Credential } from '../../scripts/oci/credentials.ts';
import { bundleOf } from '../../scripts/oci/image.ts';
import { OciError } from '../../scripts/oci/error.ts';
import type { Random } from '../../harness/random.ts';
import { behaving, BASIC, IDENTITY, ME, names, PASSWORD, type Heard } from '../../harness/registry/hostile.ts';
import { moduleBytes } from '../../harness/registry/wasmFixture.ts';
import { hold, type Attack, type Context } from '../form.ts';

/** No waits: what is tried is what comes next, not when. */
const RETRY = { attempts: 3, firstWaitMs: 1, longestWaitMs: 2, longestRetryAfterMs: 10 };
const MOST_REQUESTS = 200;
const MOST_MS = 20_000;
const GROWTH_BYTES = 300_000_000;
/** Long enough to know it from chance; each in the forms in which it travels. */
const SECRETS = [
  PASSWORD,
  BASIC.slice(6),
  IDENTITY.kind === 'identityToken' ? IDENTITY.token : '',
  encodeURIComponent(PASSWORD),
  new URLSearchParams({ p: PASSWORD }).toString().slice(2),
];

/** How they begin: what is cut off is still half of it. */
const PIECES = ['hunter2', BASIC.slice(6, 18), 'refresh-token'];

/** A registry that answers each request of a push with some lie: no secret may leave it, no push may hang, fail to end or break the tool. */
export const registry: Attack = {
  name: 'registry',
  tries: 'a registry that lies to push: redirects, challenges, locations, digests, endless and broken answers',
  async run(context) {
    const before = process.memoryUsage().rss;
    while (context.isTimeLeft()) {
      await attackOne(context);
      hold(process.memoryUsage().rss - before < GROWTH_BYTES, 'the memory of the tool grows without end');
    }
  },
};

async function attackOne(context: Context): Promise<void> {
  const { random } = context;
  const state = { port: '', thief: '' };
  await behaving(
    (_heard, response) => lie(random, state, response, 'thief'),
    async (thief, stolen) => {
      state.thief = thief.split(':')[1] ?? '';
      await behaving(
        (heard, response) => answer(random, state, heard, response),
        async (host, heard) => {
          state.port = host.split(':')[1] ?? '';
          const credential = random.pick<Credential | null>([ME, ME, IDENTITY, IDENTITY, null]);
          const started = Date.now();
          const said = await push(random, state.port, credential);
          context.count('pushes');
          context.count('lies', heard.length + stolen.length);
          for (const piece of PIECES) hold(!said.includes(piece), `a piece of a secret is shown: ${said}`);
          for (const secret of SECRETS) {
            hold(!said.includes(secret), `a secret is shown: ${said.replaceAll(secret, '[SECRET]')}`);
            hold(
              !JSON.stringify(stolen).includes(JSON.stringify(secret).slice(1, -1)),
              `a secret went to another host: ${JSON.stringify(stolen).slice(0, 500)}`,
            );
          }
          hold(
            stolen.every(({ authorization }) => authorization === undefined),
            `an authorization went to another host: ${JSON.stringify(stolen).slice(0, 500)}`,
          );
          hold(heard.length + stolen.length <= MOST_REQUESTS, `${heard.length + stolen.length} requests in one push`);
          hold(Date.now() - started < MOST_MS, `a push took ${Date.now() - started} ms`);
        },
      );
    },
  );
}

/** Everything that a push printed; an error that is no refusal is a fault of the tool. */
async function push(random: Random, port: string, credential: Credential | null): Promise<string> {
  const printed: string[] = [];
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), 500);
  const bundle = bundleOf(
    'artifact',
    { bytes: moduleBytes(random.below(100_000), random.below(255)), abiVersion: '0.2.1' },
    {},
  );
  const options: PushOptions = {
    plainHttp: true,
    retry: RETRY,
    signal: stop.signal,
    note: (text) => void printed.push(text),
    credentials: () => Promise.resolve(credential),
    resolve: names({
      'registry.example.com': '127.0.0.1',
      'thief.example.net': '127.0.0.1',
      'metadata.example.com': '169.254.169.254',
    }),
  };
  try {
    printed.push((await pushModule(`oci://registry.example.com:${port}/team/x:1`, bundle, options)).reference);
  } catch (error) {
    hold(
      error instanceof OciError,
      `not a refusal: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    printed.push(error.message);
  } finally {
    clearTimeout(patience);
  }
  return printed.join('\n');
}

interface Places {
  readonly port: string;
  readonly thief: string;
}

/** Mostly what the protocol says, so that pushes get far; otherwise a lie. */
function answer(random: Random, places: Places, { method, url, authorization }: Heard, response: ServerResponse): void {
  if (random.chance(0.25)) lie(random, places, response, authorization);
  else if (authorization === undefined && random.chance(0.5))
    response.writeHead(401, { 'www-authenticate': challenge(random, places) }).end();
  else if (url.startsWith('/token') && random.chance(0.3))
    response
      .writeHead(random.pick([307, 308]), {
        location: random.chance(0.5) ? `http://thief.example.net:${places.thief}/token` : address(random, places),
      })
      .end();
  else if (url.startsWith('/token')) response.writeHead(200).end('{"token":"a-token"}');
  else if (method === 'POST')
    response
      .writeHead(202, { location: random.chance(0.5) ? '/v2/team/x/blobs/uploads/1' : address(random, places) })
      .end();
  else if (method === 'PUT' || method === 'PATCH') response.writeHead(method === 'PUT' ? 201 : 202).end();
  else response.writeHead(url === '/v2/' ? 200 : 404).end();
}

const STATUSES = [
  100, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 416, 429, 500, 501, 503,
  599,
];

function lie(random: Random, places: Places, response: ServerResponse, echo: string | undefined): void {
  const kind = random.below(20);
  if (kind === 0) return void response.socket?.destroy();
  if (kind === 1) return void response.socket?.end('SSH-2.0-x\r\n');
  if (kind === 2)
    return void response.writeHead(200, { 'content-length': '1000' }).write('cut', () => response.socket?.destroy());
  // never answered: what ends it is the patience of the user
  if (kind === 3 && random.chance(0.1)) return;
  const headers: Record<string, string> = {};
  const maybe = (name: string, value: () => string): void => void (random.chance(0.6) && (headers[name] = value()));
  maybe('location', () => address(random, places));
  maybe('www-authenticate', () => challenge(random, places));
  maybe('docker-content-digest', () =>
    random.pick(['', 'sha256:0', `sha256:${'0'.repeat(64)}`, `sha512:${'0'.repeat(128)}`, '\x9b31m', 'x'.repeat(5000)]),
  );
  maybe('range', () =>
    random.pick(['0-0', '0-99', 'bytes=0-5', '0-99999999999999', '9-1', '-', `0-${'9'.repeat(300)}`]),
  );
  maybe('retry-after', () => random.pick(['0', '-1', '1e9', 'Thu, 01 Jan 1970 00:00:00 GMT', '999999999', 'soon']));
  if (random.chance(0.1)) headers['content-encoding'] = random.pick(['gzip', 'br', 'identity', 'x']);
  if (random.chance(0.05)) headers['x-filler'] = 'x'.repeat(random.below(30_000));
  response.writeHead(random.pick(STATUSES.slice(1)), headers).end(body(random, echo));
}

function address(random: Random, { port, thief }: Places): string {
  return random.pick([
    '/v2/',
    '/token',
    '?x#y',
    '//',
    `http://registry.example.com:${port}/other`,
    `http://thief.example.net:${thief}/token`,
    `http://thief.example.net:${thief}/put?signature=a%2Fb#c`,
    `http://root:toor@thief.example.net:${thief}/`,
    `http://127.0.0.1:${thief}/`,
    `http://registry.example.com@thief.example.net:${thief}/`,
    'http://169.254.169.254/latest',
    'http://metadata.example.com/',
    'http://[::ffff:169.254.169.254]/',
    'http://0.0.0.0:1/',
    'http://nowhere.example.org/',
    'ftp://x/',
    'javascript:1',
    'data:,x',
    `http://registry.example.com:${port}.thief.example.net/`,
    '\t',
    'x'.repeat(random.below(10_000)),
  ]);
}

function challenge(random: Random, places: Places): string {
  const realm = address(random, places).replaceAll('"', '');
  if (random.chance(0.5)) return `Bearer realm="http://registry.example.com:${places.port}/token"`;
  return random.pick([
    'Basic realm="x"',
    `Bearer realm="${realm}",service="s",scope="y"`,
    `Bearer realm="${realm}", Basic realm="x"`,
    'Negotiate',
    '',
    'Bearer',
    `Bearer realm="${realm}`,
    ', ,=',
    'Basic '.repeat(random.below(1000)),
  ]);
}

/** `echo` is what the server was sent to prove who asks: it may well repeat it, as it came or as it reads it, and where a message is cut. */
function body(random: Random, echo: string | undefined): string {
  const known = random.pick([echo ?? '', Buffer.from(echo?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8')]);
  const cut = `${'.'.repeat(270 + random.below(30))}${known}`;
  if (echo !== undefined && random.chance(0.3)) return cut;
  return random.pick([
    '',
    'null',
    '{}',
    '[]',
    '{"token":"t"}',
    '{"token":"a\\r\\nb"}',
    '{"access_token":7}',
    '{"errors":[null,{"code":1}]}',
    '{"errors":"x"}',
    '{"manifests":[null]}',
    '<html>',
    random.bytes(200),
    '['.repeat(5000),
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[null]}',
    JSON.stringify({ errors: [{ code: 'NO', message: cut }] }),
    cut,
    known,
    'x'.repeat(random.below(6_000_000)),
  ]);
}
