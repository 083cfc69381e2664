import type { Ingredient, Product } from './ingredients.ts';
import { uuidFrom } from './uuid.ts';

/** A CycloneDX 1.6 document. Its serial number comes from what it says, so the same module has the same document. */
export function cyclonedx(product: Product): object {
  const body = {
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': product.name,
        'mime-type': 'application/wasm',
        name: product.name,
        version: product.version,
        hashes: [{ alg: 'SHA-256', content: product.sha256 }],
        licenses: [{ license: { id: product.license } }],
      },
    },
    components: product.ingredients.map(component),
    dependencies: [
      { ref: product.name, dependsOn: product.ingredients.map(({ purl }) => purl) },
      ...product.ingredients.map(({ purl }) => ({ ref: purl })),
    ],
  };
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidFrom(body)}`,
    ...body,
  };
}

function component({ name, version, license, purl, role }: Ingredient): object {
  const slash = name.indexOf('/');
  return {
    type: 'library',
    'bom-ref': purl,
    ...(slash < 0 ? {} : { group: name.slice(0, slash) }),
    name: name.slice(slash + 1),
    version,
    // "excluded" is CycloneDX's word for what is needed to build and is not in what runs
    scope: role === 'compiled' ? 'required' : 'excluded',
    licenses: [{ license: { id: license } }],
    purl,
  };
}
