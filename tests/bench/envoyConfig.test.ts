import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BenchEnvoy, place } from '../../bench/benchEnvoy.ts';
import { envoyConfig } from '../../bench/envoyConfig.ts';
import { probe } from '../../bench/request.ts';
import { allVariants } from '../../bench/variants/all.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import { available } from '../../harness/envoy/available.ts';

const found = await available();
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-bench-test-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function validate(config: object): Promise<string | null> {
  if (found.skip !== false) throw new Error(found.skip);
  const path = join(folder, 'bootstrap.json');
  await writeFile(path, JSON.stringify(config));
  const { code, stderr } = await runToEnd(found.envoy.command, ['--mode', 'validate', '-c', path, '-l', 'error']);
  return code === 0 ? null : stderr.slice(0, 1000);
}

// that of 100,000 consumers takes seconds and is like the others
const variants = allVariants.filter(({ name }) => name !== 'tollgate-full-100000');
const services = new Map([
  ['ratelimit', 1],
  ['extauthz', 2],
] as const);

test('Envoy takes the configuration of all variants', { skip: found.skip }, async () => {
  assert.equal(await validate(envoyConfig(await place(variants), services)), null);
});

test('Envoy refuses it when a filter has a field that it does not know', { skip: found.skip }, async () => {
  const wrong = {
    ...variants[0]!,
    filters: () => [
      {
        name: 'x',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua', nonsense: 1 },
      },
    ],
  };
  assert.match((await validate(envoyConfig(await place([wrong]), services))) ?? '', /nonsense/);
});

test('every variant that calls no service answers as it says', { skip: found.skip }, async () => {
  if (found.skip !== false) return;
  const alone = variants.filter((variant) => variant.services.length === 0);
  const envoy = await BenchEnvoy.start(found.envoy, alone, new Map());
  try {
    for (const variant of alone)
      assert.equal(await probe(variant, envoy.portOf(variant)), variant.status, variant.name);
    envoy.assertHealthy();
    // and a variant that does not is found out
    const [first] = alone;
    await assert.rejects(probe({ ...first!, status: 401 }, envoy.portOf(first!)), /answered 200; expected 401/);
    await assert.rejects(
      probe({ ...first!, proof: 'ratelimit' }, envoy.portOf(first!)),
      /no ratelimit in the response/,
    );
  } finally {
    await envoy.stop();
  }
});
