import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import type { Random } from '../../harness/random.ts';
import type { Io } from '../../scripts/cli/command.ts';
import { main } from '../../scripts/cli/tollgate.ts';
import { hold, type Attack, type Context } from '../form.ts';

const KEY = 'told-secret-key';
const POLICY = `policy: told
keySources: [{ header: x-api-key }, { query: api_key }, { cookie: api_key }]
upstreams: { v1: { url: 'http://127.0.0.1:9001' } }
apis:
  pets:
    hosts: [api.example.com, '*.pets.test']
    paths: [/v1]
    plans: [free]
    upstream: v1
    cors: { origins: ['https://app.test'], methods: [PUT] }
    operations:
      GET /pets: { name: listPets }
      PUT,DELETE /pets/{id}: { scopes: [write], cost: 3 }
      GET /files/{path...}: { anonymous: allow }
      GET /moved/{x}: { redirect: { to: /v1/files } }
      GET /fake: { mock: { body: fake } }
    routes: [{ name: next, when: { path: /v1/files, headers: { x-stage: { prefix: a } } }, upstream: v1, rewritePrefix: /n }]
plans: { free: { quotas: { minute: { limit: 100, window: minute } } } }
consumers: { acme: { plan: free, keys: [{ id: a1, digest: '${digestOf(KEY)}' }] } }
`;

const TEXTS = [
  ...[
    '',
    ' ',
    '-',
    '\0',
    '\x1b[31m',
    '\x1b]0;x\x07',
    '\u009b2J',
    '\u202e',
    'é',
    '\ud800',
    '%',
    '%zz',
    '%1b',
    '"',
    '\\',
    '\r',
    '\n',
  ],
  ...[
    '{',
    '}',
    '[',
    ';',
    '#',
    '..',
    '//',
    '/../',
    '*',
    ',',
    ':',
    '@',
    '=',
    '&',
    '__proto__',
    'constructor',
    '\u2028',
    '\ufeff',
  ],
  ...[
    'https://',
    'GET ',
    '/v1/pets',
    '/v1/files/',
    '?api_key=',
    'api.example.com',
    'x'.repeat(5000),
    'wasm.tollgate',
    '\t',
  ],
];
const TIMES = [
  '2026-01-15T12:00:00Z',
  '1970-01-01T00:00:00Z',
  '2199-12-31T23:59:59Z',
  '9999-01-01T00:00:00Z',
  'now',
  '',
];
const STREAMED_BYTES = 24 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const MOST_PRINTED = 4 * 1024 * 1024;
const MOST_GROWN_BYTES = 600 * 1024 * 1024;

/** What a user pastes into `tollgate explain`, and what clients have written into an access log that it reads. */
export const stories: Attack = {
  name: 'stories',
  tries:
    'explain of hostile requests, headers, times and log lines: no crash, no key and no escape on the terminal, bounded memory',
  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-attack-'));
    context.cleanUp(() => rm(folder, { recursive: true, force: true }));
    const policy = join(folder, 'told.policy.yaml');
    await writeFile(policy, POLICY);
    const before = process.memoryUsage.rss();
    do {
      await askOnce(context, policy);
      await replayOnce(context, policy, context.random.chance(0.1) ? STREAMED_BYTES : CHUNK_BYTES);
      const grown = process.memoryUsage.rss() - before;
      hold(grown < MOST_GROWN_BYTES, `${Math.round(grown / 1e6)} MB more memory`);
    } while (context.isTimeLeft());
  },
};

async function askOnce({ random, count }: Context, policy: string): Promise<void> {
  const method = random.pick(['GET ', 'PUT ', 'OPTIONS ', '', random.pick(TEXTS)]);
  const url = random.chance(0.8)
    ? `https://${random.pick(['api.example.com', 'a.pets.test', 'x'])}`
    : random.pick(TEXTS);
  const path = random.pick(['/v1/pets', '/v1/files/', '/v1/moved/', '/v1/fake', '/']) + hostile(random, 4);
  const query = random.chance(0.3) ? `?a=${hostile(random, 2)}&api_key=${KEY}` : '';
  const headers = Array.from({ length: random.below(5) }, () =>
    random.pick([
      `x-api-key: ${KEY}`,
      `cookie: api_key=${KEY}`,
      `origin: ${hostile(random, 2)}`,
      `x-stage: ${hostile(random, 3)}`,
      hostile(random, 3),
      `access-control-request-method: ${hostile(random, 1)}`,
    ]),
  );
  const args = [
    'explain',
    policy,
    '--request',
    `${method}${url}${path}${query}`,
    ...headers.flatMap((one) => ['--header', one]),
  ];
  if (random.chance(0.3)) args.push('--at', random.pick(TIMES));
  if (random.chance(0.5)) args.push('--json');
  await judge(args, null);
  count('requests');
}

async function replayOnce({ random, count }: Context, policy: string, bytes: number): Promise<void> {
  let lines = 0;
  const log = Readable.from(
    (function* () {
      for (let written = 0; written < bytes;) {
        const chunk = Array.from({ length: 20 }, () => logLine(random)).join('\n');
        lines += 20;
        written += chunk.length;
        yield Buffer.from(`${chunk}\n`, random.chance(0.5) ? 'utf8' : 'latin1');
      }
    })(),
  );
  const args = ['explain', policy, '--from', '-', ...(random.chance(0.5) ? ['--json'] : [])];
  await judge(args, log);
  count('lines', lines);
}

function logLine(random: Random): string {
  if (random.chance(0.05)) return random.bytes(400);
  const path = `/v1/pets${hostile(random, 4)}?api_key=${KEY}`;
  const time = random.chance(0.9)
    ? new Date(Date.UTC(2026, 0, 15) + random.below(1e8)).toISOString()
    : random.pick(TIMES);
  if (random.chance(0.4))
    return `[${time}] "${random.pick(['GET', hostile(random, 1)])} ${path} HTTP/1.1" 200 - via_upstream - "-" 0 1 2 3 "${hostile(random, 1)}" "${hostile(random, 3)}" "id" "${random.pick(['api.example.com', hostile(random, 2)])}" "1.2.3.4:80"`;
  const names = ['method', 'host', 'consumer', 'keyId', 'reason', 'api', 'route', 'details', 'tollgate', 'mode'];
  const member = random.pick(names);
  return JSON.stringify({
    time,
    method: 'GET',
    path,
    host: 'api.example.com',
    consumer: 'acme',
    [member]: random.pick([hostile(random, 3), null, 1, [], {}]),
  });
}

function hostile(random: Random, most: number): string {
  return Array.from({ length: random.below(most + 1) }, () => random.pick(TEXTS)).join('');
}

/** Whatever is given, it ends in an answer or an error that a user can read. */
async function judge(args: readonly string[], log: Readable | null): Promise<void> {
  let printed = '';
  const print = (text: string): void => void (printed += text);
  const io: Io = {
    out: print,
    err: print,
    deliver: (text) => Promise.resolve(print(text)),
    stdin: () => Promise.resolve(Buffer.alloc(0)),
    stdinChunks: () => log ?? Readable.from([]),
    isTerminal: false,
    signal: new AbortController().signal,
  };
  const code = await main([...args], io);
  const asked = JSON.stringify(args.slice(2)).slice(0, 2000);
  hold([0, 1, 2].includes(code), `exit code ${code}: ${asked}`);
  hold(!/internal error|\n {4}at /.test(printed), `${printed.slice(0, 2000)}: ${asked}`);
  hold(!printed.includes(KEY), `the key is printed: ${asked}`);
  hold(!/[^\P{C}\n]|[\p{Zl}\p{Zp}]/u.test(printed), `what is printed may steer a terminal: ${asked}`);
  hold(printed.length < MOST_PRINTED, `${printed.length} characters are printed: ${asked}`);
}
