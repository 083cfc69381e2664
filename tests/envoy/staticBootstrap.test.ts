import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, describe, it } from 'node:test';
import { IMAGE } from '../../scripts/docker/envoy.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import { matchesGolden } from '../scripts/golden.ts';
import { tollgate } from '../scripts/fakeIo.ts';
import { available } from '../../harness/envoy/available.ts';

const DOCKER = new URL('../../examples/docker/', import.meta.url);
const IN_CONTAINER = '/etc/envoy/tollgate.wasm';
const found = await available();
const policy = fileURLToPath(new URL('policy.yaml', DOCKER));

describe('a static bootstrap', { skip: found.skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bootstrap-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const validate = async (text: string): Promise<void> => {
    if (found.skip !== false) return;
    const file = join(folder, 'bootstrap.json');
    writeFileSync(file, text.replace(IN_CONTAINER, found.module));
    const { code, stderr } = await runToEnd(found.envoy.command, [
      ...found.envoy.prefix(folder),
      '--mode',
      'validate',
      '-c',
      file,
      '-l',
      'warning',
    ]);
    assert.equal(code, 0, stderr);
  };

  it('of examples/docker is current, and Envoy takes it', async () => {
    const { code, out } = await tollgate([
      'run',
      policy,
      '--print-bootstrap',
      '--listen',
      '0.0.0.0',
      '--module',
      IN_CONTAINER,
    ]);
    assert.equal(code, 0);
    matchesGolden(out, new URL('bootstrap.json', DOCKER));
    await validate(out);
  });

  it('is refused by Envoy when something in it is wrong, so the check can fail', async () => {
    const { out } = await tollgate(['run', policy, '--print-bootstrap', '--module', IN_CONTAINER]);
    await assert.rejects(validate(out.replace('"cluster": "pets-v2"', '"clusters": "pets-v2"')), /clusters/);
  });

  it('has its upstreams in examples/docker, which Envoy takes too', async () => {
    if (found.skip !== false) return;
    const { code, stderr } = await runToEnd(found.envoy.command, [
      ...found.envoy.prefix(folder),
      '--mode',
      'validate',
      '-c',
      fileURLToPath(new URL('upstream.yaml', DOCKER)),
      '-l',
      'warning',
    ]);
    assert.equal(code, 0, stderr);
    const compose = readFileSync(new URL('compose.yaml', DOCKER), 'utf8');
    for (const name of ['pets-v1', 'pets-v2']) assert.match(compose, new RegExp(`^  ${name}:$`, 'm'));
    assert.equal(/image: (\S+)/.exec(compose)?.[1], IMAGE);
    // docker makes a folder, which is root's, in the place of any other mount that is not there
    const mounts = compose.split('\n').filter((line) => /\btype: bind\b/.test(line));
    assert.deepEqual(
      mounts.filter((line) => !line.includes('create_host_path: false')),
      [],
    );
    assert.equal(mounts.length, 3);
  });

  it('listens where it is told, with the options that only it takes', async () => {
    const { out } = await tollgate([
      'run',
      policy,
      '--print-bootstrap',
      '--port',
      '9000',
      '--admin-port',
      '9002',
      '--upstream',
      'pets-v1=http://127.0.0.1:3000',
    ]);
    const {
      admin,
      static_resources: { listeners, clusters },
    } = JSON.parse(out) as {
      admin: object;
      static_resources: { listeners: { address: object }[]; clusters: object[] };
    };
    assert.deepEqual(
      [listeners[0]!.address, admin],
      [
        { socket_address: { address: '127.0.0.1', port_value: 9000 } },
        { address: { socket_address: { address: '127.0.0.1', port_value: 9002 } } },
      ],
    );
    assert.match(JSON.stringify(clusters[0]), /"address":"127.0.0.1","port_value":3000/);
    assert.deepEqual(
      (await tollgate(['run', policy, '--listen', '::'])).err,
      'tollgate run: --listen goes with --print-bootstrap; see tollgate run --help\n',
    );
    assert.deepEqual(
      (await tollgate(['run', policy, '--print-bootstrap', '--listen', 'here'])).err,
      'tollgate run: --listen is an IP address; found "here"; see tollgate run --help\n',
    );
  });
});

describe('an override of an upstream', () => {
  it('is wrong usage when it is no URL, or names no upstream of the policy', async () => {
    const refused = async (text: string): Promise<[number, string]> => {
      const { code, err } = await tollgate(['run', policy, '--upstream', text]);
      return [code, err];
    };
    assert.deepEqual(await refused('pets-v1=ftp://a'), [
      2,
      'tollgate run: --upstream pets-v1: a URL is http://HOST:PORT, h2c://HOST:PORT or https://HOST:PORT; found "ftp://a"; see tollgate run --help\n',
    ]);
    assert.deepEqual(await refused('pets-v1='), [
      2,
      'tollgate run: --upstream pets-v1: a URL is http://HOST:PORT, h2c://HOST:PORT or https://HOST:PORT; found ""; see tollgate run --help\n',
    ]);
    assert.deepEqual(await refused('pets-v3=http://a'), [
      2,
      'tollgate run: --upstream pets-v3: the policy has no such upstream; it has pets-v1, pets-v2; see tollgate run --help\n',
    ]);
  });
});

describe('a policy without upstreams', () => {
  it('is told that nothing answers for it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-bootstrap-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'bare.policy.yaml');
    writeFileSync(file, 'policy: shop\napis: { pets: { paths: [/], anonymous: allow } }\n');
    const { code, err } = await tollgate(['run', file, '--print-bootstrap']);
    assert.deepEqual(
      [code, err],
      [
        0,
        'tollgate: the policy has no upstreams, so a request that it allows is answered with 404, "no route of the policy leads here"\n',
      ],
    );
    assert.equal((await tollgate(['run', policy, '--print-bootstrap'])).err.includes('no upstreams'), false);
  });
});

describe('an upstream with no url', () => {
  it('is refused before anything starts, and taken when it gets one', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'tollgate-bootstrap-')), 'mesh.policy.yaml');
    writeFileSync(
      file,
      'policy: shop\nupstreams: { v1: { service: { host: pets.shop.svc.cluster.local, port: 80 } } }\napis: { pets: { paths: [/], anonymous: allow, upstream: v1 } }\n',
    );
    after(() => rmSync(join(file, '..'), { recursive: true, force: true }));
    assert.deepEqual(await tollgate(['run', file]), {
      code: 1,
      out: '',
      err: 'upstream v1: has no url, only a service of a mesh; give it one here: --upstream v1=http://HOST:PORT\n',
    });
    assert.equal((await tollgate(['run', file, '--print-bootstrap', '--upstream', 'v1=http://127.0.0.1:1'])).code, 0);
  });
});
