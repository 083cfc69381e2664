import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { NEWEST_WHEEL, wheel } from '../../scripts/envoy/find.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { startEcho } from '../../scripts/upstream/echo.ts';
import { SettableClock } from '../envoy/settableClock.ts';
import { eventually, freePort } from '../envoy/toolProcess.ts';
import { Shell } from '../page/shell.ts';
import { SCENES, type Scene } from './scene.ts';

export interface Played {
  readonly typed: string;
  readonly printed: string;
}

/** The moment at which Envoy's clock stands, so that no answer depends on when it was recorded. */
const NOW = Date.UTC(2026, 8, 1, 12);

/**
 * Types every scene into a shell with the real tool and a real Envoy, and keeps what they print. Ports are replaced
 * by the usual ones. Null: there is no clock here that can be set.
 */
export async function record(): Promise<Played[] | null> {
  const clock = await SettableClock.make();
  if (clock === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-recording-'));
  const echo = await startEcho('pets-v1');
  let shell: Shell | null = null;
  try {
    clock.set(NOW);
    const port = await freePort();
    await prepare(folder, clock, echo.url);
    const path = [folder, process.env['PATH']].join(delimiter);
    shell = new Shell(folder, { ...process.env, PATH: path, NO_COLOR: '1', ENVOY: undefined });
    const played: Played[] = [];
    for (const scene of SCENES) {
      const printed = await shell.run(here(scene.typed, port), 30_000);
      await until(folder, scene, shell);
      played.push({ typed: scene.typed.replace(' || true', ''), printed: asUsual(printed, port) });
    }
    return played;
  } finally {
    shell?.end();
    await echo.close();
    await Promise.all([rm(folder, { recursive: true, force: true }), clock.remove()]);
  }
}

/** Puts the tool, an Envoy whose clock stands, and a policy with a mistake into the folder. */
async function prepare(folder: string, clock: SettableClock, upstream: string): Promise<void> {
  await symlink(inPackage('scripts', 'bin.mjs'), join(folder, 'tollgate'));
  const envoy = { command: await wheel(NEWEST_WHEEL), version: '', source: 'PATH', prefix: () => [] } as const;
  clock.write(envoy, join(folder, 'envoy'));
  const policy = await readFile(inPackage('examples', 'petstore.policy.yaml'), 'utf8');
  await writeFile(
    join(folder, 'shop.yaml'),
    policy
      .replace('plans: [free, gold]', 'plans: [free, golden]')
      .replace(/^ {2}globex:\n {4}plan: gold\n/m, '')
      .replace('http://127.0.0.1:9001', upstream),
  );
}

function here(typed: string, port: number): string {
  return typed
    .replace('run shop.yaml', `run shop.yaml --port ${port}`)
    .replaceAll('localhost:8080', `localhost:${port}`);
}

function asUsual(printed: string, port: number): string {
  return printed
    .replaceAll(`127.0.0.1:${port}`, '127.0.0.1:8080')
    .replace(/(?<=admin http:\/\/127\.0\.0\.1:)\d+/g, '9901')
    .replace(/\r/g, '');
}

async function until(folder: string, { until: wanted, typed }: Scene, shell: Shell): Promise<void> {
  if (wanted === undefined) return;
  let text = '';
  await eventually(
    async () => {
      text = await readFile(join(folder, wanted.file), 'utf8').catch(() => '');
      return [...text.matchAll(wanted.pattern)].length >= wanted.count ? true : null;
    },
    () =>
      `${typed}: ${wanted.file} does not say ${String(wanted.pattern)} ${wanted.count} times:\n${text}${shell.output}`,
  );
}
