import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import type { Finished } from '../../scripts/program/run.ts';
import { about, packed } from '../package/packed.ts';
import { available } from './available.ts';
import { Engine } from './engine.ts';
import { writeNodeImage } from './nodeImage.ts';

const IMAGE = 'tollgate-of-this-checkout';
const BASE = 'node-of-this-machine';
/** A container with every restriction. */
const LOCKED = ['--rm', '--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
const POLICY = readFileSync(inPackage('examples', 'petstore.policy.yaml'), 'utf8');
const found = await available();

describe('the image that the Dockerfile builds', { skip: found.skip }, () => {
  const folder = scratchFolder();
  let engine: Engine;
  before(async () => {
    if (found.skip !== false) return;
    engine = await Engine.start({ programs: found.paths, envoy: found.envoy, network: 'here' });
    await engine.succeed('import', writeNodeImage(folder), BASE);
    const context = join(folder, 'context');
    mkdirSync(context);
    copyFileSync(packed(), join(context, 'tollgate.tgz'));
    const build = ['build', '--network', 'none', '--build-arg', `BASE=${BASE}`, '--tag', IMAGE];
    await engine.succeed(...build, '--file', inPackage('Dockerfile'), context);
  });
  after(() => engine?.stop());

  it('is the tool: without arguments it tells its commands', async () => {
    assert.match((await run([])).stdout, /^usage: tollgate COMMAND/m);
    assert.equal((await run(['--version'])).stdout, `tollgate ${about.version}\n`);
  });

  it('checks a policy from standard input, on a root file system that is read-only', async () => {
    const { code, stdout, stderr } = await run(['check', '-'], POLICY);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'standard input: valid (1 API, 2 plans, 2 consumers, 0 keys)\n');
    assert.equal((await run(['check', '-'], 'policy: petstore\nplan: {}\n')).code, 1);
  });

  it('reads a policy from a mounted folder and writes only where it is told to', async () => {
    const out = join(folder, 'out');
    mkdirSync(out);
    chmodSync(out, 0o777);
    const mounts = ['-v', `${inPackage('examples')}:/work:ro`, '-v', `${out}:/out`];
    const { code, stderr } = await run(['compile', 'petstore.policy.yaml', '-o', '/out/config.json'], '', mounts);
    assert.equal(code, 0, stderr);
    assert.deepEqual(readdirSync(out), ['config.json']);
    assert.equal((JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as { policy: string }).policy, 'petstore');
  });

  it('is of nobody in particular, and has the module inside', async () => {
    const [inspected] = JSON.parse(await engine.succeed('image', 'inspect', IMAGE)) as { Config: { User: string } }[];
    assert.equal(inspected!.Config.User, '65532:65532');
    const { code, stderr } = await run(['build']);
    assert.equal(code, 1);
    assert.match(stderr, /\/opt\/package\/dist\/tollgate\.wasm {2}\d+ bytes {2}sha256:[0-9a-f]{64}$/m);
  });

  function run(args: string[], input = '', options: string[] = []): Promise<Omit<Finished, 'notStarted'>> {
    const child = spawn('docker', ['run', '--interactive', ...LOCKED, ...options, IMAGE, ...args], {
      env: { ...process.env, ...engine.env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    child.stdin.on('error', () => undefined).end(input);
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  }
});
