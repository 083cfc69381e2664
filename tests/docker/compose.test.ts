import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { IMAGE } from '../../scripts/docker/envoy.ts';
import { findEnvoy } from '../../scripts/envoy/find.ts';
import { type Finished, runToEnd } from '../../scripts/program/run.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { eventually, freePort } from '../../harness/envoy/toolProcess.ts';
import { tollgate } from '../scripts/fakeIo.ts';
import { available } from './available.ts';
import { Engine } from './engine.ts';

const found = await available();
const README = readFileSync(inPackage('examples', 'docker', 'README.md'), 'utf8');

describe('examples/docker with docker compose', { skip: found.skip }, () => {
  let engine: Engine;
  let folder: string;
  let example: string;
  let port: number;
  before(async () => {
    if (found.skip !== false) return;
    // a copy as a checkout with umask 077 is, of another user than root
    folder = mkdtempSync(join(tmpdir(), 'tollgate-compose-'));
    example = join(folder, 'examples', 'docker');
    cpSync(inPackage('examples', 'docker'), example, { recursive: true });
    port = await freePort();
    const compose = join(example, 'compose.yaml');
    writeFileSync(compose, readFileSync(compose, 'utf8').replace('127.0.0.1:8080:8080', `127.0.0.1:${port}:8080`));
    closeTo(example, 65_534);
    engine = await Engine.start({ programs: found.paths, envoy: found.envoy, network: 'elsewhere' });
  });
  after(async () => {
    await engine?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is a project of its own name', async () => {
    const { code, stdout, stderr } = await compose('config', '--format', 'json');
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { name: string }).name, 'tollgate');
  });

  it('says what is missing before the module is built, and makes no folder in its place', async () => {
    const { code, stderr } = await compose('up', '--detach');
    assert.notEqual(code, 0);
    assert.match(stderr, /bind source path does not exist: \S+build\/tollgate\.wasm/);
    assert.equal(existsSync(join(folder, 'build')), false);
  });

  it('answers as its README says, with files that only their owner may read, and again after a restart with a new bootstrap', async () => {
    if (found.skip !== false) return;
    mkdirSync(join(folder, 'build'));
    cpSync(found.module, join(folder, 'build', 'tollgate.wasm'));
    closeTo(join(folder, 'build'), 65_534);
    const key = await bootstrapWithKey();
    const { code, stderr } = await compose('up', '--detach');
    assert.equal(code, 0, stderr);
    await answers(401, {});
    const seen = await answers(200, { 'x-api-key': key });
    assert.deepEqual([seen.upstream, seen.consumer, seen.key], ['pets-v1', 'acme', null]);
    assert.equal((await answers(200, { 'x-api-key': key, 'x-api-version': '2' })).upstream, 'pets-v2');
    const another = await bootstrapWithKey();
    assert.equal((await compose('restart', 'envoy')).code, 0);
    await answers(200, { 'x-api-key': another });
  });

  it('is gone after down, and leaves other projects alone', async () => {
    await engine.succeed(
      'run',
      '--detach',
      '--rm',
      '--name',
      'other',
      '--label',
      'com.docker.compose.project=docker',
      '--entrypoint',
      'sh',
      IMAGE,
      '-c',
      'sleep() { read -t 600 x; }; while :; do sleep; done',
    );
    assert.equal((await compose('down', '--remove-orphans')).code, 0);
    assert.deepEqual(await engine.containers(), ['other']);
    await engine.succeed('rm', '--force', 'other');
  });

  /** Issues a key as the README says, and returns it. */
  async function bootstrapWithKey(): Promise<string> {
    const policy = join(example, 'policy.yaml');
    const issued = await tollgate(['keys', 'issue', '--consumer', 'acme', policy]);
    assert.equal(issued.code, 0, issued.err);
    const made = await tollgate([
      'run',
      policy,
      '--print-bootstrap',
      '--listen',
      '0.0.0.0',
      '--module',
      '/etc/envoy/tollgate.wasm',
      '-o',
      join(example, 'bootstrap.json'),
    ]);
    assert.equal(made.code, 0, made.err);
    closeTo(example, 65_534);
    return /tg_\w+/.exec(issued.out)![0];
  }

  function compose(...args: string[]): Promise<Finished> {
    if (found.skip !== false) throw new Error('skipped');
    return runToEnd(found.paths['docker-compose'], ['-f', join(example, 'compose.yaml'), ...args], {
      env: { ...process.env, ...engine.env },
    });
  }

  function answers(status: number, headers: Record<string, string>): Promise<Record<string, unknown>> {
    return eventually(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/v1/pets`, {
          headers,
          signal: AbortSignal.timeout(2000),
        }).catch(() => null);
        return answer?.status === status ? ((await answer.json()) as Record<string, unknown>) : null;
      },
      () => `no ${status}`,
    );
  }
});

describe("the README's command for the admin interface", () => {
  it('is answered with 200 by a real one', async () => {
    const command = /exec envoy bash -c '(.+)'$/m.exec(README)![1]!;
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-admin-'));
    const adminPort = await freePort();
    const file = join(folder, 'bootstrap.json');
    writeFileSync(
      file,
      JSON.stringify({ admin: { address: { socket_address: { address: '127.0.0.1', port_value: adminPort } } } }),
    );
    const envoy = spawn((await findEnvoy()).command, ['-c', file, '--disable-hot-restart', '-l', 'off'], {
      stdio: 'ignore',
    });
    try {
      await eventually(
        () =>
          fetch(`http://127.0.0.1:${adminPort}/ready`).then(
            () => true,
            () => null,
          ),
        () => 'no admin interface',
      );
      const page = execFileSync('bash', ['-c', command.replace('9901', String(adminPort))], { encoding: 'utf8' });
      assert.match(page, /^HTTP\/1\.1 200 OK\r\n[^]*envoy_server_uptime/);
    } finally {
      envoy.kill('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Makes everything in a folder readable by that user only. */
function closeTo(folder: string, uid: number): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) chmodSync(join(folder, name), 0o600);
  execFileSync('chown', ['-R', `${uid}:${uid}`, folder]);
}
