import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { eventually, freePort } from '../../harness/envoy/toolProcess.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { startEcho } from '../../scripts/upstream/echo.ts';
import { about, fingerprint, packed } from './packed.ts';
import { Stranger } from './stranger.ts';

const POLICY = 'petstore.policy.yaml';
const IMAGE = `oci://registry.example/tollgate@sha256:${'0'.repeat(64)}`;
const found = await available();

const stranger = Stranger.arrive(packed());
const before = fingerprint(join(stranger.installed, '..', '..', '..'));
after(() => stranger.leave());
stranger.puts(POLICY, readFileSync(inPackage('examples', POLICY)));

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await stranger.tollgate(args);
  assert.equal(code, 0, `${args.join(' ')}: ${err}`);
  return out;
}

test('says its version and its commands', async () => {
  assert.equal(await done('--version'), `tollgate ${about.version}\n`);
  assert.match(await done('--help'), /^ {2}check +find everything that is wrong/m);
});

test('checks a policy, from a file and from standard input', async () => {
  assert.match(
    await done('check', POLICY),
    /^petstore\.policy\.yaml: valid \(1 API, 2 plans, 2 consumers, 0 keys\)\n$/,
  );
  const bad = await stranger.tollgate(['check', '-'], { input: 'policy: petstore\nplan: {}\n' });
  assert.equal(bad.code, 1);
  assert.match(bad.err, /^standard input:2:1: unknown field "plan"; did you mean "plans"\?$/m);
});

test('compiles to the bytes that a checkout compiles to', async () => {
  const { compilePolicy, readPolicy } = await import('../../scripts/policy/index.ts');
  const { policy } = readPolicy(readFileSync(inPackage('examples', POLICY), 'utf8'), POLICY);
  assert.equal(await done('compile', POLICY), `${JSON.stringify(compilePolicy(policy!))}\n`);
});

test('emits Istio resources', async () => {
  const targets = 'targets:\n  - namespace: shop\n';
  stranger.puts('shop.yaml', `${readFileSync(inPackage('examples', POLICY), 'utf8')}\n${targets}`);
  await done('emit', 'shop.yaml', '--image', IMAGE, '--out', 'resources');
  assert.deepEqual(
    readdirSync(join(stranger.desk, 'resources')).filter((name) => name.includes('wasmplugin')).length,
    1,
  );
});

test('explains a request and a log with the module that it brings', async () => {
  const asked = await stranger.tollgate(['explain', POLICY, '--request', 'GET https://api.example.com/v1/pets']);
  assert.deepEqual([asked.code, asked.err], [1, '']);
  assert.match(asked.out, /\nrefused: missing_api_key\n {2}HTTP 401\n/);
  stranger.puts('access.log', '{"time":"2026-01-15T12:00:00Z","method":"GET","path":"/v1","consumer":"acme"}\n');
  assert.match(
    await done('explain', POLICY, '--from', 'access.log'),
    /^access\.log: 1 request from .*\n {2}allowed {2}1 /,
  );
});

test('packs the module with its SBOM, to the digest that a checkout packs', async () => {
  const own = JSON.parse(await done('pack', '--json', '--sbom', 'spdx', '--out', 'layout')) as { digest: string };
  const { bundleOptions } = await import('../../scripts/cli/packing.ts');
  const { bundleModule } = await import('../../scripts/oci/index.ts');
  const there = await bundleModule(await bundleOptions({ layout: 'image', sbom: 'spdx' }));
  assert.equal(own.digest, there.manifest.descriptor.digest);
});

test('prints the JSON Schema that lies beside it', async () => {
  assert.equal(await done('schema'), readFileSync(join(stranger.installed, 'schema', 'policy.schema.json'), 'utf8'));
});

test('cannot build, and says why', async () => {
  const { code, err } = await stranger.tollgate(['build']);
  assert.equal(code, 1);
  assert.match(err, /^tollgate build: needs a checkout; an installed package has no sources of the module/);
});

test('issues a key, and runs a real Envoy that lets it in', { skip: found.skip }, async () => {
  if (found.skip !== false) return;
  const key = (await done('keys', 'issue', '--consumer', 'acme', POLICY)).trim();
  assert.match(key, /^tg_\w+$/);
  assert.match(await done('keys', 'list', POLICY), /^acme .*active/m);
  const upstream = await startEcho('pets');
  const to = [`--upstream`, `pets-v1=${upstream.url}`, '--upstream', `pets-v2=${upstream.url}`];
  const args = ['run', POLICY, '--port', String(await freePort()), '--concurrency', '1', ...to];
  const child = stranger.start(args, { env: { ENVOY: stranger.takes(found.envoy.command, 'envoy') } });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const ended = new Promise((resolve) => child.on('close', resolve));
  try {
    const inForce = /in force on (http:\/\/127\.0\.0\.1:\d+)/;
    const [, url] = await eventually<readonly string[]>(
      () => (child.exitCode === null ? inForce.exec(said) : []),
      () => said,
      60_000,
    );
    assert.ok(url !== undefined, said);
    assert.equal(await statusOf(`${url}/v1/pets`, {}), 401);
    assert.equal(await statusOf(`${url}/v1/pets`, { 'x-api-key': key }), 200);
    assert.equal(await statusOf(`${url}/v2`, { 'x-api-key': key }), 404);
  } finally {
    child.kill('SIGTERM');
    await ended;
    await upstream.close();
  }
  assert.equal(said.includes(key), false);
});

test('afterwards every file of the installation is as it was', () => {
  assert.deepEqual(fingerprint(join(stranger.installed, '..', '..', '..')), before);
});

function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}
