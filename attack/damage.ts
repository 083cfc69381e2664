import type { Random } from '../harness/random.ts';

/*
 * Damage to a JSON document: to its text, or to its tree with the text well formed again.
 */
const CHARS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\\',
  '0',
  '9',
  '-',
  'e',
  '.',
  ' ',
  '\u0000',
  '\u0001',
  '\u007f',
  '\u00e9',
  '\u20ac',
  '\ud83d',
  't',
  'n',
  '/',
];
const NUMBERS = [
  '9007199254740992',
  '9007199254740993',
  '18446744073709551616',
  '1e400',
  '1e15',
  '-1',
  '-0',
  '0',
  '0.5',
  '1e',
  '01',
  '1e-5',
  '9'.repeat(400),
  '123456789012345678',
];
const MANY = 20_000;

export function damageText(random: Random, text: string): string {
  const at = random.below(text.length);
  const end = Math.min(text.length, at + 1 + random.below(40));
  switch (random.below(9)) {
    case 0:
      return text.slice(0, at) + random.pick(CHARS) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + random.pick(CHARS) + text.slice(at);
    case 2:
      return text.slice(0, at);
    case 3:
      return text.slice(0, at) + text.slice(end);
    case 4:
      return text.slice(0, end) + text.slice(at);
    case 5:
      return (
        text.slice(0, at) +
        random.pick(['[', '{"a":', '[{"a":', '"', ' ', '-', '1', '\\u0000']).repeat(random.pick([1, 100, MANY])) +
        text.slice(at)
      );
    case 6:
      return text.replace(/\d+/g, (digits) => (random.chance(0.2) ? random.pick(NUMBERS) : digits));
    case 7:
      return doubled(random, text);
    default:
      return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8))) + text.slice(at + 1);
  }
}

/** A field that is given twice. */
function doubled(random: Random, text: string): string {
  const fields = [...text.matchAll(/"[a-zA-Z]+":(?:"[^"]*"|\d+|\[\]|\{\})/g)];
  const field = random.pick(fields);
  return `${text.slice(0, field.index)}${field[0]},${text.slice(field.index)}`;
}

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Somewhere in the tree another value stands; names, digests and lists become strange, long, many or none. */
export function damageTree(random: Random, text: string): string {
  const places: { owner: Record<string, Json>; name: string }[] = [];
  const root = JSON.parse(text) as Json;
  const walk = (value: Json): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const name of Object.keys(value)) {
      const owner = value as Record<string, Json>;
      places.push({ owner, name });
      walk(owner[name]!);
    }
  };
  walk(root);
  for (let times = 1 + random.below(2); times > 0; times--) {
    const { owner, name } = random.pick(places);
    change(random, owner, name, root);
  }
  return JSON.stringify(root);
}

function change(random: Random, owner: Record<string, Json>, name: string, root: Json): void {
  const old = owner[name]!;
  switch (random.below(9)) {
    case 0:
      owner[name] = random.pick<Json>([null, true, 0, -1, 1e15, 2 ** 53, 1e300, 0.5, '', [], {}]);
      break;
    case 1:
      owner[name] = 'x'.repeat(random.pick([1, 127, 128, 1024, 4097, 70_000]));
      break;
    case 2:
      owner[name] = random.bytes(20);
      break;
    case 3:
      owner[name] = deep(random.pick([2, 50, 1500]));
      break;
    case 4:
      if (!Array.isArray(owner)) delete owner[name];
      break;
    case 5:
      if (Array.isArray(old) && old.length > 0)
        owner[name] = Array.from({ length: random.pick([2, 9, 300, 3000]) }, () => structuredClone(old[0]!));
      break;
    case 6:
      owner[random.pick(['version', 'policy', 'limit', 'window', '__proto__x', '', 'scope'])] = random.pick<Json>([
        1,
        2,
        'mesh',
        'second',
        structuredClone(old),
      ]);
      break;
    case 7:
      if (typeof old === 'string')
        owner[name] = random.pick([
          old.toUpperCase(),
          `${old}\u0000`,
          old.slice(1),
          `${old} `,
          `${old}${old}`,
          `/${old}`,
          old.replace(/./, '\ud800'),
        ]);
      break;
    default:
      owner[name] = random.chance(0.02) ? structuredClone(root) : old === null ? 1 : String(JSON.stringify(old));
  }
}

function deep(levels: number): Json {
  let value: Json = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}
