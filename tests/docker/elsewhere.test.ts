import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { IMAGE } from '../../scripts/docker/envoy.ts';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { available } from './available.ts';
import { Engine } from './engine.ts';
import { demoIsMonitored, monitoredDemo, noPrometheus } from './monitored.ts';

const found = await available();

for (const network of ['elsewhere', 'elsewhere without a way back'] as const) {
  describe(`run --docker with an engine ${network}`, { skip: found.skip }, () => {
    let engine: Engine;
    let folder: string;
    let echo: Echo;
    let tool: ToolProcess | null = null;
    before(async () => {
      if (found.skip !== false) return;
      folder = await mkdtemp(join(tmpdir(), 'tollgate-docker-'));
      engine = await Engine.start({ programs: found.paths, envoy: found.envoy, network });
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

    if (network === 'elsewhere') {
      it('plays the whole tour through published ports, edits among it', async () => {
        tool = new ToolProcess(['demo', '--tour', '--docker'], engine.env);
        const { code } = await tool.exited;
        assert.equal(code, 0, tool.out + tool.err);
        assert.match(tool.out, /all 6 steps answered as they should/);
        assert.match(tool.err, /upstreams on 127\.0\.0\.1 are reached as host\.docker\.internal/);
        assert.deepEqual(await engine.containers(), []);
      });

      it(
        'plays the demo with a Prometheus beside it, which reads the Envoy through its published port',
        { skip: noPrometheus },
        async () => {
          await demoIsMonitored((tool = await monitoredDemo(engine)));
          tool.kill('SIGINT');
          assert.equal((await tool.exited).code, 0);
          assert.deepEqual(await engine.containers(), []);
        },
      );

      it('reaches upstreams by any name of loopback, and shows other containers no more of the admin interface than it uses', async () => {
        tool = await start(`http://localhost:${echo.port}`);
        assert.equal(await status(await tool.port(), '/v1/pets'), 200);
        const admin = Number((await tool.says(/admin http:\/\/127\.0\.0\.1:(\d+)/))[1]);
        const pages = ['/ready', '/stats/prometheus', '/config_dump', '/quitquitquit', '/drain_listeners', '/runtime'];
        assert.deepEqual(await Promise.all(pages.map((page) => status(admin, page))), [200, 200, 403, 403, 403, 403]);
        const ports = await engine.succeed('ps', '--format', '{{.Ports}}');
        assert.doesNotMatch(ports, /0\.0\.0\.0|\[?::\]?:/);
      });

      it("names the port that is taken in the engine's network", async () => {
        await engine.succeed(
          'run',
          '--detach',
          '--rm',
          '--name',
          'other',
          '--publish',
          '127.0.0.1:18999:1',
          '--entrypoint',
          'sh',
          IMAGE,
          '-c',
          'while :; do read -t 60 x; done',
        );
        tool = await start(echo.url, ['--port', '18999']);
        assert.equal((await tool.exited).code, 1);
        assert.match(tool.err, /18999/);
        assert.doesNotMatch(tool.err, /\n {4}at |internal error/);
        await engine.succeed('rm', '--force', 'other');
      });
    } else {
      it('serves, says that upstreams on this machine are out of reach, and answers 503 for them', async () => {
        tool = await start(echo.url);
        assert.equal(await status(await tool.port(), '/v1/pets'), 503);
        await tool.says(
          /its containers do not reach 127\.0\.0\.1 of this machine \(as host\.docker\.internal\), so upstreams there will answer 503/,
        );
      });
    }

    async function start(url: string, more: string[] = []): Promise<ToolProcess> {
      const file = join(folder, 'petstore.policy.yaml');
      await writeFile(file, testPolicy());
      const port = more.includes('--port') ? [] : ['--port', String(await freePort())];
      return new ToolProcess(
        ['run', file, '--docker', ...port, '--upstream', `v1=${url}`, '--upstream', `v2=${url}`, ...more],
        engine.env,
      );
    }
  });
}

function status(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers: { 'x-api-key': 'rich-secret-key' }, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}
