import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { CORE_SCHEMA, load } from 'js-yaml';
import { digestKey } from '../../scripts/key/key.ts';
import { readPolicy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();

/** One of many ways to lay out the same policy. */
interface Hand {
  readonly step: number;
  readonly listStep: number;
  readonly lineBreak: string;
  readonly endsWithLineBreak: boolean;
  readonly mark: boolean;
  /** Consumed in turn: what stands beside and between the lines. */
  readonly comments: readonly string[];
}

type KeysForm = 'absent' | 'nothing' | 'null' | '[]' | 'block' | 'compact' | 'flow';
type ConsumerForm = 'block' | 'flow';

interface Written {
  readonly name: string;
  readonly form: ConsumerForm;
  readonly keys: KeysForm;
  readonly keysFirst: boolean;
  readonly quoted: boolean;
}

interface Specimen {
  readonly hand: Hand;
  readonly consumers: readonly Written[];
  readonly target: number;
  /** The target is not in the file yet. */
  readonly fresh: boolean;
  readonly consumersLast: boolean;
}

const comment = fc.constantFrom('', '', '', ' # why', '  # ünïcode 🗝', '\t# tab', ' # {not: [yaml', ' # - id: x');
const hand: fc.Arbitrary<Hand> = fc.record({
  step: fc.integer({ min: 1, max: 5 }),
  listStep: fc.integer({ min: 0, max: 4 }),
  lineBreak: fc.constantFrom('\n', '\r\n'),
  endsWithLineBreak: fc.boolean(),
  mark: fc.boolean(),
  comments: fc.array(comment, { minLength: 5, maxLength: 20 }),
});
const written: fc.Arbitrary<Written> = fc.record({
  name: fc.stringMatching(/^[A-Za-z][A-Za-z0-9._@-]{0,8}$/),
  form: fc.constantFrom('block', 'flow'),
  keys: fc.constantFrom('absent', 'nothing', 'null', '[]', 'block', 'compact', 'flow'),
  keysFirst: fc.boolean(),
  quoted: fc.boolean(),
});
const specimen: fc.Arbitrary<Specimen> = fc.record({
  hand,
  consumers: fc.uniqueArray(written, { minLength: 1, maxLength: 4, selector: ({ name }) => name }),
  target: fc.nat(),
  fresh: fc.boolean(),
  consumersLast: fc.boolean(),
});

function write({ hand, consumers, target, fresh, consumersLast }: Specimen): { text: string; consumer: string } {
  const chosen = consumers[target % consumers.length]!;
  const inFile = consumers.filter((one) => !fresh || one !== chosen);
  const lines =
    inFile.length === 0
      ? ['consumers: {}']
      : ['consumers:', ...inFile.flatMap((one, index) => consumerLines(one, index, hand))];
  const rest = ['apis: { pets: { paths: [/], plans: [free] } }', 'plans:', `${' '.repeat(hand.step)}free:`];
  const all = ['policy: shop', ...(consumersLast ? [...rest, ...lines] : [...lines, ...rest])];
  const decorated = all.flatMap((line, index) => {
    const beside = hand.comments[index % hand.comments.length]!;
    const below = hand.comments[(index * 7 + 3) % hand.comments.length]!;
    return [line + beside, ...(below.startsWith(' ') ? ['', below] : [])];
  });
  const text = decorated.join(hand.lineBreak) + (hand.endsWithLineBreak ? hand.lineBreak : '');
  return { text: (hand.mark ? '\ufeff' : '') + text, consumer: chosen.name };
}

function consumerLines(
  { name, form, keys, keysFirst, quoted }: Written,
  index: number,
  { step, listStep }: Hand,
): string[] {
  const key = quoted ? JSON.stringify(name) : name;
  const digest = `sha256:${String(index + 1).repeat(64)}`;
  const [one, two] = [' '.repeat(step), ' '.repeat(step * 2)];
  const item = ' '.repeat(step * 2 + listStep);
  if (form === 'flow') {
    const inside =
      { absent: '', nothing: 'keys: ', null: 'keys: null', '[]': 'keys: [ ]' }[keys as string] ??
      `keys: [{ id: old, digest: "${digest}" }]`;
    const fields = keysFirst ? [inside, 'plan: free'] : ['plan: free', inside];
    return [`${one}${key}: { ${fields.filter((field) => field !== '').join(', ')} }`];
  }
  const list: Record<KeysForm, string[]> = {
    absent: [],
    nothing: [`${two}keys:`],
    null: [`${two}keys: ~`],
    '[]': [`${two}keys: []`],
    block: [`${two}keys:`, `${item}- id: old`, `${item}  digest: ${digest}`],
    compact: [`${two}keys:`, `${item}- { id: old, digest: "${digest}" }`],
    flow: [`${two}keys: [{ id: old, digest: "${digest}" }]`],
  };
  const plan = [`${two}plan: free`];
  return [`${one}${key}:`, ...(keysFirst ? [...list[keys], ...plan] : [...plan, ...list[keys]])];
}

interface Document {
  consumers?: Record<string, { plan?: string; keys?: object[] | null } | null>;
}

function read(text: string): Document {
  return load(text, { schema: CORE_SCHEMA }) as Document;
}

/** What was put into `before` to make `after`, if nothing else was done to it. */
function insertion(before: string, after: string): string | null {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start++;
  const rest = before.length - start;
  return after.endsWith(before.slice(start)) ? after.slice(start, after.length - rest) : null;
}

/** The text without the words for "empty" that an insertion takes the place of. */
function withoutEmpty(text: string): string {
  return text.replace(/^([^#\r\n]*:) (?:\{\}|\[\]|~|null)/gm, '$1');
}

test('issuing adds the key and changes nothing else, however the policy is written', async () => {
  await fc.assert(
    fc.asyncProperty(specimen, async (specimen) => {
      const { text: before, consumer } = write(specimen);
      assert.deepEqual(readPolicy(before, 'before').problems, []);
      const file = scratchFile(folder, before, 'property.yaml');
      const { code, out, err } = await tollgate([
        'keys',
        'issue',
        '--consumer',
        consumer,
        '--id',
        'new',
        '--plan',
        'free',
        file,
      ]);
      assert.equal(code, 0, err);
      const after = readFileSync(file, 'utf8');

      const expected = read(before);
      const consumers = (expected.consumers ??= {});
      const entry = (consumers[consumer] ??= { plan: 'free' });
      entry.keys = [...(entry.keys ?? []), { id: 'new', digest: digestKey(out.trimEnd()) }];
      assert.deepEqual(read(after), expected);

      const inserted =
        insertion(before, after) ??
        insertion(withoutEmpty(before), withoutEmpty(after)) ??
        insertion(before.replace('keys: null', 'keys: '), after);
      assert.notEqual(inserted, null, after);
      if (/[\r\n]/.test(inserted!))
        assert.ok(
          inserted!.split(/\r\n|\n/).length >= 2 && !inserted!.replaceAll(specimen.hand.lineBreak, '').match(/[\r\n]/),
        );
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('issuing and revoking leaves a policy that says so', async () => {
  await fc.assert(
    fc.asyncProperty(specimen, async (specimen) => {
      const { text, consumer } = write(specimen);
      const file = scratchFile(folder, text, 'property.yaml');
      await tollgate(['keys', 'issue', '--consumer', consumer, '--id', 'new', '--plan', 'free', file]);
      const issued = readFileSync(file, 'utf8');
      const { code, err } = await tollgate(['keys', 'revoke', '--consumer', consumer, '--id', 'new', file]);
      assert.equal(code, 0, err);
      const revoked = readFileSync(file, 'utf8');
      assert.match(insertion(issued, revoked) ?? '', /^(?:, revoked: true|\s*revoked: true\s*)$/);
      assert.deepEqual(read(revoked).consumers?.[consumer]?.keys?.at(-1), {
        ...read(issued).consumers?.[consumer]?.keys?.at(-1),
        revoked: true,
      });
    }),
    { seed: 4, numRuns: 100 },
  );
});
