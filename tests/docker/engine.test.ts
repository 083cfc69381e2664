import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { eventually, freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { available } from './available.ts';
import { Engine } from './engine.ts';
import { demoIsMonitored, monitoredDemo, noPrometheus } from './monitored.ts';

const found = await available();
const NOBODY = { uid: 65_534, gid: 65_534 };
const KEY: [string, string] = ['x-api-key', 'rich-secret-key'];

describe("run --docker with an engine on this machine's network", { skip: found.skip }, () => {
  let engine: Engine;
  let folder: string;
  let hidden: string;
  let echo: Echo;
  let file: string;
  let tool: ToolProcess | null = null;
  before(async () => {
    if (found.skip !== false) return;
    folder = await mkdtemp(join(tmpdir(), 'tollgate-docker-'));
    await chmod(folder, 0o755);
    hidden = join(folder, 'hidden');
    await mkdir(hidden);
    file = join(folder, 'petstore.policy.yaml');
    engine = await Engine.start({ programs: found.paths, envoy: found.envoy, network: 'here', hidden });
    echo = await startEcho('echo');
  });
  afterEach(async () => {
    await tool?.end();
    tool = null;
  });
  after(async () => {
    await echo?.close();
    await engine?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('serves for root, follows edits, and leaves no container behind', async () => {
    tool = await start();
    const port = await tool.port();
    await tool.says(/from docker/);
    assert.equal(await status(port), 200);
    const [name = '', ...more] = await engine.containers();
    assert.match(name, /^tollgate-[0-9a-f]{12}$/);
    assert.deepEqual(more, []);
    await writeFile(file, testPolicy({ limit: 7 }));
    await tool.says(/in force: plan counted changed/);
    tool.kill('SIGINT');
    assert.deepEqual(await tool.exited, { code: 0, signal: null });
    assert.deepEqual(await engine.containers(), []);
  });

  it('serves for a user who is not root, with umask 077', async () => {
    const umask = process.umask(0o077);
    try {
      tool = await start({}, NOBODY);
    } finally {
      process.umask(umask);
    }
    assert.equal(await status(await tool.port()), 200);
  });

  it('takes the container down with it when it is killed', async () => {
    tool = await start();
    await tool.port();
    tool.kill('SIGKILL');
    await tool.exited;
    await noContainers('the container outlives the tool');
  });

  it("ends, and ends the container, when docker's client is killed", async () => {
    tool = await start();
    await tool.port();
    childrenOf(tool, 'docker').forEach((pid) => process.kill(pid, 'SIGKILL'));
    assert.equal((await tool.exited).code, 1);
    assert.match(tool.err, /^Envoy ended by itself/m);
    assert.deepEqual(await engine.containers(), []);
  });

  it('removes what a killed tool left whose watchdog was killed too, and nothing of a tool that runs', async () => {
    tool = await start();
    await tool.port();
    childrenOf(tool, 'sh').forEach((pid) => process.kill(pid, 'SIGKILL'));
    childrenOf(tool, 'docker').forEach((pid) => process.kill(pid, 'SIGKILL'));
    tool.kill('SIGKILL');
    await tool.exited;
    const left = await engine.containers();
    assert.equal(left.length, 1);
    const other = await start();
    const otherPort = await other.port();
    try {
      const running = await engine.containers();
      assert.equal(running.length, 1);
      assert.notDeepEqual(running, left);
      tool = await start();
      await tool.port();
      assert.equal((await engine.containers()).length, 2);
      assert.equal(await status(otherPort), 200);
    } finally {
      await other.end();
    }
  });

  it("gives docker's own reason, and what can be done, for a folder that the engine does not see", async () => {
    tool = await start({ TMPDIR: hidden });
    assert.equal((await tool.exited).code, 1);
    assert.match(
      tool.err,
      /^docker: cannot run envoyproxy\/envoy:v[0-9.]+: invalid mount config for type "bind": bind source path does not exist: .*hidden\/tollgate-trial-\w+$/m,
    );
    assert.match(tool.err, /^the engine must see the folder: TMPDIR names another/m);
    assert.doesNotMatch(tool.err, /--help|\n {4}at /);
  });

  it("gives docker's own reason when there is no engine, and when its socket is closed to the user", async () => {
    tool = await start({ DOCKER_HOST: `unix://${folder}/nowhere` });
    assert.equal((await tool.exited).code, 1);
    assert.match(
      tool.err,
      /^docker: no engine: Cannot connect to the Docker daemon at unix:\/\/\S+nowhere\. Is the docker daemon running\?\n$/,
    );
    const socket = engine.env.DOCKER_HOST.slice('unix://'.length);
    await chmod(socket, 0o600);
    tool = await start({}, NOBODY);
    assert.equal((await tool.exited).code, 1);
    assert.match(tool.err, /^docker: no engine: .*permission denied/i);
    await chmod(socket, 0o666);
  });

  it(
    'plays the demo with a Prometheus beside it, which reads the Envoy in the container',
    { skip: noPrometheus },
    async () => {
      await demoIsMonitored((tool = await monitoredDemo(engine)));
      tool.kill('SIGINT');
      assert.equal((await tool.exited).code, 0);
      assert.deepEqual(await engine.containers(), []);
    },
  );

  async function noContainers(complaint: string): Promise<void> {
    await eventually(
      async () => ((await engine.containers()).length === 0 ? true : null),
      () => complaint,
      5000,
    );
  }

  async function start(env: NodeJS.ProcessEnv = {}, user: { uid?: number; gid?: number } = {}): Promise<ToolProcess> {
    await writeFile(file, testPolicy());
    await chmod(file, 0o644);
    const upstreams = ['--upstream', `v1=${echo.url}`, '--upstream', `v2=${echo.url}`];
    return new ToolProcess(
      ['run', file, '--docker', '--port', String(await freePort()), ...upstreams],
      { ...engine.env, ...env },
      user,
    );
  }
});

async function status(port: number): Promise<number | undefined> {
  return (await sendRaw(port, requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [KEY] })))?.status;
}

/** Process ids of the tool's children that run that program. */
function childrenOf(tool: ToolProcess, program: string): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,comm='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, parent, command]) => parent === String(tool.pid) && command === program)
    .map(([pid]) => Number(pid));
}
