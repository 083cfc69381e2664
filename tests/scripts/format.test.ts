import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { Random } from '../../harness/random.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { compilePolicy, readPolicy } from '../../scripts/policy/index.ts';
import { formatPolicy } from '../../scripts/policyFile/format.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();
const format = (text: string): string => formatPolicy(text, 'p.yaml');

/** Policies that somebody wrote, one layout each. */
const WRITTEN = [
  'examples/petstore.policy.yaml',
  'examples/docker/policy.yaml',
  ...readdirSync(inPackage('wasmplugins'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('policy.yaml'))
    .map((name) => `wasmplugins/${name}`),
  ...readdirSync(inPackage('tests', 'cases', 'policies')).map((name) => `tests/cases/policies/${name}`),
  'tests/scripts/compile/everything.policy.yaml',
  'tests/scripts/order/shop.policy.yaml',
  'tests/scripts/rateLimitService/shop.policy.yaml',
];

describe('the layout', () => {
  const cases: Record<string, [written: string, formatted: string]> = {
    'steps of two spaces, lists indented': ['a:\n    b:\n    - 1\n    -   2\n', 'a:\n  b:\n    - 1\n    - 2\n'],
    'spaces in braces, none in brackets, one after a colon and before a comment': [
      'a:   {b: [ 1,2 ],c:  { } }    # x\n',
      'a: { b: [1, 2], c: {} } # x\n',
    ],
    'one empty line where there were more, none at the beginning': ['\n\na: 1\n\n\n\nb: 2\n\n\n', 'a: 1\n\nb: 2\n'],
    'comments beside a field stay there, those on lines of their own too': [
      'a:   # one\n    # two\n    b: 1   # three\n',
      'a: # one\n  # two\n  b: 1 # three\n',
    ],
    'a collection with comments inside becomes a block': ['a: [\n  1, # one\n  2\n  ]\n', 'a:\n  - 1 # one\n  - 2\n'],
    'a collection that does not fit into 120 columns becomes a block, what is inside need not': [
      `a: { b: [${'x'.repeat(60)}, ${'y'.repeat(60)}], c: { d: 1 } }\n`,
      `a:\n  b:\n    - ${'x'.repeat(60)}\n    - ${'y'.repeat(60)}\n  c: { d: 1 }\n`,
    ],
    'words, numbers and quotes as they are written': [
      `a: [007, 0x1f, 1e3, 'x', "\\u00e9", "no", ~, yes]\n`,
      `a: [007, 0x1f, 1e3, 'x', "\\u00e9", "no", ~, yes]\n`,
    ],
    'block scalars': ['a:    |-\n      one\n        two\nb: >\n  x\n  y\n', 'a: |-\n  one\n    two\nb: >\n  x y\n'],
    'JSON stays JSON': ['{"a":[1,{"b":null}]}', '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ]\n}\n'],
    'braces around everything that are no JSON become a block': ['{a: 1, # x\n b: 2}\n', 'a: 1 # x\nb: 2\n'],
    'Windows line breaks and a byte order mark': ['\ufeffa:   1\r\n\r\n\r\nb: 2', '\ufeffa: 1\r\n\r\nb: 2\r\n'],
  };
  for (const [name, [written, formatted]] of Object.entries(cases))
    it(name, () => {
      assert.equal(format(written), formatted);
      assert.equal(format(formatted), formatted);
    });
});

test('written policies compile to the same config, and most of them are formatted already', () => {
  const changed = WRITTEN.filter((file) => {
    const text = readFileSync(inPackage(file), 'utf8');
    const formatted = format(text);
    assert.equal(format(formatted), formatted, file);
    const [before, after] = [text, formatted].map((one) => readPolicy(one, file));
    assert.deepEqual(
      after!.problems.map(({ rule }) => rule),
      before!.problems.map(({ rule }) => rule),
      file,
    );
    if (before!.policy !== null) assert.deepEqual(compilePolicy(after!.policy!), compilePolicy(before!.policy), file);
    return formatted !== text;
  });
  assert.ok(changed.length > 0 && changed.length < WRITTEN.length / 3, changed.join('\n'));
});

test('a field misspelt is no reason not to format; what cannot be read is, and is said as check says it', async () => {
  assert.equal(format('polcy:   x\n'), 'polcy: x\n');
  for (const [text, rule] of [
    ['a: &x 1\nb: *x\n', /^standard input:1: a: must be in quotes .* YAML anchor/m],
    ['a: 1\na: 2\n', /^standard input:2: a: must be given once; it stands on line 1 already$/m],
    ['a: !!str 1\n', /YAML tag/],
    ['a: 1\n---\nb: 2\n', /must be a single YAML document/],
    ['a: [1\n', /^standard input:\d+:\d+: must be valid YAML/],
    ['', /must hold a policy; the file is empty/],
  ] as const) {
    const { code, out, err } = await tollgate(['fmt', '-'], { stdin: text });
    assert.deepEqual([code, out], [1, ''], text);
    assert.match(err, rule);
  }
});

/** Writes a random value in a random layout, with a comment wherever one can stand. */
class Scribe {
  #comments = 0;

  constructor(private readonly random: Random) {}

  get count(): number {
    return this.#comments;
  }

  document(): string {
    const text = `${this.lines(0)}${this.mapping(0, 0)}${this.lines(0)}`;
    return this.random.below(4) === 0 ? text.replaceAll('\n', '\r\n') : text;
  }

  private one<T>(...values: T[]): T {
    return values[this.random.below(values.length)]!;
  }

  private gap(): string {
    return ' '.repeat(1 + this.random.below(3));
  }

  private comment(): string {
    return this.random.below(4) === 0 ? `${this.gap()}#${this.one(' ', '')}c${this.#comments++}` : '';
  }

  private lines(indent: number): string {
    return this.one(
      '',
      '',
      '',
      '\n',
      '\n\n',
      `${' '.repeat(indent)}# c${this.#comments++}\n`,
      `# c${this.#comments++}\n\n`,
    );
  }

  private scalar(inFlow: boolean): string {
    const plain = ['a', 'x y', '007', '1e3', 'yes', '~', 'null', '12:30', '0x1f', 'a#b', 'http://a/b', '-', 'é', '.5'];
    const quoted = [`'it''s'`, `"a\\tb # c"`, `'# no comment'`, `": "`, `"\\u202e"`, `''`];
    const value = this.one(...plain, ...quoted);
    return value === '-' ? '"-"' : inFlow && value === '~' ? 'null' : value;
  }

  private flow(depth: number): string {
    const [open, close] = this.one(['{', '}'], ['[', ']']);
    const space = this.one('', ' ');
    const items = Array.from({ length: this.random.below(4) }, (_, at) => {
      const value = depth > 0 && this.random.below(3) === 0 ? this.flow(depth - 1) : this.scalar(true);
      return open === '{' ? `k${at}: ${value}` : value;
    });
    const comment = this.random.below(12) === 0 && items.length > 0 ? ` # c${this.#comments++}\n       ` : '';
    return `${open}${space}${items.join(`,${this.gap()}`)}${comment}${space}${close}`;
  }

  private block(indent: number): string {
    const step = ' '.repeat(indent + 1 + this.random.below(3));
    return `${this.one('|', '>', '|-', '>-', '|+')}\n${step}one # no comment\n${this.one('', '\n', `${step}  more\n`)}${step}two\n`;
  }

  private mapping(indent: number, depth: number): string {
    const step = indent + 1 + this.random.below(4);
    let text = '';
    for (let at = 0; at <= this.random.below(4); at++) {
      text += `${this.lines(indent)}${' '.repeat(indent)}${this.one(`k${at}`, `"k ${at}"`, `${at}`)}:`;
      text += this.value(indent, step, depth);
    }
    return text;
  }

  private value(indent: number, step: number, depth: number): string {
    switch (depth > 3 ? this.random.below(4) : this.random.below(7)) {
      case 0:
        return `${this.comment()}\n`;
      case 1:
        return `${this.gap()}${this.flow(2)}${this.comment()}\n`;
      case 2:
        return `${this.gap()}${this.block(indent)}`;
      case 3:
        return `${this.gap()}${this.scalar(false)}${this.comment()}\n`;
      case 4:
        return `${this.comment()}\n${this.list(indent + this.random.below(3), depth + 1)}`;
      default:
        return `${this.comment()}\n${this.mapping(step, depth + 1)}`;
    }
  }

  private list(indent: number, depth: number): string {
    let text = '';
    for (let at = 0; at <= this.random.below(3); at++) {
      const dash = `${this.lines(indent)}${' '.repeat(indent)}-`;
      text +=
        depth < 4 && this.random.below(3) === 0
          ? `${dash} ${this.mapping(indent + 2, depth + 1).replace(/^(?:\s*#.*\n|\s*\n)*\s*/, '')}`
          : `${dash}${this.gap()}${this.scalar(false)}${this.comment()}\n`;
    }
    return text;
  }
}

test('random policies keep their values and all their comments, and formatting twice is formatting once', (t) => {
  const seed = Number(process.env['SEED'] ?? 12);
  let [formatted, refused] = [0, 0];
  for (let at = 0; at < 3000; at++) {
    const text = new Scribe(new Random(seed * 10_000 + at)).document();
    let value: unknown;
    try {
      value = load(text, { schema: CORE_SCHEMA });
    } catch {
      continue;
    }
    let result: string;
    try {
      result = format(text);
    } catch (error) {
      assert.match((error as Error).constructor.name, /^(?:PolicyFileError|PolicyProblems)$/, String(error));
      refused++;
      if (process.env['SHOW'] !== undefined) t.diagnostic(`${(error as Error).message.split('\n')[0]}\n${text}`);
      continue;
    }
    formatted++;
    const name = `seed ${seed}, text ${at}:\n${text}`;
    assert.deepEqual(load(result, { schema: CORE_SCHEMA }), value, name);
    const comments = (from: string): string[] => [...from.matchAll(/#\s?(c\d+)/g)].map(([, label]) => label!);
    assert.deepEqual(comments(result), comments(text), name);
    assert.equal(format(result), result, name);
  }
  t.diagnostic(`${formatted} formatted, ${refused} refused`);
  assert.ok(formatted > 2000 && refused < formatted / 50, `${formatted} formatted, ${refused} refused`);
});

describe('tollgate fmt', () => {
  const UGLY = 'policy:   shop   # ours\n';
  const NEAT = 'policy: shop # ours\n';

  it('changes files in their place, and lists those that it has changed', async () => {
    const [ugly, neat] = [scratchFile(folder, UGLY), scratchFile(folder, NEAT)];
    chmodSync(ugly, 0o640);
    const before = statSync(neat);
    assert.deepEqual(await tollgate(['fmt', ugly, neat]), { code: 0, out: `${ugly}\n`, err: '' });
    assert.equal(readFileSync(ugly, 'utf8'), NEAT);
    assert.equal(statSync(ugly).mode & 0o777, 0o640);
    assert.deepEqual([statSync(neat).ino, statSync(neat).mtimeMs], [before.ino, before.mtimeMs]);
  });

  it('follows a link to the file behind it', async () => {
    const ugly = scratchFile(folder, UGLY);
    const link = `${ugly}.link`;
    symlinkSync(ugly, link);
    assert.equal((await tollgate(['fmt', link])).code, 0);
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.equal(readFileSync(ugly, 'utf8'), NEAT);
  });

  it('--check lists what is not formatted, writes nothing and ends with 1', async () => {
    const [ugly, neat] = [scratchFile(folder, UGLY), scratchFile(folder, NEAT)];
    assert.deepEqual(await tollgate(['fmt', '--check', neat, ugly]), { code: 1, out: `${ugly}\n`, err: '' });
    assert.deepEqual(await tollgate(['fmt', '--check', neat]), { code: 0, out: '', err: '' });
    assert.equal(readFileSync(ugly, 'utf8'), UGLY);
    assert.deepEqual(await tollgate(['fmt', '--check', '-'], { stdin: UGLY }), {
      code: 1,
      out: 'standard input\n',
      err: '',
    });
  });

  it('reads standard input and prints the result', async () => {
    assert.deepEqual(await tollgate(['fmt', '-'], { stdin: UGLY }), { code: 0, out: NEAT, err: '' });
  });

  it('goes on after a file that cannot be read, and leaves that one alone', async () => {
    const [bad, ugly] = [scratchFile(folder, 'a: [\n'), scratchFile(folder, UGLY)];
    const { code, out, err } = await tollgate(['fmt', '/no/such.yaml', bad, ugly]);
    assert.deepEqual([code, out], [1, `${ugly}\n`]);
    assert.match(err, /^\/no\/such\.yaml: no such file\n.*: must be valid YAML/s);
    assert.equal(readFileSync(bad, 'utf8'), 'a: [\n');
  });

  it('changes nothing where an escape would become a character that nobody sees', async () => {
    const text = 'a: "x \\\n  \\u202e y"\n';
    const { code, out, err } = await tollgate(['fmt', '-'], { stdin: text });
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /^standard input: is written in a way that cannot be formatted safely; nothing was changed\n$/);
  });

  it('changes nothing once it is stopped', async () => {
    const ugly = scratchFile(folder, UGLY);
    assert.equal((await tollgate(['fmt', ugly], { signal: AbortSignal.abort('SIGINT') })).code, 1);
    assert.equal(readFileSync(ugly, 'utf8'), UGLY);
  });

  it('leaves the old file or the new one whatever kills it, and nothing beside it after the next', async () => {
    const desk = scratchFolder();
    const file = join(desk, 'p.yaml');
    const text = `${UGLY}consumers:\n${Array.from({ length: 3000 }, (_, at) => `    c${at}: {plan:   free}\n`).join('')}`;
    const wanted = format(text);
    for (const afterMs of [300, 450, 600, 800]) {
      writeFileSync(file, text);
      const child = spawn(process.execPath, [inPackage('scripts', 'bin.mjs'), 'fmt', file], { stdio: 'ignore' });
      const closed = new Promise((resolve) => child.on('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await closed;
      const now = readFileSync(file, 'utf8');
      assert.ok(now === text || now === wanted, `${now.length} characters`);
    }
    writeFileSync(file, text);
    assert.equal((await tollgate(['fmt', file])).code, 0);
    assert.deepEqual(readdirSync(desk), ['p.yaml']);
  });

  it('two at once, and one that issues keys, lose nothing', async () => {
    const file = scratchFile(
      folder,
      readFileSync(inPackage('examples', 'petstore.policy.yaml'), 'utf8').replace(/: /g, ':   '),
    );
    const runs = await Promise.all([
      tollgate(['fmt', file]),
      ...Array.from({ length: 4 }, () => tollgate(['keys', 'issue', '--consumer', 'acme', file])),
      tollgate(['fmt', file]),
    ]);
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 0, 0, 0, 0, 0],
      runs.map(({ err }) => err).join(''),
    );
    const { policy } = readPolicy(readFileSync(file, 'utf8'), file);
    assert.equal(policy!.consumers['acme']!.keys.length, 4);
    assert.equal((await tollgate(['fmt', file])).code, 0);
    assert.equal((await tollgate(['fmt', '--check', file])).code, 0);
  });
});
