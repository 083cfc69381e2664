import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterModule } from '../filter/filterModule.ts';
import { fullConfig } from './badConfigs.ts';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const filter = new FilterModule();

/** A config whose one route sets a header to `value`, written as this JSON text. */
function configSetting(jsonText: string): string {
  const routes = [{ name: 'r', methods: ['GET'], setHeaders: [{ name: 'x-echo', value: 'PLACE' }] }];
  return JSON.stringify(pluginConfig([], { routes })).replace('"PLACE"', () => jsonText);
}

/** The header value the filter read out of a JSON text, as bytes in latin1; null when it refused the config. */
function echoed(jsonText: string): string | null {
  if (filter.configure(configSetting(jsonText)) !== null) return null;
  return echo();
}

function echo(): string {
  const { edits } = filter.decide(
    [
      [':authority', 'a'],
      [':path', '/v1'],
      [':method', 'GET'],
      ['x-api-key', KEY],
    ],
    NOW_MS,
  );
  return edits.find((edit) => edit[1] === 'x-echo')![2]!;
}

/** The limit the filter read out of a number's text, or null when it refused it. */
function limitOf(numberText: string): number | null {
  const config = JSON.stringify(pluginConfig([{ name: 'q', limit: 77, window: 'hour' }])).replace(
    '"limit":77',
    `"limit":${numberText}`,
  );
  if (filter.configure(config) !== null) return null;
  const { response, reply } = filter.decide(
    [
      [':authority', 'a'],
      [':path', '/v1'],
      [':method', 'GET'],
      ['x-api-key', KEY],
    ],
    NOW_MS,
  );
  // Counters outlive configs, so a small limit may be used up by the ones before it.
  const shown = [...response, ...(reply?.headers ?? [])].find(([name]) => name === 'ratelimit-policy')!;
  return Number(/q=(\d+)/.exec(shown[1])![1]);
}

/** Rate limit headers hold numbers of 15 digits at most. */
function shownOf(limit: number): number {
  return Math.min(limit, 999_999_999_999_999);
}

/** What JSON.parse makes of a string, as the UTF-8 bytes a header carries; null where it, or UTF-8, refuses. */
function parsed(jsonText: string): string | null {
  try {
    const value = JSON.parse(jsonText) as string;
    if (/\p{Cs}/u.test(value) || /[\u0000-\u001f\u007f]/.test(value)) return null;
    return Buffer.from(value, 'utf8').toString('latin1');
  } catch {
    return null;
  }
}

describe('the reader of plugin configs against JSON.parse', () => {
  const TEXTS = [
    '""',
    '"a"',
    '"\\""',
    '"\\\\"',
    '"\\/"',
    '"/"',
    '"\\u0041"',
    '"\\u00e9"',
    '"é"',
    '"\\u20AC"',
    '"€"',
    '"\\ud83d\\ude00"',
    '"😀"',
    '"\\uD83D\\uDE00x"',
    '"\\ud800"',
    '"\\udc00"',
    '"\\udc00\\ud800"',
    '"\\ud800x"',
    '"\\ud800\\u0041"',
    '"\\ud83d\\n"',
    '"\\u004"',
    '"\\u00zz"',
    '"\\x41"',
    '"\\a"',
    '"\\"',
    '"\\',
    '"',
    '"a',
    "'a'",
    'a',
    '"\\u0020"',
    '" "',
    '"\\n"',
    '"\\u0000"',
    '"\u0001"',
    '"\n"',
    '"\\u007f"',
    '"\\uFFFF"',
    '"\\ufeff"',
    '"\\U0041"',
    '"a""b"',
    '"\\u+041"',
    '"\\u 041"',
    '"\\uDBFF\\uDFFF"',
    '"ab\\u0063d"',
  ];
  for (const text of TEXTS) {
    it(`reads ${JSON.stringify(text)} as it does`, () => assert.equal(echoed(text), parsed(text)));
  }

  it('reads two thousand random strings as it does', () => {
    const random = new Random(11);
    const pieces = [
      'a',
      ' ',
      '\\\\',
      '\\"',
      '\\/',
      '\\u0041',
      '\\u00fc',
      '\\ud83d',
      '\\ude00',
      '\\ud83d\\ude00',
      'é',
      '漢',
      '😀',
      '\\t',
      '\\u',
      '\\',
      '"',
      '\\u12',
      '~',
    ];
    for (let i = 0; i < 2000; i++) {
      const text = `"${Array.from({ length: random.below(8) }, () => random.pick(pieces)).join('')}"`;
      assert.equal(echoed(text), parsed(text), text);
    }
  });

  const NUMBERS = [
    '1',
    '10',
    '1e6',
    '1E6',
    '1e+6',
    '1E+06',
    '1e0',
    '1.0',
    '1.0e1',
    '10.50e1',
    '1.5e1',
    '1.25e2',
    '100e-2',
    '1000000',
    '1000000.000',
    '9007199254740991',
    '9007199254740992',
    '9.007199254740992e15',
    '9.007199254740992e+15',
    '2e+04',
    '1e15',
    '0.1e1',
    '0.00001e5',
    '1.7976931348623157e308',
    '1e16',
    '9007199254740993',
    '9007199254740994',
    '1.5',
    '1.25e1',
    '0',
    '-0',
    '0.0',
    '-1',
    '1e-1',
    '0.5',
    '01',
    '+1',
    '1.',
    '.5',
    '1e',
    '1e+',
    'e1',
    '0x10',
    '1_000',
    '1,000',
    'NaN',
    'Infinity',
    '--1',
    '1.2.3',
    '1e1.5',
    '1e400',
    '1e-400',
    '12e',
    '"1"',
    'null',
  ];
  for (const text of NUMBERS) {
    it(`takes the number ${text} when it is a whole limit, and only then`, () => {
      let value: unknown = null;
      try {
        value = JSON.parse(text);
      } catch {
        value = null;
      }
      const whole = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 2 ** 53;
      // JSON.parse rounds 2^53 + 1 down; the reader must not.
      assert.equal(limitOf(text), whole && text !== '9007199254740993' ? shownOf(Number(value)) : null);
    });
  }

  it('takes random whole numbers in every notation', () => {
    const random = new Random(12);
    for (let i = 0; i < 1000; i++) {
      const value = 1 + Math.floor(random.next() * 10 ** random.below(16));
      const text = random.pick([
        String(value),
        value.toExponential(),
        value.toExponential().replace('e+', 'E'),
        `${value}.0`,
        `${value}00e-2`,
      ]);
      assert.equal(limitOf(text), shownOf(value), text);
    }
  });

  it('reads a config in any order and with any whitespace', () => {
    const random = new Random(13);
    const expected = decisionOf(JSON.stringify(fullConfig()));
    for (let i = 0; i < 200; i++) assert.deepEqual(decisionOf(printed(fullConfig(), random)), expected);
  });

  it('refuses every config that JSON.parse refuses, in three thousand mutations', () => {
    const random = new Random(14);
    const good = JSON.stringify(fullConfig());
    for (let i = 0; i < 3000; i++) {
      const at = random.below(good.length);
      const text =
        good.slice(0, at) +
        random.pick(['', '"', '{', '}', '[', ']', ',', ':', '\\', ' ', '0', 'a', '\t', '\u0000', '-']) +
        good.slice(at + random.below(2));
      if (filter.configure(text) === null) assert.doesNotThrow(() => JSON.parse(text), text);
    }
  });

  const INVALID_UTF8 = [
    '80',
    'c0af',
    'c1bf',
    'e08080',
    'e0809f',
    'eda080',
    'edbfbf',
    'f08080af',
    'f4908080',
    'f5808080',
    'ff',
    'fe',
    'c3',
    'e282',
    'f09f98',
    'c328',
    'e228a1',
    'f0288cbc',
  ];
  for (const hex of INVALID_UTF8) {
    it(`refuses the bytes ${hex}, which are no UTF-8`, () => {
      const [before, after] = configSetting('"PLACE"').split('PLACE');
      const config = Buffer.concat([Buffer.from(before!), Buffer.from(hex, 'hex'), Buffer.from(after!)]);
      assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(config));
      assert.match(filter.configure(config) ?? 'taken', /UTF-8|JSON/);
    });
  }

  it('takes UTF-8 of every length', () => {
    for (const text of ['\u0080', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}']) {
      assert.equal(echoed(JSON.stringify(text)), Buffer.from(text).toString('latin1'));
    }
  });
});

function decisionOf(config: string): unknown {
  assert.equal(filter.configure(config), null, config);
  return filter.decide(
    [
      [':authority', 'api.example.com'],
      [':path', '/v1/pets'],
      [':method', 'GET'],
      ['x-a', '2'],
      ['x-b', 'b1'],
      ['x-c', 'd'],
      ['x-d', ''],
    ],
    NOW_MS,
  );
}

/** JSON as another printer might print it: keys in a random order, whitespace anywhere, letters escaped, numbers with exponents. */
function printed(value: unknown, random: Random): string {
  const gap = (): string => (random.chance(0.2) ? random.pick([' ', '\n', '\t', '\r\n  ']) : '');
  if (Array.isArray(value)) return `[${gap()}${value.map((item) => printed(item, random)).join(`${gap()},${gap()}`)}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).sort(() => random.next() - 0.5);
    const members = fields.map(
      ([name, part]) => `${gap()}${printed(name, random)}${gap()}:${gap()}${printed(part, random)}${gap()}`,
    );
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'string' && random.chance(0.3)) {
    return `"${[...value].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
  }
  if (typeof value === 'number' && random.chance(0.5)) return value.toExponential();
  return JSON.stringify(value);
}
