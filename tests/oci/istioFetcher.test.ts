import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { currentModule } from '../../scripts/build/module.ts';
import { givenCredential } from '../../scripts/oci/credentials.ts';
import { hexOf } from '../../scripts/oci/reference.ts';
import { bundleModule, pushModule, type Pushed } from '../../scripts/oci/index.ts';
import { component, lacking } from '../../harness/registry/component.ts';
import { place } from '../../harness/registry/place.ts';
import { program, succeed, type Ended } from '../../harness/registry/program.ts';
import { RealRegistry } from '../../harness/registry/realRegistry.ts';
import { bundleOptions } from '../../scripts/cli/packing.ts';

/** The code with which Istio's agent fetches a module, as a standalone program. */
const FETCHER = 'wasmfetch';
const here = await place(undefined, [FETCHER]);
const { folder, skip } = here;
const LAYOUTS = ['image', 'artifact'] as const;
const { signal } = new AbortController();

const fetched = (...args: string[]): Promise<Ended> => program(component(FETCHER), args);

/** The `name=value` pairs that it prints. */
function factsIn({ out }: Ended): Record<string, string> {
  return Object.fromEntries([...out.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]));
}
const pushed: Partial<Record<(typeof LAYOUTS)[number], Pushed>> = {};
let wasm = { sha256: '', bytes: 0 };
before(async () => {
  if (skip !== false) return;
  wasm = await currentModule();
  for (const layout of LAYOUTS)
    pushed[layout] = await pushModule(
      here.target(`istio/${layout}:1.0`),
      await bundleModule(await bundleOptions({ layout })),
      { signal },
    );
});

for (const layout of LAYOUTS) {
  test(`Istio fetches the ${layout} by tag and by digest`, { skip }, async () => {
    for (const reference of [here.target(`istio/${layout}:1.0`), pushed[layout]?.reference ?? '']) {
      const ended = await fetched(reference);
      assert.equal(ended.code, 0, ended.out + ended.err);
      const { digest, size, sha256 } = factsIn(ended);
      assert.deepEqual([digest, size, sha256], [hexOf(pushed[layout]!.digest), String(wasm.bytes), wasm.sha256]);
    }
  });

  test(
    `Istio's cache takes the ${layout} with the manifest's digest as sha256, and refuses another`,
    { skip },
    async () => {
      const cache = mkdtempSync(join(folder, 'cache-'));
      const ended = await fetched(
        '-cache',
        cache,
        '-sha256',
        hexOf(pushed[layout]!.digest),
        here.target(`istio/${layout}:1.0`),
      );
      assert.equal(ended.code, 0, ended.out + ended.err);
      assert.equal(factsIn(ended)['sha256'], wasm.sha256);
      const wrong = await fetched(
        '-cache',
        mkdtempSync(join(folder, 'cache-')),
        '-sha256',
        wasm.sha256,
        here.target(`istio/${layout}:1.0`),
      );
      assert.equal(wrong.code, 1);
      assert.match(wrong.out + wrong.err, /which does not match/);
    },
  );
}

test('Istio refuses a reference whose digest is not there', { skip }, async () => {
  const { code, out, err } = await fetched(`${here.target('istio/image')}@sha256:${'0'.repeat(64)}`);
  assert.equal(code, 1);
  assert.match(out + err, /MANIFEST_UNKNOWN/);
});

test('an SBOM beside it changes nothing for Istio', { skip }, async () => {
  const { reference, digest } = await pushModule(
    here.target('istio/described:1.0'),
    await bundleModule(await bundleOptions({ layout: 'image', sbom: 'cyclonedx' })),
    { signal },
  );
  assert.equal(digest, pushed.image?.digest);
  assert.equal((await fetched(reference)).code, 0);
});

const guarded: { registry?: RealRegistry } = {};
after(() => guarded.registry?.remove());

test(
  'Istio fetches from a private registry with a pull secret',
  { skip: skip || (await lacking('htpasswd')) },
  async () => {
    const file = join(folder, 'htpasswd');
    writeFileSync(file, await succeed(component('htpasswd'), ['-Bbn', '-C', '4', 'acme', 'secret']));
    guarded.registry = await RealRegistry.start({ htpasswd: { realm: 'http://registry.test/', path: file } });
    const { host } = guarded.registry;
    const { reference } = await pushModule(
      `oci://${host}/private/tollgate:1.0`,
      await bundleModule(await bundleOptions({ layout: 'image' })),
      { signal, credentials: () => Promise.resolve(givenCredential('acme', 'secret')) },
    );
    const secret = (password: string): string => {
      const path = join(folder, `${password}.json`);
      writeFileSync(
        path,
        JSON.stringify({ auths: { [host]: { auth: Buffer.from(`acme:${password}`).toString('base64') } } }),
      );
      return path;
    };
    assert.equal((await fetched('-secret', secret('secret'), reference)).code, 0);
    const wrong = await fetched('-secret', secret('wrong'), reference);
    assert.equal(wrong.code, 1);
    assert.match(wrong.out + wrong.err, /UNAUTHORIZED/);
  },
);
