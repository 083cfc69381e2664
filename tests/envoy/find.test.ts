import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findEnvoy, isAtLeast, NEWEST_WHEEL, otherWays, versionIn } from '../../scripts/envoy/find.ts';
import { eventually } from '../../harness/envoy/toolProcess.ts';

describe('finding Envoy', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-find-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('reads the version of releases and development builds', () => {
    assert.equal(versionIn('envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL'), '1.40.0');
    assert.equal(versionIn('envoy  version: 9e55/1.41.0-dev/Modified/DEBUG/BoringSSL'), '1.41.0-dev');
    assert.equal(versionIn('GNU bash, version 5.2'), null);
    assert.deepEqual(
      ['1.35.9', '1.36.0', '1.100.0', '2.0.0'].map((version) => isAtLeast(version, '1.36')),
      [false, true, true, true],
    );
  });

  it('takes --envoy before $ENVOY before PATH before the cache', async () => {
    const [given, environment, onPath] = [
      await fake('given/envoy', '1.37.1'),
      await fake('environment/envoy', '1.38.1'),
      await fake('path/envoy', '1.39.1'),
    ];
    await fake(`cache/envoy/${NEWEST_WHEEL}/envoy`, NEWEST_WHEEL);
    const cache = join(folder, 'cache');
    const PATH = `${join(folder, 'path')}:${process.env.PATH}`;
    const all = { folder: cache, env: { ENVOY: environment, PATH } };
    assert.deepEqual(await short(findEnvoy({ ...all, path: given })), ['--envoy', '1.37.1']);
    assert.deepEqual(await short(findEnvoy(all)), ['$ENVOY', '1.38.1']);
    assert.deepEqual(await short(findEnvoy({ folder: cache, env: { PATH } })), ['PATH', '1.39.1']);
    assert.equal((await findEnvoy({ folder: cache, env: { PATH } })).command, onPath);
    assert.deepEqual(await short(findEnvoy({ folder: cache, env: { PATH: '/nowhere' } })), ['cache', NEWEST_WHEEL]);
  });

  it('refuses an Envoy older than 1.36 that the user names, naming its version', async () => {
    const old = await fake('old/envoy', '1.35.6');
    await assert.rejects(findEnvoy({ path: old }), {
      message: `--envoy: ${old} is Envoy 1.35.6; Tollgate needs 1.36 or newer`,
    });
  });

  it('passes over an older Envoy on PATH, and says so', async () => {
    await fake('aged/envoy', '1.30.0');
    await fake(`cache/envoy/${NEWEST_WHEEL}/envoy`, NEWEST_WHEEL);
    const said: string[] = [];
    const env = { PATH: `${join(folder, 'aged')}:${process.env.PATH}` };
    const found = await findEnvoy({ folder: join(folder, 'cache'), env, progress: (text) => said.push(text) });
    assert.equal(found.source, 'cache');
    assert.match(said.join(), /is Envoy 1\.30\.0; Tollgate needs 1\.36 or newer; looking further/);
  });

  it('refuses a program that is not Envoy', async () => {
    const other = join(folder, 'other');
    await writeFile(other, '#!/bin/sh\necho hello\n');
    await chmod(other, 0o755);
    await assert.rejects(findEnvoy({ path: other }), {
      message: `--envoy: ${other} is not an Envoy that runs here: hello`,
    });
    await assert.rejects(
      findEnvoy({ path: join(folder, 'absent') }),
      /--envoy: .*absent is not an Envoy that runs here: not found$/,
    );
  });

  it('takes envoy.exe on Windows and installs nothing there', async () => {
    const exe = await fake('windows/envoy.exe', '1.39.1');
    const env = { PATH: `${join(folder, 'windows')}:${process.env.PATH}` };
    assert.equal((await findEnvoy({ folder, env, platform: 'win32' })).command, exe);
    await assert.rejects(
      findEnvoy({ folder, env: { PATH: '/nowhere' }, platform: 'win32' }),
      /run Tollgate inside WSL/,
    );
  });

  it('says what to do on a machine for which PyPI has none', () => {
    assert.match(otherWays('darwin'), /macOS 15 and newer on Apple silicon.*brew install envoy/);
    assert.match(otherWays('linux'), /glibc.*--envoy PATH or \$ENVOY/);
  });

  it('stops waiting for an Envoy that hangs when the user wants to stop', async () => {
    for (const [name, body] of [
      ['hangs', 'exec sleep 300'],
      ['hangs-below', 'sleep 300 & echo $! > "$0.child"; wait'],
    ] as const) {
      const hanging = await script(`${name}/envoy`, `echo started > "$0.started"; ${body}`);
      const env = { PATH: `${join(folder, name)}:${process.env.PATH}` };
      for (const options of [{ path: hanging }, { env: { ENVOY: hanging } }, { env }]) {
        const stop = new AbortController();
        const said: string[] = [];
        const finding = findEnvoy({
          ...options,
          folder: join(folder, 'never'),
          signal: stop.signal,
          progress: (text) => said.push(text),
        });
        const refused = assert.rejects(finding, /envoy was stopped$/);
        await eventually(
          async () => (await readFile(`${hanging}.started`, 'utf8').catch(() => '')) || null,
          () => 'it does not start',
        );
        await rm(`${hanging}.started`);
        if (name === 'hangs-below')
          await eventually(
            async () => (await readFile(`${hanging}.child`, 'utf8').catch(() => '')).trim() || null,
            () => 'it starts nothing',
          );
        stop.abort();
        await refused;
        assert.deepEqual(said, []);
        if (name === 'hangs-below') process.kill(Number(await readFile(`${hanging}.child`, 'utf8')));
      }
    }
  });

  it('names what was tried when no installer works, and leaves nothing behind', async () => {
    const tools = join(folder, 'tools');
    for (const name of ['python3', 'pip3', 'uv'])
      await script(join('tools', name), `echo "${name} cannot" >&2; exit 1`);
    const cache = join(folder, 'empty');
    const before = process.env.PATH;
    process.env.PATH = `${tools}:${before}`;
    try {
      await assert.rejects(findEnvoy({ folder: cache, env: { PATH: '' } }), (error: Error) => {
        for (const name of ['python3', 'pip3', 'uv'])
          assert.ok(error.message.includes(`${name} cannot`), error.message);
        return error.message.includes('--envoy PATH or $ENVOY');
      });
    } finally {
      process.env.PATH = before;
    }
    assert.deepEqual(
      (await readdir(join(cache, 'envoy'), { recursive: true })).filter((name) => name !== NEWEST_WHEEL),
      [],
    );
  });

  async function short(finding: ReturnType<typeof findEnvoy>): Promise<[string, string]> {
    const { source, version } = await finding;
    return [source, version];
  }

  function fake(name: string, version: string): Promise<string> {
    return script(name, `echo "envoy  version: 0123abcd/${version}/Clean/RELEASE/BoringSSL"`);
  }

  async function script(name: string, body: string): Promise<string> {
    const path = join(folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `#!/bin/sh\n${body}\n`);
    await chmod(path, 0o755);
    return path;
  }
});
