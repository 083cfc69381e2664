import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../harness/random.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { Engine } from '../../scripts/explain/engine.ts';
import { normalisedPath } from '../../scripts/explain/path.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { decisionOf } from '../../scripts/host/openRequest.ts';
import type { PluginConfig } from '../../scripts/policy/index.ts';

const SEED = process.env['SEED'] === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(process.env['SEED'] ?? 51);
const PATHS = 1500;
const PIECES = [
  ...['a', 'B', 'pets', '.', '..', '...', '/', '//', '/./', '/../', '%2e', '%2E%2e', '%41', '%7e', '%20', '%2f', '%5c'],
  ...[
    '\\',
    '#',
    '%',
    '%zz',
    ';',
    '%3b',
    ';x=1',
    '%c3%a9',
    '\xc3\xa9',
    '%c0%ae',
    '\xe0\x80',
    ' ',
    '\x7f',
    '%00',
    '+',
    '@',
    ':',
    '*',
  ],
];

const module = loadModule(modulePath);

/** What the module makes of a path where APIs are at these prefixes. */
function decided(paths: readonly string[], path: string): { reason: string | undefined; api: string | undefined } {
  const config: PluginConfig = {
    version: 1,
    policy: 'paths',
    keySources: [{ header: 'x-api-key' }],
    apis: paths.map((one, index) => ({ name: `api-${index}`, paths: [one], plans: [], anonymous: 'allow' })),
    plans: [],
    consumers: [],
  };
  const request: [string, string][] = [
    [':authority', 'a.test'],
    [':path', path],
    [':method', 'GET'],
    [':scheme', 'http'],
  ];
  const { reason, api } = decisionOf(new Engine(module, config, 0).decide(request, 0)) ?? {};
  return { reason, api };
}

test(`a path has the normalised form that the module compares: ${PATHS} random ones, seed ${SEED}`, () => {
  const random = new Random(SEED);
  const seen = { refused: 0, whole: 0, other: 0 };
  for (let i = 0; i < PATHS; i++) {
    const path = `/${Array.from({ length: 1 + random.below(7) }, () => random.pick(PIECES)).join('')}`;
    const normal = normalisedPath(path);
    const where = JSON.stringify({ path, normal });
    if (normal === null) {
      seen.refused++;
      assert.equal(decided(['/'], path).reason, 'invalid_path', where);
    } else if (/^(?:\/[A-Za-z0-9!$&'+,\-.=@_~][A-Za-z0-9!$&'()+,\-.:=@_~]*)+$/.test(normal)) {
      seen.whole++;
      // the API at the whole path is taken, and the one at the root not
      assert.deepEqual(decided(['/', normal], path), { reason: 'anonymous', api: 'api-1' }, where);
      assert.equal(decided(['/', `${normal}-`], path).api, 'api-0', where);
    } else {
      seen.other++;
      assert.equal(decided(['/'], path).reason, 'anonymous', where);
    }
  }
  assert.ok(seen.refused > 200 && seen.whole > 50 && seen.other > 100, JSON.stringify(seen));
});
