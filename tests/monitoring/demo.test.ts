import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it, test } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { eventually, freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { PrometheusClient } from '../../harness/monitoring/prometheusClient.ts';
import { availableComponents } from '../../harness/components/available.ts';
import { MONITORING_COMPONENTS } from '../../harness/components/component.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { LocalPrometheus, PrometheusError } from '../../scripts/demo/prometheus.ts';
import { tollgate } from '../scripts/fakeIo.ts';

const envoy = await available();
const found = await availableComponents(MONITORING_COMPONENTS, 'npm test monitoring installs them');
const scratch = scratchFolder();

test('monitoring and the tour exclude each other', async () => {
  const { code, err } = await tollgate(['demo', '--tour', '--monitoring']);
  assert.equal(code, 2);
  assert.match(err, /--monitoring is for a demo that stays, --tour ends by itself/);
});

/** A folder with a program called prometheus that runs these lines of shell, and with what else the demo needs of PATH. */
function pathWith(script: string | null): string {
  const folder = mkdtempSync(join(scratch, 'path-'));
  for (const program of ['sh', 'rm', 'sleep']) symlinkSync(`/bin/${program}`, join(folder, program));
  if (script !== null) {
    writeFileSync(join(folder, 'prometheus'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'prometheus'), 0o755);
  }
  return folder;
}

describe('a Prometheus that does not start', () => {
  const start = async (script: string, signal?: AbortSignal): Promise<LocalPrometheus> =>
    LocalPrometheus.start({
      command: join(pathWith(script), 'prometheus'),
      adminPorts: [9],
      ...(signal && { signal }),
    });

  it('is reported with its own last words', async () => {
    await assert.rejects(start('echo "no such flag" >&2; exit 3'), (error) => {
      assert.ok(error instanceof PrometheusError);
      assert.match(error.message, /^Prometheus ended: exit code 3\n {2}no such flag$/);
      return true;
    });
  });

  it('is ended when the user does not want to wait', async () => {
    const stop = new AbortController();
    const started = start('exec sleep 60', stop.signal);
    setTimeout(() => stop.abort(), 200);
    await assert.rejects(started, { name: 'AbortError' });
  });

  it('is reported when it is no program', async () => {
    await assert.rejects(
      LocalPrometheus.start({ command: join(scratch, 'nothing'), adminPorts: [9] }),
      /Prometheus ended: .*ENOENT/,
    );
  });
});

describe('a real Prometheus', { skip: found.skip }, () => {
  it('knows the alerts whatever the folder for temporary files is called, and leaves nothing in it', async () => {
    const before = process.env['TMPDIR'];
    const folder = join(scratch, 'od d [x]*?');
    mkdirSync(folder);
    process.env['TMPDIR'] = folder;
    try {
      const command = found.skip === false ? found.paths.prometheus : '';
      const prometheus = await LocalPrometheus.start({ command, adminPorts: [9] });
      try {
        assert.ok((await new PrometheusClient(prometheus.url).rules()).length >= 15);
      } finally {
        await prometheus.stop();
      }
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  });
});

describe('tollgate demo --monitoring', { skip: envoy.skip }, () => {
  let tool: ToolProcess | null = null;
  afterEach(async () => {
    await tool?.end();
    tool = null;
  });

  async function demo(env: NodeJS.ProcessEnv): Promise<{ port: number; folder: string }> {
    const folder = mkdtempSync(join(scratch, 'demo-'));
    mkdirSync(join(folder, 'tmp'));
    const port = await freePort();
    tool = new ToolProcess(['demo', '--monitoring', '--port', String(port)], { TMPDIR: join(folder, 'tmp'), ...env });
    await tool.says(/Ctrl-C stops/);
    return { port, folder: join(folder, 'tmp') };
  }

  it('says how to install Prometheus where there is none, and goes on', { skip: isInSbin() }, async () => {
    const { port } = await demo({ PATH: pathWith(null) });
    assert.match(tool!.err, /no prometheus on PATH, .*install it \(Debian and Ubuntu: apt-get install prometheus/);
    assert.doesNotMatch(tool!.out, /prometheus on/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/v1/pets`)).status, 401);
    tool!.kill('SIGINT');
    assert.equal((await tool!.exited).code, 0);
  });

  it('says why Prometheus did not start, and goes on', async () => {
    const { port, folder } = await demo({ PATH: pathWith('echo "disk full" >&2; exit 1') });
    assert.match(tool!.err, /Prometheus ended: exit code 1\n {2}disk full; the demo goes on without/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/v1/pets`)).status, 401);
    assert.deepEqual(prometheusFolders(folder), []);
  });

  describe('with a real Prometheus', { skip: found.skip }, () => {
    it('prints where it is; it reads the metrics, knows the alerts, and ends with the demo', async () => {
      const { port, folder } = await demo({});
      const { url, client } = await beside();
      assert.equal(prometheusFolders(folder).length, 1);
      assert.equal((await fetch(`http://127.0.0.1:${port}/v1/pets`)).status, 401);
      await eventually(
        async () =>
          (await client.number('sum(tollgate_requests_total{reason="missing_api_key"})')) === 1 ? true : null,
        () => 'the request was not counted',
      );
      await eventually(
        async () => ((await client.rules()).every(({ health }) => health === 'ok') ? true : null),
        () => 'the alerts were not evaluated',
      );
      assert.ok((await client.rules()).length >= 15);
      tool!.kill('SIGINT');
      assert.equal((await tool!.exited).code, 0);
      await assert.rejects(fetch(url));
      assert.deepEqual(leftIn(folder), []);
    });

    it('ends it when the demo is killed, too', async () => {
      const { folder } = await demo({});
      const { url } = await beside();
      tool!.kill('SIGKILL');
      await tool!.exited;
      await eventually(
        () =>
          fetch(url).then(
            () => null,
            () => true as const,
          ),
        () => 'Prometheus lives on',
      );
      await eventually(
        () => (prometheusFolders(folder).length === 0 ? true : null),
        () => `left behind: ${leftIn(folder).join(', ')}`,
      );
    });

    it('is on loopback only', async () => {
      await demo({});
      const { url } = await beside();
      const lines = readFileSync('/proc/net/tcp', 'utf8');
      const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
      const listening = [...lines.matchAll(/^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) \S+ 0A/gm)].filter(
        (match) => match[2] === port,
      );
      assert.deepEqual(
        listening.map((match) => match[1]),
        ['0100007F'],
      );
    });

    it('tells when Prometheus ends by itself, and goes on', async () => {
      const { port, folder } = await demo({});
      await beside();
      const lock = join(folder, prometheusFolders(folder)[0]!);
      const pid = prometheusOf(lock);
      process.kill(pid, 'SIGKILL');
      await tool!.says(/Prometheus ended by itself: exit code SIGKILL/);
      assert.equal((await fetch(`http://127.0.0.1:${port}/v1/pets`)).status, 401);
      tool!.kill('SIGINT');
      assert.equal((await tool!.exited).code, 0);
      assert.deepEqual(leftIn(folder), []);
    });
  });

  async function beside(): Promise<{ url: string; client: PrometheusClient }> {
    const url = (await tool!.says(/^prometheus on (http:\/\/127\.0\.0\.1:\d+)$/m))[1]!;
    return { url, client: new PrometheusClient(url) };
  }
});

/** What the demo has left behind; tsx, which runs it here, has a folder of its own. */
function leftIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('tollgate-'));
}

function prometheusFolders(folder: string): string[] {
  return leftIn(folder).filter((name) => name.startsWith('tollgate-prometheus-'));
}

/** The process that was started with that folder. */
function prometheusOf(folder: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const mine = pids.find((pid) => commandOf(pid).includes(`--storage.tsdb.path=${folder}/data`));
  assert.ok(mine !== undefined, 'the process was found');
  return Number(mine);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** The folders that are looked in, whatever PATH says. */
function isInSbin(): string | false {
  return existsSync('/usr/sbin/prometheus') || existsSync('/sbin/prometheus') ? 'a prometheus is in /usr/sbin' : false;
}
