import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readOptions, type Options } from '../../bench/option.ts';
import { allVariants } from '../../bench/variants/all.ts';

let folder: string;
let module: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-option-'));
  module = join(folder, 'other.wasm');
  await writeFile(module, '');
});
after(() => rm(folder, { recursive: true, force: true }));

const read = (...args: string[]): Options => readOptions(args) as Options;
const names = ({ variants }: Options): string[] => variants.map(({ name }) => name);

describe('options of the benchmark', () => {
  it('measure every variant unless told otherwise', () => {
    assert.deepEqual(
      names(read()),
      allVariants.map(({ name }) => name),
    );
    assert.equal(new Set(names(read())).size, allVariants.length, 'no name twice');
  });

  it('keep the two that all are compared with', () => {
    assert.deepEqual(names(read('--only', 'lua-key')), ['no-filter', 'empty-module', 'lua-key']);
  });

  it('make a quick run short, and let it be longer', () => {
    const { rounds, seconds, quick } = read('--quick', '--rounds', '4');
    assert.deepEqual([rounds, seconds, quick], [4, 1, true]);
  });

  it('add other modules, also beside --only', async () => {
    const config = join(folder, 'config.json');
    await writeFile(config, '{"from":"file"}');
    const options = read(
      '--only',
      'lua-key',
      '--also',
      `one=${module},config=${config}`,
      '--also',
      `two=${module},config={"a":"b=c,d"}`,
      '--also',
      `three=${module}`,
    );
    const added = options.variants.filter(({ family }) => family === 'foreign');
    assert.deepEqual(
      added.map(({ name }) => name),
      ['one', 'two', 'three'],
    );
    assert.deepEqual(
      added.map((variant) => variant.configuration?.()),
      ['{"from":"file"}', '{"a":"b=c,d"}', ''],
    );
  });

  const wrong: [string[], RegExp][] = [
    [['--only', 'nobody'], /--only: no variant "nobody"; there are no-filter/],
    [['--rounds', '0'], /--rounds is a number from 1/],
    [['--seconds', '0.5'], /--seconds is a number from 1/],
    [['--also', 'x'], /--also is NAME=PATH/],
    [['--also', 'x=/nowhere/x.wasm'], /--also x: no file/],
    [['--nonsense'], /Unknown option '--nonsense'/],
  ];
  for (const [args, message] of wrong)
    it(`refuse ${args.join(' ')}`, () => assert.throws(() => read(...args), message));

  it('refuse a name that is taken', () => {
    assert.throws(() => read('--also', `lua-key=${module}`), /there is a variant of that name/);
    assert.throws(() => read('--also', `x=${module}`, '--also', `x=${module}`), /there is a variant of that name/);
  });
});

it('writes the page of whole runs alone', () => {
  for (const part of [['--quick'], ['--only', 'native']])
    assert.throws(() => readOptions(['--write-docs', ...part]), /--write-docs: only with all variants/);
});
