import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { tollgate } from './fakeIo.ts';

/** Exists in no registry: users of an example put in the reference that "tollgate push" printed. */
const IMAGE = `oci://registry.example/tollgate@sha256:${'0123456789abcdef'.repeat(4)}`;
const FOLDER = fileURLToPath(new URL('../../wasmplugins/', import.meta.url));

for (const example of ['ingress-gateway', 'namespace-sidecars', 'waypoint', 'mesh-quotas', 'identity']) {
  test(`wasmplugins/${example}: the resources are what its policy gives`, async () => {
    const args = ['emit', `${FOLDER}${example}/policy.yaml`, '--image', IMAGE, '-o', `${FOLDER}${example}/resources`];
    if (process.env['UPDATE_GOLDEN'] === '1') await tollgate(args);
    const { code, out, err } = await tollgate([...args, '--check']);
    assert.deepEqual([code, err], [0, ''], `not current; UPDATE_GOLDEN=1 rewrites it\n${out}`);
    assert.ok(
      out.split('\n').every((line) => line === '' || line.startsWith('unchanged ')),
      out,
    );
  });
}
