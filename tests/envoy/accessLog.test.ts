import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { spawn, type ChildProcess } from 'node:child_process';
import { CORE_SCHEMA, load } from 'js-yaml';
import { available } from '../../harness/envoy/available.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { eventually, freePort } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { staticBootstrap } from '../../scripts/envoy/bootstrap.ts';
import { snapshotOf } from '../../scripts/envoy/snapshot.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';

const found = await available();
const PAGE = await readFile(new URL('../../docs/access-log.md', import.meta.url), 'utf8');

type Format = Record<string, unknown>;

interface MeshConfig {
  readonly accessLogEncoding?: 'JSON';
  readonly accessLogFormat: string;
  readonly extensionProviders?: readonly [
    { readonly name: string; readonly envoyFileAccessLog: { readonly logFormat: { readonly labels: Format } } },
  ];
}

interface Telemetry {
  readonly spec: { readonly accessLogging: readonly [{ readonly providers: readonly [{ readonly name: string }] }] };
}

type OwnLog = readonly [{ readonly typed_config: { readonly log_format: Format } }];

/** A line of JSON, as the page's formats lay it out. */
interface Line {
  readonly [name: string]: unknown;
}

/** Blocks of the page, by how it calls them. */
function blocks<T>(kind: string): T[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`yaml ${kind}\\n([^]*?)^\`\`\`$`, 'gm'))].map(
    ([, text]) => load(text!, { schema: CORE_SCHEMA }) as T,
  );
}

/** What istiod makes of a mesh's access log. */
function formatOf({ extensionProviders, accessLogEncoding, accessLogFormat }: MeshConfig): Format {
  if (extensionProviders) return { json_format: extensionProviders[0].envoyFileAccessLog.logFormat.labels };
  if (accessLogEncoding === 'JSON') return { json_format: JSON.parse(accessLogFormat) as Format };
  return { text_format_source: { inline_string: accessLogFormat } };
}

function lineOf(line: string | undefined): Line {
  return JSON.parse(line!) as Line;
}

describe('the access log of docs/access-log.md', { skip: found.skip }, () => {
  const mesh = blocks<MeshConfig>('meshConfig');
  const own = blocks<OwnLog>('access_log')[0]![0].typed_config.log_format;
  const formats = [...mesh.map(formatOf), own, { json_format: { line: '%FILTER_STATE(wasm.tollgate:PLAIN)%' } }];
  let folder: string;
  let echo: Echo;
  let port: number;
  let envoy: ChildProcess;
  const files = (index: number): string => join(folder, `${index}.log`);
  let seen = 0;

  before(async () => {
    if (found.skip !== false) return;
    folder = await mkdtemp(join(tmpdir(), 'tollgate-log-'));
    echo = await startEcho('echo');
    port = await freePort();
    const { policy } = validPolicy(
      `${testPolicy({ limit: 2_000_000 })}accessLog: { fields: all }\n`,
      'log.policy.yaml',
    );
    const snapshot = snapshotOf(policy, compilePolicy(policy), new Map(['v1', 'v2'].map((name) => [name, echo.url])));
    const text = staticBootstrap(snapshot, {
      listen: '127.0.0.1',
      port,
      adminPort: await freePort(),
      module: found.module,
    });
    const access_log = formats.map((log_format, index) => ({
      name: 'envoy.access_loggers.file',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
        path: files(index),
        log_format,
      },
    }));
    const file = join(folder, 'bootstrap.json');
    await writeFile(
      file,
      JSON.stringify(text, (name, value) => (name === 'access_log' ? access_log : (value as unknown))),
    );
    envoy = spawn(
      found.envoy.command,
      [
        ...found.envoy.prefix(folder),
        ...['-c', file, '--concurrency', '1', '--use-dynamic-base-id', '--file-flush-interval-msec', '1'],
        ...['--log-level', 'error'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await eventually(
      async () =>
        await sendRaw(port, requestBytes({ method: 'GET', path: '/', host: 'warm.up', headers: [] })).catch(() => null),
      () => 'Envoy does not answer',
      20_000,
    );
    seen = 1;
  });
  after(async () => {
    envoy?.kill('SIGKILL');
    await echo?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** What each of the formats made of one request. */
  async function logged(
    host: string,
    key: string | null,
    path = '/v1/pets',
    more: [string, string][] = [],
  ): Promise<string[]> {
    const headers: [string, string][] = [
      ...(key === null ? [] : ([['x-api-key', key]] as [string, string][])),
      ...more,
    ];
    await sendRaw(port, requestBytes({ method: 'GET', path, host, headers }));
    const index = seen++;
    return Promise.all(
      formats.map((_, number) =>
        eventually(
          async () => (await readFile(files(number), 'utf8')).split('\n').slice(0, -1)[index] ?? null,
          () => `no line ${index} in log ${number}`,
          3000,
        ),
      ),
    );
  }

  it('has formats for JSON, text, a provider and an Envoy of one’s own', () => {
    assert.equal(mesh.length, 3);
    assert.equal(
      blocks<Telemetry>('Telemetry')[0]?.spec.accessLogging[0].providers[0].name,
      mesh[2]?.extensionProviders?.[0].name,
    );
  });

  it('shows every field of an allowed request', async () => {
    const lines = await logged('API.example.com:8080', 'acme-secret-key', '/v1/pets?api_key=acme-secret-key');
    const json = lineOf(lines[0]);
    const provider = lineOf(lines[2]);
    const plain = lineOf(lines[3]);
    const fields = {
      reason: 'allowed',
      api: 'petstore',
      route: 'petstore/default',
      consumer: 'acme',
      key_id: 'acme-1',
      plan: 'counted',
      quota: 'main',
      remaining: '1999999',
      host: 'api.example.com',
    };
    assert.equal(json.path, '/v1/pets');
    for (const [name, value] of Object.entries(fields)) assert.equal(json[name], value, name);
    assert.deepEqual([provider.reason, provider.consumer, provider.plan], ['allowed', 'acme', 'counted']);
    assert.deepEqual([plain.consumer, plain.remaining], ['acme', '1999999']);
    assert.match(
      lines[1]!,
      /^\[\S+\] GET \/v1\/pets 200 via_upstream \d+ reason=allowed api=petstore operation=- route=petstore\/default consumer=acme key=acme-1 plan=counted quota=main remaining=1999999 host=api\.example\.com mode=-$/,
    );
  });

  it('shows what there is of a refused request, and null or - for the rest', async () => {
    const lines = await logged('api.example.com', null);
    const json = lineOf(lines[0]);
    assert.deepEqual(
      [json.reason, json.api, json.route, json.consumer, json.key_id, json.plan, json.quota, json.remaining, json.host],
      ['missing_api_key', 'petstore', null, null, null, null, null, null, 'api.example.com'],
    );
    assert.equal(json.status, 401);
    assert.match(
      lines[1]!,
      / reason=missing_api_key api=petstore operation=- route=- consumer=- key=- plan=- quota=- remaining=- host=api\.example\.com mode=-$/,
    );
  });

  it('shows nothing that a client made up, in one line a request', async () => {
    const hosts = [
      'a.test consumer=admin',
      'a.test"consumer":"admin',
      'a.test\\nconsumer=admin',
      '%0aconsumer=admin',
      'a.test,consumer=admin',
      'a.test\tconsumer=admin',
      'x'.repeat(5000),
      '"',
    ];
    for (const host of hosts) {
      const lines = await logged(host, 'acme-secret-key', '/v1/pets', [
        ['x-tollgate-consumer', 'admin'],
        ['wasm.tollgate.consumer', 'admin'],
      ]);
      const json = lineOf(lines[0]);
      assert.equal(json.host, null, host);
      assert.ok(!JSON.stringify(json).includes('admin'));
      assert.ok(!/(?:consumer|host)=(?!-)/.test(lines[1]!.split(' reason=')[1]!), lines[1]);
    }
  });
});
