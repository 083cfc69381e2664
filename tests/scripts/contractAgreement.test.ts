import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  MAX_EXACT,
  OBJECTS,
  ONE_OF,
  WINDOW_UNITS,
  type Field,
  type Kind,
  type ObjectName,
} from '../../scripts/contract/table.ts';
import { acceptsConfig } from '../../scripts/host/index.ts';
import { modulePath } from '../../scripts/build/module.ts';

const skip = existsSync(modulePath) ? false : 'build/tollgate.wasm is not built';
const wasm = skip === false ? readFileSync(modulePath) : null;

type Value = Record<string, unknown>;

const DIGEST = '0'.repeat(64);
const CONFIG = { version: 1, policy: 'p', keySources: [{ header: 'x-key' }], apis: [], plans: [], consumers: [] };
const SERVICE = { cluster: 'c', domain: 'd' };
const PLAN = { name: 'b', quotas: [{ name: 'q', limit: 1, window: 'second' }] };
const API = { name: 'a', paths: ['/'], plans: ['b'] };
const withRoute = (route: Value): Value => ({
  ...CONFIG,
  plans: [PLAN],
  consumers: [{ name: 'c' }],
  apis: [{ ...API, routes: [route] }],
});
// the plan has no quotas, beside which eight of the operation's own would be too many
const withOperation = (operation: Value): Value => ({
  ...CONFIG,
  plans: [{ ...PLAN, quotas: [] }],
  apis: [{ ...API, operations: [operation] }],
});
const withConsumer = (consumer: Value): Value => ({ ...CONFIG, plans: [PLAN], apis: [API], consumers: [consumer] });

/** Each object with what it must have and nothing else, and a config around it in which it can stand. */
const PLACES: Readonly<Record<ObjectName, { least: Value; within: (object: Value) => Value }>> = {
  config: { least: CONFIG, within: (config) => config },
  accessLog: { least: {}, within: (accessLog) => ({ ...CONFIG, accessLog }) },
  keyExpiryWarning: {
    least: { header: 'x-ends', beforeSeconds: 60 },
    within: (keyExpiryWarning) => ({ ...CONFIG, keyExpiryWarning }),
  },
  identityHeaders: { least: {}, within: (identityHeaders) => ({ ...CONFIG, identityHeaders }) },
  keySource: { least: { header: 'x-key' }, within: (source) => ({ ...CONFIG, keySources: [source] }) },
  rateLimitService: { least: SERVICE, within: (rateLimitService) => ({ ...CONFIG, rateLimitService }) },
  api: { least: { name: 'a', paths: ['/'] }, within: (api) => ({ ...CONFIG, plans: [PLAN], apis: [api] }) },
  cors: { least: { origins: ['*'] }, within: (cors) => ({ ...CONFIG, apis: [{ name: 'a', paths: ['/'], cors }] }) },
  operation: { least: { name: 'o', path: '/' }, within: withOperation },
  route: { least: { name: 'r' }, within: withRoute },
  deprecated: { least: { deprecation: '@0' }, within: (deprecated) => withRoute({ name: 'r', deprecated }) },
  retired: { least: {}, within: (retired) => withRoute({ name: 'r', retired }) },
  maintenance: { least: {}, within: (maintenance) => withRoute({ name: 'r', maintenance }) },
  redirect: { least: { to: '/' }, within: (redirect) => withRoute({ name: 'r', redirect }) },
  mock: { least: {}, within: (mock) => withRoute({ name: 'r', mock }) },
  headerCondition: { least: { name: 'x', present: true }, within: (one) => withRoute({ name: 'r', headers: [one] }) },
  setHeader: { least: { name: 'x', value: '' }, within: (one) => withRoute({ name: 'r', setHeaders: [one] }) },
  concurrency: {
    least: { limit: 1 },
    within: (concurrency) => ({ ...CONFIG, plans: [{ name: 'b', concurrency }] }),
  },
  refusal: { least: {}, within: (refusal) => ({ ...CONFIG, plans: [{ name: 'b', refusal }] }) },
  plan: { least: { name: 'b' }, within: (plan) => ({ ...CONFIG, plans: [plan] }) },
  quota: {
    least: { name: 'q', limit: 1, window: 'second' },
    within: (quota) => ({ ...CONFIG, rateLimitService: SERVICE, plans: [{ name: 'b', quotas: [quota] }] }),
  },
  consumer: { least: { name: 'c' }, within: withConsumer },
  subscription: { least: { api: 'a', plan: 'b' }, within: (one) => withConsumer({ name: 'c', subscriptions: [one] }) },
  ownLimit: {
    least: { quota: 'q', limit: 1 },
    within: (limit) => withConsumer({ name: 'c', subscriptions: [{ api: 'a', plan: 'b', limits: [limit] }] }),
  },
  key: { least: { id: 'k', digest: DIGEST }, within: (key) => withConsumer({ name: 'c', keys: [key] }) },
  me: { least: { path: '/me' }, within: (me) => ({ ...CONFIG, plans: [PLAN], apis: [{ ...API, me }] }) },
  anonymousPlan: {
    least: { plan: 'b' },
    within: (anonymousPlan) => ({ ...CONFIG, plans: [PLAN], apis: [{ ...API, anonymousPlan }] }),
  },
  settlement: {
    least: {},
    within: (settlement) => ({ ...CONFIG, plans: [PLAN], apis: [{ ...API, settlement }] }),
  },
  clientAddress: { least: {}, within: (clientAddress) => ({ ...CONFIG, clientAddress }) },
  addresses: { least: {}, within: (addresses) => withConsumer({ name: 'c', addresses }) },
  calendar: {
    least: {},
    within: (calendar) => ({
      ...withConsumer({ name: 'c', calendar }),
      zones: calendar['zone'] === undefined ? [] : [{ name: calendar['zone'], offsetSeconds: 0, until: 0 }],
    }),
  },
  token: {
    least: { name: 't', issuer: 'i' },
    within: (token) => ({ ...CONFIG, tokens: [token] }),
  },
  subjects: {
    least: { issuer: 't', subjects: ['s'] },
    within: (subjects) => ({
      ...withConsumer({ name: 'c', tokens: [subjects] }),
      tokens: [{ name: 't', issuer: 'i' }],
    }),
  },
  zone: { least: { name: 'z', offsetSeconds: 0, until: 0 }, within: (zone) => ({ ...CONFIG, zones: [zone] }) },
  zoneChange: {
    least: { at: 0, offsetSeconds: 0 },
    within: (change) => ({ ...CONFIG, zones: [{ name: 'z', offsetSeconds: 0, until: 0, changes: [change] }] }),
  },
};

/** What a field needs beside it before it means anything. */
const COMPANIONS: Readonly<Record<string, Value>> = {
  'cors.credentials': { origins: ['https://a.test'] },
  'api.anonymousPlan': { plans: ['b'] },
  'api.unlisted': { operations: [{ name: 'o', path: '/' }] },
  'quota.burst': { limit: 1_000_000 },
  'ownLimit.burst': { quota: 'other' },
  'quota.onUnavailable': { scope: 'mesh' },
  'quota.localShare': { scope: 'mesh', onUnavailable: 'local-share' },
};

/** The module's answer to an object with some fields instead of others: null when it takes it, or why not. */
function answer(name: ObjectName, fields: Value): string | null {
  const { least, within } = PLACES[name];
  const choice = ONE_OF[name] ?? [];
  const kept = Object.entries(least).filter(
    ([field]) => !choice.includes(field) || !Object.keys(fields).some((other) => choice.includes(other)),
  );
  const result = acceptsConfig(wasm!, JSON.stringify(within({ ...Object.fromEntries(kept), ...fields })));
  return result.accepted ? null : result.message;
}

/** True when a field's value was taken; a name that nothing has is another matter. */
function isTaken(name: ObjectName, field: string, value: unknown): boolean {
  const share = value === 'local-share' ? { localShare: 1 } : {};
  const refusal = answer(name, { ...COMPANIONS[`${name}.${field}`], ...share, [field]: value });
  return refusal === null || /no (?:plan|API|consumer|quota|token) named/.test(refusal);
}

/** Strings of a length that follow the field's own form. */
function stringOf(field: string, bytes: number): string {
  if (field === 'digest') return '0'.repeat(bytes);
  return /path|Prefix|^to$/.test(field) ? `/${'a'.repeat(bytes)}`.slice(0, bytes) : 'a'.repeat(bytes);
}

/** Different items for a list. */
function itemsOf(field: string, of: string, count: number): unknown[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `${'abcdefghijklmnopqrstuvwxyz'[index % 26]!}${index}`;
    if (of === 'string' && /^(?:allow|deny)$/.test(field)) return `10.0.${index}.0/24`;
    if (of === 'string' && field === 'workloads') return `spiffe://mesh.test/${name}`;
    if (of === 'string') return field === 'paths' ? `/${name}` : field === 'origins' ? `https://${name}.test` : name;
    if (of === 'keySource') return { header: name };
    if (of === 'key') return { id: name, digest: String(index).padStart(64, '0') };
    if (of === 'operation') return { name, path: `/${name}` };
    if (of === 'token') return { name, issuer: name };
    if (of === 'subjects') return { issuer: 't', subjects: [name] };
    const { least } = PLACES[of as ObjectName];
    return 'name' in least ? { ...least, name } : least;
  });
}

const NO_WINDOWS = [
  ...[
    '',
    's',
    '1',
    '10',
    '10S',
    '10 s',
    ' 10s',
    '10s ',
    '+10s',
    '-10s',
    '1.5h',
    '1e3s',
    '1h30m',
    '1w',
    '1ms',
    '1us',
    '1y',
  ],
  ...[
    'Second',
    'seconds',
    'years',
    '2147483648s',
    '4294967297s',
    '18446744073709551617s',
    '1/s',
    '1:s',
    '٣s',
    '1Σ',
    '9'.repeat(16),
  ],
];

/** A value that the module must take, and values beyond what it may. */
function edgesOf(field: string, kind: Kind): { good: unknown[]; bad: unknown[] } {
  switch (kind.type) {
    case 'string':
      return {
        good: [stringOf(field, kind.least), stringOf(field, kind.most)],
        bad: [stringOf(field, kind.most + 1), ...(kind.least > 0 ? [stringOf(field, kind.least - 1)] : [])],
      };
    case 'word':
      return { good: [...kind.words], bad: ['', 'other', kind.words[0]!.toUpperCase() + 'x'] };
    case 'window': {
      const { words, mostSeconds } = kind;
      const mostOf = Object.entries(WINDOW_UNITS).map(
        ([letter, unit]) => [letter, Math.floor(mostSeconds / unit)] as const,
      );
      return {
        good: [...words, ...mostOf.flatMap(([letter, most]) => [`1${letter}`, `7${letter}`, `${most}${letter}`])],
        bad: [
          ...mostOf.flatMap(([letter, most]) => [`0${letter}`, `${most + 1}${letter}`, `07${letter}`]),
          ...NO_WINDOWS,
        ],
      };
    }
    case 'words':
      return {
        good: [[...kind.words], ...kind.words.map((word) => [word])],
        bad: [[], ['none'], [kind.words[0]!.toUpperCase()], [kind.words[0]!, kind.words[0]!]],
      };
    case 'rising': {
      const { least, last, most } = kind;
      return {
        good: [[least], [last], [least, last], Array.from({ length: most }, (_, index) => least + index)],
        bad: [
          [],
          [last, least],
          [least, least],
          [least - 1],
          [last + 1],
          Array.from({ length: most + 1 }, (_, i) => least + i),
        ],
      };
    }
    case 'integer':
      return {
        good: [kind.least, kind.most],
        bad: [kind.least - 1, kind.most === MAX_EXACT ? 2 * MAX_EXACT : kind.most + 1, kind.least + 0.5],
      };
    case 'boolean':
      return { good: [true], bad: [] };
    case 'list': {
      const most = kind.most ?? Math.max(kind.least, 1);
      // plans of a route and an API are names of plans, so their lists are tried with the only one there is
      const isOfNames = kind.of === 'string' && /^(?:plans|consumers)$/.test(field);
      const lists = [kind.least, most].map((count) => itemsOf(field, kind.of, count));
      return {
        good: isOfNames ? [...(kind.least === 0 ? [[]] : []), [field === 'plans' ? 'b' : 'c']] : lists,
        bad: [
          ...(kind.least > 0 ? [[]] : []),
          ...(kind.most !== undefined ? [itemsOf(field, kind.of, kind.most + 1)] : []),
        ],
      };
    }
    case 'object': {
      const of = kind.of as ObjectName;
      return {
        good: [PLACES[of].least],
        bad: Object.values<Field>(OBJECTS[of]).some(({ isRequired }) => isRequired) ? [{}] : [],
      };
    }
  }
}

const KINDS_OF_JSON: Readonly<Record<string, unknown>> = {
  string: 'a',
  number: 1,
  boolean: true,
  list: [],
  object: {},
  null: null,
};
const JSON_OF: Readonly<Record<Kind['type'], string>> = {
  string: 'string',
  word: 'string',
  window: 'string',
  words: 'list',
  rising: 'list',
  integer: 'number',
  boolean: 'boolean',
  list: 'list',
  object: 'object',
};

for (const name of Object.keys(OBJECTS) as ObjectName[]) {
  const fields = Object.entries<Field>(OBJECTS[name]);
  const { least } = PLACES[name];

  test(`the module takes a ${name} with what the table requires, and no other field`, { skip }, () => {
    assert.equal(answer(name, {}), null);
    assert.match(answer(name, { unheardOf: 1 })!, /unknown field|one kind|given twice/);
    const choice = ONE_OF[name] ?? [];
    for (const [field, { isRequired }] of fields) {
      if (choice.includes(field)) continue;
      assert.equal(field in least, isRequired, `${name}.${field} stands in the least ${name}`);
      if (isRequired) assert.match(answer(name, { [field]: undefined })!, new RegExp(`needs the field "${field}"`));
    }
    if (choice.length > 0) {
      const none = Object.fromEntries(choice.map((field) => [field, undefined]));
      assert.notEqual(answer(name, none), null, 'none of a choice');
      const [one, two] = choice.map((field) => [field, edgesOf(field, kindOf(name, field)).good[0]] as const);
      assert.notEqual(answer(name, Object.fromEntries([one!, two!])), null, 'two of a choice');
    }
  });

  for (const [field, { kind }] of fields) {
    test(`the module and the table agree on ${name}.${field}`, { skip }, () => {
      const { good, bad } = edgesOf(field, kind);
      for (const value of good) assert.ok(isTaken(name, field, value), `takes ${shown(value)}`);
      for (const value of bad) assert.ok(!isTaken(name, field, value), `refuses ${shown(value)}`);
      for (const [type, value] of Object.entries(KINDS_OF_JSON))
        if (type !== JSON_OF[kind.type]) assert.ok(!isTaken(name, field, value), `refuses ${type}`);
    });
  }
}

function kindOf(name: ObjectName, field: string): Kind {
  return (OBJECTS[name] as Readonly<Record<string, Field>>)[field]!.kind;
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 80);
}
