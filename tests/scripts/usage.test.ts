import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { after, test } from 'node:test';
import util, { type ParseArgsConfig } from 'node:util';
import { usageOf, type Form } from '../../scripts/cli/help/usage.ts';
import { tollgate } from './fakeIo.ts';

/** What each command really takes, heard where it hands its options to Node's reader. */
const original = util.parseArgs;
let heard: NonNullable<ParseArgsConfig['options']> | null = null;
util.parseArgs = ((config: ParseArgsConfig) => {
  heard ??= config.options ?? {};
  return original(config);
}) as typeof util.parseArgs;
syncBuiltinESMExports();
after(() => {
  util.parseArgs = original;
  syncBuiltinESMExports();
});

const help = (await tollgate(['--help'])).out;
const names = [...help.matchAll(/^ {2}([a-z][a-z-]*) {2,}\S/gm)].map(([, name]) => name!);

async function optionsOf(name: string, { subcommand }: Form): Promise<string[]> {
  heard = null;
  const { code } = await tollgate([name, ...(subcommand === null ? [] : [subcommand]), '--no-such-option']);
  assert.equal(code, 2, name);
  assert.ok(heard !== null, `${name} reads its options with parseArgs before anything else`);
  return Object.entries(heard as NonNullable<ParseArgsConfig['options']>)
    .map(
      ([long, { type, short }]) =>
        `${short === undefined ? '' : `-${short}, `}--${long}${type === 'string' ? ' VALUE' : ''}`,
    )
    .sort();
}

test('the commands were found', () => {
  assert.ok(names.length > 15 && names.includes('check') && names.includes('completion'), names.join());
});

for (const name of names) {
  test(`tollgate ${name} --help names the options that it takes, those and no others`, async () => {
    const { forms } = usageOf((await tollgate([name, '--help'])).out);
    assert.ok(forms.length > 0, 'a form: "usage: tollgate NAME …"');
    for (const form of forms) {
      const said = form.options.map(
        ({ short, long, value }) => `${short === null ? '' : `${short}, `}${long}${value === null ? '' : ' VALUE'}`,
      );
      assert.deepEqual(said.sort(), await optionsOf(name, form), form.subcommand ?? name);
    }
  });

  test(`tollgate ${name} --help is written as all are: summary, usage, examples, in lines that fit`, async () => {
    const { out } = await tollgate([name, '--help']);
    assert.match(out, new RegExp(`^tollgate ${name}: [a-z].*[^.]\n\n(?:.+\n)*\n?usage:`));
    assert.match(out, /^examples?:\n {2}\S/m);
    for (const line of out.split('\n')) assert.ok(line.length <= 140, line);
    assert.deepEqual(await tollgate(['help', name]), { code: 0, out, err: '' });
  });
}

test('a usage is read with its forms, values and words', () => {
  const text = `tollgate x: does it

usage: tollgate x POLICY… [--json] -o DIR [--context NAME]
       tollgate x --resource FILE a|b

  POLICY         a file
  -o, --out DIR  where to; --not-one of them
                 or so
  --kind A|B.c
                 which
  --sbom [x|y]   maybe

  --looks like an option

examples:
  tollgate x --other`;
  const { summary, forms } = usageOf(text);
  assert.equal(summary, 'does it');
  assert.equal(forms.length, 1);
  assert.deepEqual(forms[0]!.operands, [
    { kind: 'file', name: 'POLICY' },
    { kind: 'choice', choices: ['a', 'b'] },
  ]);
  assert.deepEqual(forms[0]!.options, [
    { long: '--out', short: '-o', value: { kind: 'folder', name: 'DIR' }, words: 'where to; --not-one of them or so' },
    { long: '--kind', short: null, value: { kind: 'choice', choices: ['A', 'B.c'] }, words: 'which' },
    { long: '--sbom', short: null, value: { kind: 'choice', choices: ['x', 'y'] }, words: 'maybe' },
    { long: '--json', short: null, value: null, words: '' },
    { long: '--context', short: null, value: { kind: 'free', name: 'NAME' }, words: '' },
    { long: '--resource', short: null, value: { kind: 'file', name: 'FILE' }, words: '' },
  ]);
});
