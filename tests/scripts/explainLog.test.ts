import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { waitFor } from '../../harness/mesh/wait.ts';
import { Random } from '../../harness/random.ts';
import { readEntry } from '../../scripts/explain/log/entry.ts';
import { linesOf } from '../../scripts/explain/log/lines.ts';
import type { Replayed } from '../../scripts/explain/log/replay.ts';
import { tollgate, type Run } from './fakeIo.ts';

const START = Date.UTC(2026, 0, 15, 12);

function digest(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

const POLICY = `
policy: shop
keySources: [{ header: x-api-key }, { query: api_key }]
upstreams: { v1: { url: 'http://127.0.0.1:9001' } }
apis:
  pets:
    hosts: ['*.example.com']
    paths: [/v1]
    plans: [free, gold]
    upstream: v1
    routes: [{ name: next, when: { path: /v1/next }, upstream: v1, rewritePrefix: /internal }]
  open: { hosts: [open.test], paths: [/], anonymous: allow, plans: [], upstream: v1 }
plans:
  free: { quotas: { minute: { limit: 3, window: minute } } }
  gold: {}
consumers:
  acme:
    plan: free
    keys:
      - { id: a1, digest: '${digest('acme-secret-key')}' }
      - { id: a2, digest: '${digest('old-secret-key')}', until: 2026-01-15T12:00:30Z }
  rich: { plan: gold, keys: [{ id: a1, digest: '${digest('rich-secret-key')}' }] }
`;

let folder = '';
let policy = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-explain-log-'));
  policy = join(folder, 'shop.policy.yaml');
  await writeFile(policy, POLICY);
});
after(() => rm(folder, { recursive: true, force: true }));

function replay(log: string | Buffer | readonly Buffer[], ...more: string[]): Promise<Run> {
  return tollgate(['explain', policy, '--from', '-', ...more], { stdin: log });
}

async function replayed(log: string | Buffer | readonly Buffer[], ...more: string[]): Promise<Replayed> {
  const { code, out, err } = await replay(log, '--json', ...more);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  return JSON.parse(out) as Replayed;
}

/** A line as `tollgate run --json` writes it. */
function line(atMs: number, fields: Record<string, unknown> = {}): string {
  return `${JSON.stringify({
    time: new Date(START + atMs).toISOString(),
    method: 'GET',
    path: '/v1/pets',
    status: 200,
    details: 'via_upstream',
    tollgate: 'reason=allowed api=pets',
    reason: 'allowed',
    api: 'pets',
    consumer: 'acme',
    keyId: 'a1',
    host: 'api.example.com',
    ...fields,
  })}\n`;
}

/** `consumer api reason quota: requests, of them newly refused`. */
function rowsOf({ rows }: Replayed): string[] {
  return rows.map(
    ({ consumer, api, reason, quota, requests, newlyRefused, newlyAllowed }) =>
      `${consumer} ${api} ${reason} ${quota}: ${requests} ${newlyRefused} ${newlyAllowed}`,
  );
}

describe('a log of tollgate run', () => {
  it('is decided at the times of its lines, with counters of its own', async () => {
    const log = [0, 1, 2, 3, 4, 59_999, 60_000, 60_001].map((at) => line(at)).join('');
    const result = await replayed(log);
    assert.deepEqual(rowsOf(result), ['acme pets allowed null: 5 0 0', 'acme pets quota_exceeded minute: 3 3 0']);
    assert.deepEqual(
      [result.requests, result.allowed, result.refused, result.newlyRefused, result.from, result.until],
      [8, 5, 3, 3, '2026-01-15T12:00:00.000Z', '2026-01-15T12:01:00.001Z'],
    );
    assert.deepEqual(result.rows[1]!.first, {
      line: 4,
      at: '2026-01-15T12:00:00.003Z',
      method: 'GET',
      host: 'api.example.com',
      path: '/v1/pets',
    });
  });

  it('counts requests in the order in which they came, not in which they ended', async () => {
    const log = [60_000, 1, 61_000, 0, 2, 3].map((at) => line(at)).join('');
    const result = await replayed(log);
    assert.equal(result.unknown.late, 0);
    assert.deepEqual(result.rows[1]!.first.line, 6);
    assert.deepEqual(rowsOf(result), ['acme pets allowed null: 5 0 0', 'acme pets quota_exceeded minute: 1 1 0']);
  });

  it('gives each key its own dates, though nobody knows the key', async () => {
    const log = line(0, { keyId: 'a2' }) + line(30_000, { keyId: 'a2' }) + line(30_000) + line(30_000, { keyId: null });
    assert.deepEqual(rowsOf(await replayed(log)), [
      'acme pets allowed null: 3 0 0',
      'acme pets expired_api_key null: 1 1 0',
    ]);
  });

  it('tells who is gone from the policy, and what was refused then for its key', async () => {
    const refused = (reason: string): string =>
      line(0, { reason, details: `tollgate_${reason}`, consumer: null, keyId: null });
    const log =
      line(0, { consumer: 'gone' }) +
      line(0, { keyId: 'a9' }) +
      ['missing_api_key', 'unknown_api_key', 'malformed_api_key', 'ambiguous_api_key'].map(refused).join('') +
      line(0, { reason: 'quota_exceeded', details: 'tollgate_quota_exceeded' }) +
      line(0, { reason: 'anonymous', api: 'open', consumer: null, keyId: null, host: 'open.test' });
    const result = await replayed(log);
    assert.deepEqual(rowsOf(result).sort(), [
      'acme pets allowed null: 1 0 1',
      'acme pets unknown_api_key null: 1 1 0',
      'gone pets unknown_api_key null: 1 1 0',
      'null open anonymous null: 1 0 0',
      'null pets ambiguous_api_key null: 1 0 0',
      'null pets malformed_api_key null: 1 0 0',
      'null pets missing_api_key null: 1 0 0',
      'null pets unknown_api_key null: 1 0 0',
    ]);
    assert.deepEqual(result.unknown, { callers: 0, gone: 2, hosts: 0, addresses: 0, late: 0 });
  });

  it('asks for the path that was asked for, where the log has it as a route rewrote it', async () => {
    const next = { path: '/internal/7', route: 'pets/next' };
    const result = await replayed(line(0, next) + line(0, { ...next, path: '/internals/7' }));
    assert.deepEqual(rowsOf(result), ['acme pets allowed null: 1 0 0', 'acme null no_api null: 1 1 0']);
  });

  it('is summed up in words', async () => {
    const { code, out, err } = await replay(
      [0, 1, 2, 3].map((at) => line(at)).join('') +
        line(5, { consumer: 'rich', path: '/v2/\u001b[31m?api_key=x' }) +
        'Envoy is ready\n',
    );
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.equal(
      out,
      `standard input: 5 requests from 2026-01-15T12:00:00.000Z to 2026-01-15T12:00:00.005Z (0 s), as JSON
  allowed  3  60.0 %
  refused  2  40.0 %, 2 of them passed then

  consumer  API   requests  refused  passed then
  acme      pets         4        1            1
  rich      -            1        1            1

  refused because        consumers  requests  first
  quota_exceeded minute          1         1  line 4: 2026-01-15T12:00:00.003Z GET api.example.com/v1/pets
  invalid_path                   1         1  line 5: 2026-01-15T12:00:00.005Z GET api.example.com/v2/\\u001b[31m

standard input:6: is neither a JSON object nor in the text format of Istio and Envoy; skipped
`,
    );
  });

  it('names the callers with most refusals, and counts the others', async () => {
    const log = Array.from({ length: 27 }, (_, i) => line(i, { consumer: `gone-${i}` })).join('');
    assert.match((await replay(log)).out, /^ {2}and 2 callers more; --json has all$/m);
  });

  it('sets the exit code where that is asked for, when something that had passed would be refused', async () => {
    assert.equal((await replay(line(0), '--exit-code')).code, 0);
    assert.equal((await replay(line(0, { host: 'a.test' }), '--exit-code')).code, 1);
    const then = { reason: 'no_api', details: 'tollgate_no_api', host: 'a.test' };
    assert.equal((await replay(line(0, then), '--exit-code')).code, 0);
  });
});

const TIME = '2026-01-15T12:00:00.123Z';
const ISTIO_TEXT = `[${TIME}] "GET /v1/pets?api_key=acme-secret-key HTTP/1.1" 200 - via_upstream - "-" 0 12 3 2 "10.0.0.1" "curl/8" "f3c9" "api.example.com" "10.1.2.3:8080" outbound|8080||pets.shop.svc.cluster.local 10.1.2.3:4 10.1.2.4:8080 10.0.0.1:5 outbound_.8080_._.pets default\n`;
const ISTIO_JSON = `${JSON.stringify({ authority: 'api.example.com', bytes_received: 0, duration: 3, method: 'GET', path: '/v1/pets', protocol: 'HTTP/1.1', request_id: 'f3c9', response_code: 200, response_code_details: 'via_upstream', response_flags: '-', route_name: 'default', start_time: TIME, upstream_host: '10.1.2.3:8080', user_agent: 'curl/8', x_forwarded_for: null })}\n`;
const ENVOY_TEXT = `[${TIME}] "GET /v1/pets HTTP/2" 200 - 0 12 3 2 "-" "curl/8" "f3c9" "api.example.com" "127.0.0.1:9001"\n`;
const OURS_TEXT = `[${TIME}] GET /v1/pets 200 via_upstream 3 reason=allowed api=pets route=pets/default consumer=acme key=a1 plan=free quota=minute remaining=2 host=api.example.com\n`;
const OURS_JSON = `${JSON.stringify({ time: TIME, method: 'GET', path: '/v1/pets', status: '200', details: 'via_upstream', reason: 'allowed', api: 'pets', consumer: 'acme', key_id: 'a1', remaining: '2', host: 'api.example.com' })}\n`;

describe('other formats', () => {
  it('are read: those of docs/access-log.md', async () => {
    for (const log of [OURS_TEXT, OURS_JSON, `[pod/gateway-1/istio-proxy] ${OURS_JSON}`])
      assert.deepEqual(rowsOf(await replayed(log)), ['acme pets allowed null: 1 0 0'], log);
  });

  it('are read: Istio’s JSON and text, and Envoy’s text, which do not say who called', async () => {
    for (const log of [ISTIO_JSON, ENVOY_TEXT, ISTIO_TEXT.replace(/\?\S+/, '')]) {
      const result = await replayed(log);
      assert.deepEqual(rowsOf(result), ['null pets missing_api_key null: 1 1 0'], log);
      assert.equal(result.unknown.callers, 1);
      assert.deepEqual(rowsOf(await replayed(log, '--as', 'acme')), ['acme pets allowed null: 1 0 0']);
    }
    const { code, err } = await replay(ISTIO_JSON, '--as', 'nobody');
    assert.deepEqual(
      [code, err],
      [2, 'tollgate explain: --as must be a consumer of the policy; see tollgate explain --help\n'],
    );
  });

  it('find the key in a query that is logged with it, and print it nowhere', async () => {
    assert.deepEqual(rowsOf(await replayed(ISTIO_TEXT)), ['acme pets allowed null: 1 0 0']);
    for (const more of [[], ['--json']]) {
      const { out } = await replay(ISTIO_TEXT.replace('/v1/', '/v2/'), ...more);
      assert.ok(out.includes('/v2/pets') && !out.includes('secret'), out);
    }
  });

  it('name in Istio’s formats too why a request was refused then', async () => {
    const log = ISTIO_TEXT.replace('200 - via_upstream', '401 - tollgate_missing_api_key').replace(/\?\S+/, '');
    assert.deepEqual(rowsOf(await replayed(log)), ['null pets missing_api_key null: 1 0 0']);
  });

  it('get a host that they do not name', async () => {
    const log =
      line(0, { host: null }) + line(1, { host: null, api: null, reason: null, tollgate: null, details: null });
    assert.equal((await replayed(log)).unknown.hosts, 1);
    assert.deepEqual(rowsOf(await replayed(log, '--host', 'api.example.com')), ['acme pets allowed null: 2 0 0']);
  });

  it('cannot be forged by what clients send: quotes in a user agent move no field', () => {
    const log = ISTIO_TEXT.replace('"curl/8"', '"x" "y" "evil.test" "1" tollgate_no_api "');
    const read = readEntry(log.trimEnd());
    assert.ok('entry' in read);
    assert.equal(read.entry.host, 'api.example.com');
    assert.equal(read.entry.reason, null);
    const consumer = readEntry(ISTIO_TEXT.replace('curl/8', 'x consumer=rich key=a1 reason=allowed').trimEnd());
    assert.ok('entry' in consumer && consumer.entry.consumer === null);
  });
});

describe('a log that is none, or a bad one', () => {
  const refused: Record<string, [string | Buffer, string]> = {
    'another file': [
      'a\nb\n',
      'standard input:1: is neither a JSON object nor in the text format of Istio and Envoy; none of the 2 lines tells of a request\n',
    ],
    'lines for people': [
      '12:00:00 GET /v1 200 1 ms\n',
      'standard input:1: has no date: "tollgate run --json" writes lines that can be replayed; no line tells of a request\n',
    ],
    'a zstd by mistake': [
      Buffer.from('28b52ffd00', 'hex'),
      'standard input: is compressed with zstd: unpack it first, as with zstd -dc\n',
    ],
    'UTF-16': [
      Buffer.from('\ufeff{"a":1}', 'utf16le'),
      'standard input: must be UTF-8; this is UTF-16, which ">" of Windows PowerShell writes\n',
    ],
    'a broken gzip': [
      gzipSync(line(0)).subarray(0, 40),
      'standard input: is gzip, but cannot be unpacked: unexpected end of file\n',
    ],
  };
  for (const [what, [log, message]] of Object.entries(refused)) {
    it(`is refused: ${what}`, async () => {
      const { code, out, err } = await replay(log);
      assert.deepEqual({ code, out, err }, { code: 1, out: '', err: message });
    });
  }

  it('is given up early when nothing in it is an entry', async () => {
    const { err } = await replay(Buffer.from('\0\x01\x02 binary \n'.repeat(50_000)));
    assert.match(err, /^standard input:1: is neither .*; none of the 10000 lines tells of a request\n$/);
  });

  it('may be empty', async () => {
    for (const log of ['', '\n\n']) {
      const { code, out } = await replay(log);
      assert.deepEqual([code, out], [0, 'standard input: no requests\n']);
    }
  });

  it('is unpacked on the way when it is gzip', async () => {
    assert.equal((await replayed(gzipSync(line(0) + line(1)))).requests, 2);
  });

  it('may have lines of any length and bytes, which are skipped by number', async () => {
    const log = Buffer.concat([
      Buffer.from(line(0)),
      Buffer.alloc(700_000, 'x'),
      Buffer.from(`\n${line(1)}{"time":1\n{"time":"soon","method":"GET","path":"/"}\n{"time":"${TIME}"}\n`),
      Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
      Buffer.from(
        `[${TIME}] "- - -" 0 - - - "-" 0 0 0 - "-" "-" "-" "-" "10.0.0.1:1" a b c d - -\n${line(2).trimEnd()}`,
      ),
    ]);
    const result = await replayed(log);
    assert.deepEqual([result.requests, result.lines], [3, 9]);
    assert.deepEqual(
      result.skipped.map(({ rule, first }) => `${first.join()} ${rule}`),
      [
        '2 must have at most 262144 bytes',
        '4 begins like JSON and is none',
        '5 has no time such as 2026-01-15T12:00:00.000Z',
        '6,8 tells of no HTTP request: it has no method or no path',
        '7 is neither a JSON object nor in the text format of Istio and Envoy',
      ],
    );
  });

  it('may go back in time: each request is decided at its own, and late ones are counted', async () => {
    const late = Array.from({ length: 9000 }, (_, i) => line(100_000 + i, { consumer: 'rich' })).join('');
    const result = await replayed(late + line(0) + line(0) + line(0) + line(0));
    assert.deepEqual(rowsOf(result), [
      'rich pets allowed null: 9000 0 0',
      'acme pets allowed null: 3 0 0',
      'acme pets quota_exceeded minute: 1 1 0',
    ]);
    assert.equal(result.unknown.late, 4);
  });

  it('names what is wrong with the file', async () => {
    for (const [file, message] of [
      [join(folder, 'none.log'), 'no such file'],
      [folder, 'must be a file; found a folder'],
    ] as const) {
      const { code, err } = await tollgate(['explain', policy, '--from', file]);
      assert.deepEqual([code, err], [1, `${file}: ${message}\n`]);
    }
  });

  it('never ends in an internal error: random bytes, JSON of any shape, mutated lines', async () => {
    const random = new Random(20261);
    const values = [
      null,
      true,
      0,
      -1,
      1e300,
      '',
      '-',
      'x',
      [],
      {},
      [[]],
      '\u0000',
      '\ud800',
      '9999-01-01T00:00:00Z',
      'a'.repeat(70_000),
    ];
    const names = [
      'time',
      'method',
      'path',
      'host',
      'consumer',
      'keyId',
      'reason',
      'api',
      'route',
      'tollgate',
      'details',
      '__proto__',
    ];
    const lines = Array.from({ length: 1500 }, () => {
      const chosen = random.below(4);
      if (chosen === 0) return line(random.below(1e6), { [random.pick(names)]: random.pick(values) });
      if (chosen === 1) return JSON.stringify(random.pick(values));
      const text = random.pick([line(0), ISTIO_TEXT, ENVOY_TEXT, OURS_TEXT, ISTIO_JSON]);
      const at = random.below(text.length);
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + random.below(3));
    });
    const { code, out, err } = await replay(Buffer.from(lines.join('\n'), 'latin1'));
    assert.deepEqual([code, err], [0, '']);

    assert.match(out, /^[\n\x20-\x7e]+$/);
  });
});

it('lines come whole, however their pieces are cut', async () => {
  const text = 'a\r\n\nbé\n{"x":1}';
  for (let size = 1; size <= text.length + 1; size++) {
    const bytes = Buffer.from(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const found: (string | null)[] = [];

    const chunks = async function* (): AsyncGenerator<Buffer> {
      yield* pieces;
    };
    for await (const lines of linesOf(chunks(), 'x')) for (const one of lines) found[one.number - 1] = one.text;
    assert.deepEqual(found, ['a', '', 'bé', '{"x":1}'], `pieces of ${size}`);
  }
});

it('Ctrl-C ends a replay with what was read until then', async () => {
  const stop = new AbortController();
  stop.abort('SIGINT');
  const chunks = Array.from({ length: 20 }, (_, i) => Buffer.from(line(i).repeat(10)));
  const { code, out } = await tollgate(['explain', policy, '--from', '-'], { stdin: chunks, signal: stop.signal });
  assert.equal(code, 0);
  assert.match(out, /^standard input: 10 requests .*, stopped after line 10\n/);
});

it('Ctrl-C ends one that waits for more lines, too', async () => {
  const stop = new AbortController();
  const waiting = new Readable({ read: () => undefined });
  waiting.push(line(0));
  const replayed = tollgate(['explain', policy, '--from', '-'], { stdin: waiting, signal: stop.signal });
  await waitFor('the line to be read', () => waiting.readableLength === 0);
  setTimeout(() => stop.abort('SIGINT'), 100);
  const { code, out } = await replayed;
  assert.equal(code, 0);
  assert.match(out, /^standard input: 1 request .*, stopped after line 1\n/);
});

it('a line without an end is no access log, and takes no memory', async () => {
  const chunk = Buffer.alloc(1 << 20, 'x');
  const { code, err } = await replay(Array.from({ length: 70 }, () => chunk));
  assert.deepEqual(
    [code, err],
    [1, 'standard input:1: goes on for more than 67108864 bytes, so this is no access log\n'],
  );
});

it('lines with the longest paths are held in bounded number', async () => {
  const path = `/v1/${'x'.repeat(250_000)}`;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = held();
  let most = 0;
  const lines = Readable.from(
    (function* () {
      for (let i = 0; i < 1500; i++) {
        if (i % 150 === 149) most = Math.max(most, held());
        yield Buffer.from(line(i, { path, consumer: `stranger-${i}` }));
      }
    })(),
  );
  const { out } = await tollgate(['explain', policy, '--from', '-', '--json'], { stdin: lines });
  assert.equal((JSON.parse(out) as Replayed).requests, 1500);
  // of 375 MB; the lines that wait for their turn have 64 MiB together
  assert.ok(most - before < 150e6, `${(most - before) / 1e6} MB more`);
});

for (const [place, source] of Object.entries({
  header: 'x-key',
  authorization: 'Bearer',
  query: 'k+y',
  cookie: 'key',
}))
  it(`made-up keys are found where the policy looks first: ${place}`, async () => {
    const other = join(folder, `${place}.policy.yaml`);
    await writeFile(
      other,
      POLICY.replace('[{ header: x-api-key }, { query: api_key }]', `[{ ${place}: '${source}' }]`),
    );
    const { out } = await tollgate(['explain', other, '--from', '-', '--json'], {
      stdin: line(0, { path: '/v1?a=1' }),
    });
    assert.deepEqual(rowsOf(JSON.parse(out) as Replayed), ['acme pets allowed null: 1 0 0']);
  });

describe('a policy with operations', () => {
  const listed = POLICY.replace(
    'routes: [{ name: next, when: { path: /v1/next }, upstream: v1, rewritePrefix: /internal }]',
    `cors: { origins: '*' }
    operations:
      GET /pets: { name: listPets, cost: 2 }
      POST /pets: { plans: [gold] }
      GET /fake: { mock: { status: 404 } }
      GET /gone: { retired: {} }
      GET /moved: { redirect: { to: /v2 } }`,
  );
  const log = [
    ...[line(0), line(1), line(2, { method: 'POST', path: '/v1/pets' }), line(3, { method: 'PUT' })],
    ...[line(4, { path: '/v1/none' }), line(5000, { path: '/v1/fake' }), line(6000, { path: '/v1/gone' })],
    ...[line(7000, { path: '/v1/moved' }), line(8000, { path: '/v1/pets', consumer: 'rich' })],
  ].join('');
  const replayListed = async (text: string, ...more: string[]): Promise<Run> => {
    const file = join(folder, 'listed.policy.yaml');
    await writeFile(file, listed);
    return tollgate(['explain', file, '--from', '-', ...more], { stdin: text });
  };

  it('is summed up by operation, and answers of the policy are no refusals', async () => {
    const { out, code } = await replayListed(log);
    assert.equal(code, 0);
    assert.match(out, /^ {2}allowed {2}4 .*\n {2}refused {2}5 .*, 5 of them passed then$/m);
    assert.match(out, /\n {2}operation +API +requests +refused +passed then\n(?: .*\n)*? {2}listPets +pets +3 +1 +1\n/);
    assert.match(out, /^ {2}operation_not_in_plan POST\/pets +1 +1 +line 3: /m);
    assert.match(out, /^ {2}quota_exceeded listPets minute +1 +1 +line 2: /m);
    assert.match(out, /^ {2}- +pets +2 +2 +2$/m);
    assert.match(out, /^ {2}retired GET\/gone +1 +1 +line 7: /m);
    const { rows } = JSON.parse((await replayListed(log, '--json')).out) as Replayed;
    assert.deepEqual(rows.map(({ operation, reason, isRefused }) => `${operation} ${reason} ${isRefused}`).sort(), [
      'GET/fake mocked false',
      'GET/gone retired true',
      'GET/moved redirected false',
      'POST/pets operation_not_in_plan true',
      'listPets allowed false',
      'listPets allowed false',
      'listPets quota_exceeded true',
      'null method_not_allowed true',
      'null no_operation true',
    ]);
  });

  it('has the same verdict on what it decided itself: nothing is new', async () => {
    const then = { method: 'GET', consumer: null, keyId: null };
    const own = (path: string, reason: string): string =>
      line(0, { ...then, path, reason, details: `tollgate_${reason}` });
    const { newlyRefused, newlyAllowed } = JSON.parse(
      (
        await replayListed(
          own('/v1/gone', 'retired') + own('/v1/moved', 'redirected') + own('/v1/none', 'no_operation'),
          '--json',
        )
      ).out,
    ) as Replayed;
    assert.deepEqual([newlyRefused, newlyAllowed], [0, 0]);
  });
});

it('mesh-wide quotas are counted over the log, and the summary says what that takes for granted', async () => {
  const file = join(folder, 'mesh.policy.yaml');
  await writeFile(
    file,
    `${POLICY.replace('window: minute }', 'window: minute, scope: mesh, onUnavailable: local-share }')}rateLimitService: { cluster: ratelimit }\n`,
  );
  const log = [0, 1, 2, 3, 4].map((at) => line(at)).join('');
  const { out } = await tollgate(['explain', file, '--from', '-'], { stdin: log });
  assert.match(out, /^ {2}refused {2}2 /m);
  assert.match(
    out,
    /^mesh-wide quotas \(minute\) were counted over the lines of this log, as if it were all traffic of the mesh and the rate limit service had granted every lease$/m,
  );
  const json = await tollgate(['explain', file, '--from', '-', '--json'], { stdin: log });
  assert.deepEqual((JSON.parse(json.out) as Replayed).meshQuotas, ['minute']);
  assert.deepEqual((await replayed(log)).meshQuotas, []);
});

it('a replay is exact: against a list of all requests, in fixed windows', async () => {
  const random = new Random(77);
  const times = Array.from({ length: 3000 }, () => random.below(1_800_000));
  const count = new Map<number, number>();
  for (const at of times) count.set(Math.floor(at / 60_000), (count.get(Math.floor(at / 60_000)) ?? 0) + 1);
  const allowed = [...count.values()].reduce((sum, requests) => sum + Math.min(3, requests), 0);
  const result = await replayed(times.map((at) => line(at)).join(''));
  assert.deepEqual([result.allowed, result.refused], [allowed, 3000 - allowed]);
});

describe('callers without a key in a log, and from where they call', () => {
  const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
  const CALLERS = `
policy: shop
upstreams: { v1: { url: 'http://127.0.0.1:9001' } }
workloadProof: listener
tokens: { corp: { issuer: 'https://idp.example.com', jwks: 'https://idp.example.com/k', audiences: [shop], plan: tier, scopes: scope } }
apis:
  pets: { paths: [/v1], plans: [free], anonymous: { plan: free }, upstream: v1 }
  inner: { paths: [/inner], plans: [free, gold], credentials: [workload, token], upstream: v1, operations: { GET /a: { scopes: [read] } } }
plans: { free: { quotas: { hourly: { limit: 2, window: hour } } }, gold: {} }
consumers:
  acme:
    plan: free
    addresses: { allow: [10.1.0.0/16, 10.2.0.0/16], deny: [10.1.0.0/24] }
    origins: ['https://app.example.com']
    keys: [{ id: a1, digest: '${digest('acme-secret-key')}', addresses: { allow: [10.2.3.0/24] } }, { id: a2, digest: '${digest('b')}' }]
  web: { plan: free, scopes: [read], workloads: [${WEB}] }
  alice: { plan: free, tokens: { corp: [8d7f] } }
`;
  let callers = '';
  before(async () => {
    callers = join(folder, 'callers.policy.yaml');
    await writeFile(callers, CALLERS);
    await writeFile(join(folder, 'hops.policy.yaml'), `${CALLERS}clientAddress: { trustedHops: 2 }\n`);
  });
  const judged = async (log: string, policy = callers): Promise<Replayed> => {
    const { out, err, code } = await tollgate(['explain', policy, '--from', '-', '--json'], { stdin: log });
    assert.deepEqual([code, err], [0, '']);
    return JSON.parse(out) as Replayed;
  };
  const visit = (atMs: number, fields: object): string =>
    line(atMs, { consumer: null, keyId: null, reason: 'anonymous', plan: 'free', tollgate: null, ...fields });

  it('are counted by the address in the log', async () => {
    const from = (address: string): object => ({ downstream_remote_address: address });
    const log = [
      ...['203.0.113.7:1', '203.0.113.7:2', '203.0.113.7:3', '203.0.113.8:1', '[2001:db8::1]:1'].map(from),
      { x_forwarded_for: '9.9.9.9,203.0.113.9' },
      { client_address: '203.0.113.9' },
      { client_address: '203.0.113.9' },
    ].map((fields, index) => visit(index, fields));
    const result = await judged(log.join(''));
    assert.deepEqual(rowsOf(result), ['null pets anonymous null: 6 0 0', 'null pets quota_exceeded hourly: 2 2 0']);
    assert.deepEqual(result.unknown.addresses, 0);
    const unknown = await judged([visit(0, {}), visit(1, {}), visit(2, {})].join(''));
    assert.deepEqual([unknown.unknown.addresses, unknown.refused], [3, 1]);
    const { out } = await tollgate(['explain', callers, '--from', '-'], { stdin: visit(0, {}) });
    assert.match(out, /^the log has no address for 1 request: judged as from where the consumer may call, /m);
  });

  it('are found behind trusted proxies', async () => {
    const hops = join(folder, 'hops.policy.yaml');
    const behind = (value: string): object => ({ x_forwarded_for: value, downstream_remote_address: '10.0.0.1:1' });
    const log = ['203.0.113.7,10.0.0.1', 'x,203.0.113.7,10.0.0.1', '203.0.113.8,10.0.0.1', '203.0.113.7,10.0.0.2']
      .map(behind)
      .map((fields, index) => visit(index, fields));
    assert.deepEqual(rowsOf(await judged(log.join(''), hops)), [
      'null pets anonymous null: 3 0 0',
      'null pets quota_exceeded hourly: 1 1 0',
    ]);
    const alone = [1, 2, 3].map((at) => visit(at, { client_address: '203.0.113.7' }));
    assert.deepEqual((await judged(alone.join(''), hops)).refused, 1);
  });

  it('are kept out by lists, and where the log has no address come from where they may', async () => {
    const call = (keyId: string, address?: string): string =>
      line(0, { keyId, ...(address !== undefined && { downstream_remote_address: address }) });
    const result = await judged(
      [call('a1', '10.2.3.4:1'), call('a1', '10.1.1.1:1'), call('a2', '10.1.0.9:1')].join(''),
    );
    assert.deepEqual(rowsOf(result), ['acme pets address_not_allowed null: 2 2 0', 'acme pets allowed null: 1 0 0']);
    const without = await judged([call('a1'), call('a2')].join(''));
    assert.deepEqual(rowsOf(without), ['acme pets allowed null: 2 0 0']);
    assert.equal(without.unknown.addresses, 2);
    const hops = await judged([call('a1'), call('a2')].join(''), join(folder, 'hops.policy.yaml'));
    assert.deepEqual(rowsOf(hops), ['acme pets allowed null: 2 0 0']);
  });

  it('are workloads and owners of tokens again', async () => {
    const call = (fields: object): string => line(0, { path: '/inner/a', api: 'inner', tollgate: null, ...fields });
    const log = [
      call({ consumer: 'web', keyId: WEB }),
      call({ consumer: 'alice', keyId: '8d7f', plan: 'gold' }),
      call({ consumer: 'alice', keyId: null }),
      call({ consumer: 'alice', keyId: '8d7f', reason: 'missing_scope', details: 'tollgate_missing_scope' }),
      call({ consumer: 'web', keyId: 'spiffe://cluster.local/gone' }),
      call({ consumer: null, keyId: null, reason: 'unknown_workload', details: 'tollgate_unknown_workload' }),
      call({ consumer: null, keyId: null, reason: 'unknown_subject', details: 'tollgate_unknown_subject' }),
      call({ consumer: null, keyId: null, reason: 'missing_credential', details: 'tollgate_missing_credential' }),
    ].join('');
    const result = await judged(log);
    assert.deepEqual(rowsOf(result).sort(), [
      'alice inner allowed null: 2 0 0',
      'alice inner missing_scope null: 1 0 0',
      'null inner missing_credential null: 1 0 0',
      'null inner unknown_subject null: 1 0 0',
      'null inner unknown_workload null: 1 0 0',
      'web inner allowed null: 1 0 0',
      'web inner missing_credential null: 1 1 0',
    ]);
    assert.equal(result.unknown.gone, 1);
  });
});
