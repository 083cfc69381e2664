import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { available } from '../../harness/envoy/available.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { writeStandIn, type Behaviour } from './standIn.ts';

const found = await available();

/** What the tool must say when docker fails: the reason, without docker's boilerplate. */
const SAYS: [Behaviour, RegExp][] = [
  [
    'no engine',
    /^docker: no engine: Cannot connect to the Docker daemon at unix:\/\/\/var\/run\/docker\.sock\. Is the docker daemon running\?\n$/,
  ],
  ['not permitted', /^docker: no engine: permission denied while trying to connect .*: connect: permission denied\n$/],
  [
    'no such image',
    /^tollgate: pulling envoyproxy\/envoy:v[\d.]+; this happens once\ndocker: cannot pull envoyproxy\/envoy:v[\d.]+: manifest for \S+ not found: manifest unknown: manifest unknown\n$/,
  ],
  [
    'mounts denied',
    /^docker: cannot run envoyproxy\/envoy:v[\d.]+: Mounts denied:\nThe path \/tmp\/x is not shared .*\nYou can configure shared paths .*\nthe engine must see the folder: TMPDIR names another for it/,
  ],
  ['no host network', /^docker: cannot run envoyproxy\/envoy:v[\d.]+: network host is not to be had\n$/],
];

describe('run --docker with a program that stands in for docker', { skip: found.skip }, () => {
  let folder: string;
  let echo: Echo;
  let tool: ToolProcess | null = null;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-standin-'));
    echo = await startEcho('echo');
  });
  afterEach(async () => {
    await tool?.end();
    tool = null;
  });
  after(async () => {
    await echo.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs Envoy from docker when asked, in a container that has a name, and removes it', async () => {
    tool = await start('works');
    const answer = await sendRaw(
      await tool.port(),
      requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [] }),
    );
    assert.equal(answer?.status, 401);
    await tool.says(/from docker/);
    tool.kill('SIGTERM');
    assert.equal((await tool.exited).code, 0);
    const calls = (await readFile(join(folder, 'works', 'calls'), 'utf8')).split('\n');
    const names = calls
      .map((call) => /^run .*--name (tollgate-[0-9a-f]{12}) /.exec(call)?.[1])
      .filter((name) => name !== undefined);
    assert.equal(new Set(names).size, 2, 'a trial and the real one');
    for (const name of names) assert.ok(calls.includes(`rm --force ${name}`), name);
  });

  for (const [behaviour, says] of SAYS) {
    it(`passes docker's own reason on: ${behaviour}`, async () => {
      tool = await start(behaviour);
      assert.equal((await tool.exited).code, 1);
      assert.match(tool.err, says);
      assert.doesNotMatch(tool.err, /--help/);
    });
  }

  it('says that it pulls, and how far it is', async () => {
    tool = await start('pulls slowly');
    await tool.says(/^tollgate: pulling envoyproxy\/envoy:v[\d.]+; this happens once\n/m);
    await tool.says(/^tollgate: pulling envoyproxy\/envoy:v[\d.]+: 1 of 2 layers\n/m);
    await tool.port();
  });

  it('stops a pull at once when it is told to', async () => {
    tool = await start('pulls for ever');
    await tool.says(/1 of 2 layers/);
    const began = Date.now();
    tool.kill('SIGINT');
    assert.equal((await tool.exited).code, 0);
    assert.ok(Date.now() - began < 10_000);
  });

  it('says what to do where there is no docker, and where docker is no program', async () => {
    const only = join(folder, 'only');
    await mkdir(only);
    await symlink('/bin/sh', join(only, 'sh'));
    tool = await start('works', only);
    assert.equal((await tool.exited).code, 1);
    assert.equal(tool.err, 'docker: not found on PATH; install Docker, or run without --docker\n');
    await writeFile(join(only, 'docker'), '');
    tool = await start('works', only);
    assert.equal((await tool.exited).code, 1);
    assert.match(
      tool.err,
      /^docker: the program on PATH cannot be started \(EACCES\); fix that, or run without --docker\n$/,
    );
  });

  async function start(behaviour: Behaviour, path?: string): Promise<ToolProcess> {
    if (found.skip !== false) throw new Error('skipped');
    const programs = join(folder, behaviour.replaceAll(' ', '-'));
    await mkdir(programs, { recursive: true });
    await writeStandIn(programs, found.envoy.command, behaviour);
    const file = join(folder, 'petstore.policy.yaml');
    await writeFile(file, testPolicy());
    const args = [
      'run',
      file,
      '--docker',
      '--port',
      String(await freePort()),
      '--upstream',
      `v1=${echo.url}`,
      '--upstream',
      `v2=${echo.url}`,
    ];
    return new ToolProcess(args, { PATH: path ?? `${programs}:${process.env.PATH}` });
  }
});
