import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { SettableClock } from '../../harness/envoy/settableClock.ts';
import { eventually, freePort } from '../../harness/envoy/toolProcess.ts';
import { blocksOf, isAsShown, stepsOf, type Block } from '../../harness/page/block.ts';
import { Shell } from '../../harness/page/shell.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';

const found = await available();
/** The moment at which Envoy's clock stands, so that no window ends between two requests. */
const NOW = Date.UTC(2026, 8, 1, 12);
const SERVED = /in force on http:/;

const blocks = blocksOf('docs/cookbook.md');
const setup = blocks.find(({ mark }) => mark === 'setup')!.text;
const serve = blocks
  .find(({ mark }) => mark === 'serve')!
  .text.split('#')[0]!
  .trim();
const recipes = new Map<string, Block[]>();
for (const block of blocks.filter(({ mark }) => mark === 'policy' || mark === 'run'))
  recipes.set(block.section, [...(recipes.get(block.section) ?? []), block]);

describe('the cookbook, as a reader types it', { skip: found.skip }, () => {
  let clock: SettableClock | null = null;
  before(async () => void (clock = await SettableClock.make()));
  after(() => clock?.remove());

  for (const [title, parts] of recipes)
    it(title, async (context) => {
      if (clock === null || found.skip !== false) return context.skip('no clock that can be set here');
      clock.set(NOW);
      const folder = scratchFolder();
      symlinkSync(inPackage('scripts', 'bin.mjs'), join(folder, 'tollgate'));
      clock.write(found.envoy, join(folder, 'envoy'));
      await cook(folder, parts);
    });

  it('answers questions', () => {
    for (const [title, parts] of recipes) {
      assert.match(title, /\?$/);
      assert.ok(parts.some(({ mark }) => mark === 'policy') && parts.some(({ mark }) => mark === 'run'), title);
    }
  });
});

async function cook(folder: string, parts: readonly Block[]): Promise<void> {
  const port = await freePort();
  const PATH = [folder, process.env['PATH']].join(delimiter);
  const shell = new Shell(folder, { ...process.env, PATH, NO_COLOR: '1', ENVOY: undefined });
  const typed = (command: string): string =>
    command.replaceAll('npx tollgate', 'tollgate').replaceAll('localhost:8080', `localhost:${port}`);
  try {
    writeFileSync(join(folder, 'policy.yaml'), parts.find(({ mark }) => mark === 'policy')!.text);
    await shell.run(typed(setup));
    await shell.run(`${typed(serve)} --port ${port} > run.log 2>&1 &`);
    await eventually(
      async () => (SERVED.test(await shell.run('cat run.log 2> /dev/null || true')) ? true : null),
      () => shell.output,
    );
    for (const { page, line, command, printed: shown } of parts.filter(({ mark }) => mark === 'run').flatMap(inPage)) {
      const printed = (await shell.run(typed(command))).replaceAll(`localhost:${port}`, 'localhost:8080');
      assert.ok(isAsShown(shown ?? '', printed), `${page}:${line}: ${command}\nprinted\n${printed}`);
    }
  } finally {
    shell.end();
  }
}

const inPage = (block: Block) => stepsOf(block).map((step) => ({ page: block.page, ...step }));
