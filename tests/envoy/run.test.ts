import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { available } from '../../harness/envoy/available.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { eventually, freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';

const found = await available();
const KEY = 'rich-secret-key';

describe('tollgate run', { skip: found.skip }, () => {
  let folder: string;
  let echo: Echo;
  let file: string;
  let tool: ToolProcess | null = null;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-run-'));
    echo = await startEcho('echo');
    file = join(folder, 'petstore.policy.yaml');
  });
  afterEach(async () => {
    await tool?.end();
    tool = null;
  });
  after(async () => {
    await echo.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('serves the policy, logs requests without their query, never prints a key, and ends with 0 on Ctrl-C', async () => {
    tool = await start();
    const port = await tool.port();
    assert.equal((await get(port, '/v1/pets'))?.status, 401);
    assert.equal((await get(port, `/v1/pets?api_key=${KEY}`))?.status, 200);
    await tool.says(
      /GET \/v1\/pets 200 \d+ ms reason=allowed api=petstore route=petstore\/default consumer=rich key=rich-1 plan=endless\n/,
    );
    await tool.says(/GET \/v1\/pets 401 \d+ ms reason=missing_api_key api=petstore\n/);
    tool.kill('SIGINT');
    assert.deepEqual(await tool.exited, { code: 0, signal: null });
    assert.equal((tool.out + tool.err).includes('secret-key'), false);
    assert.equal(await get(port, '/v1/pets'), null);
  });

  it('puts an edit in force within a second, saved in place or by a rename, and says what changed', async () => {
    tool = await start();
    const port = await tool.port();
    const upstreamOf = async (): Promise<string> =>
      (
        await get(port, '/v1/pets', [
          ['x-api-key', KEY],
          ['x-take', 'fresh'],
        ])
      )?.body.match(/"x-tollgate-route": "([^"]+)"/)?.[1] ?? '';
    assert.equal(await upstreamOf(), 'petstore/default');
    await writeFile(file, testPolicy({ routes: ['fresh'] }));
    await eventually(
      async () => ((await upstreamOf()) === 'petstore/fresh' ? true : null),
      () => 'the edit is not in force',
      1000,
    );
    await tool.says(/petstore\.policy\.yaml in force: API petstore changed, route petstore\/fresh added\n/);
    await writeFile(`${file}~`, testPolicy({ limit: 7 }));
    await rename(`${file}~`, file);
    await tool.says(/in force: API petstore changed, plan counted changed, route petstore\/fresh removed\n/);
    assert.equal(await upstreamOf(), 'petstore/default');
  });

  it('refuses an edit with problems by file and line, and goes on with the old policy', async () => {
    tool = await start();
    const port = await tool.port();
    await writeFile(file, testPolicy().replace('plan: endless', 'plan: missing'));
    const line =
      testPolicy()
        .split('\n')
        .findIndex((text) => text.includes('plan: endless')) + 1;
    await tool.says(
      new RegExp(
        `edit refused, the old policy keeps serving:\\n.*petstore\\.policy\\.yaml:${line}: consumers\\.rich\\.plan: .*"missing"`,
      ),
    );
    assert.equal((await get(port, '/v1/pets', [['x-api-key', KEY]]))?.status, 200);
    await writeFile(file, testPolicy({ limit: 9 }));
    await tool.says(/in force: plan counted changed/);
  });

  it('tells at start what a policy without upstreams answers', async () => {
    await writeFile(file, 'policy: shop\napis: { pets: { paths: [/], anonymous: allow } }\n');
    tool = new ToolProcess(['run', file, '--port', String(await freePort())]);
    assert.equal((await get(await tool.port(), '/'))?.status, 404);
    assert.match(
      tool.err,
      /^tollgate: the policy has no upstreams, so a request that it allows is answered with 404, .*$/m,
    );
  });

  it('serves a policy from standard input, and stops when nobody reads what it says', async () => {
    const script = `exec '${process.execPath}' '${inPackage('scripts', 'bin.mjs')}' run - --port "$1" < "$2"`;
    await writeFile(file, 'policy: shop\napis: { pets: { paths: [/], anonymous: allow } }\n');
    const port = await freePort();
    const child = spawn('sh', ['-c', script, 'sh', String(port), file], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise((resolve) => child.on('close', resolve));
    let err = '';
    child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    assert.match(line.toString(), /^tollgate: standard input in force on /);
    child.stdout.destroy();
    assert.equal((await get(port, '/'))?.status, 404);
    assert.equal(await ended, 0);
    assert.match(err, /^tollgate: nobody reads standard output any more; stopping$/m);
    assert.equal(await get(port, '/'), null);
  });

  it('names the port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    tool = await start(['--port', String(port)]);
    assert.equal((await tool.exited).code, 1);
    assert.equal(tool.err, `port ${port} is in use by another program; pick another with --port\n`);
    other.close();
  });

  it('names every problem of the policy before anything is started', async () => {
    await writeFile(file, 'policy: Petstore!\napis: {}\nplanz: {}\n');
    tool = new ToolProcess(['run', file]);
    assert.equal((await tool.exited).code, 1);
    assert.match(tool.err, /petstore\.policy\.yaml:1: policy: .*\n.*petstore\.policy\.yaml:3:1: .*"planz"/s);
    assert.equal(tool.out, '');
  });

  it('takes Envoy down with it when it is killed', async () => {
    tool = await start();
    const port = await tool.port();
    assert.equal((await get(port, '/v1/pets'))?.status, 401);
    tool.kill('SIGKILL');
    await tool.exited;
    await eventually(
      async () => ((await get(port, '/v1/pets')) === null ? true : null),
      () => 'Envoy outlives the tool',
    );
  });

  async function start(more: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<ToolProcess> {
    await writeFile(file, testPolicy());
    const port = more.includes('--port') ? [] : ['--port', String(await freePort())];
    return new ToolProcess(
      ['run', file, ...port, '--upstream', `v1=${echo.url}`, '--upstream', `v2=${echo.url}`, ...more],
      env,
    );
  }

  function get(port: number, path: string, headers: [string, string][] = []): Promise<WireReply | null> {
    return sendRaw(port, requestBytes({ method: 'GET', path, host: 'any', headers }));
  }
});
