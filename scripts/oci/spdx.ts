import type { Ingredient, Product, Role } from './ingredients.ts';
import { uuidFrom } from './uuid.ts';

/** How an ingredient relates to the module, in SPDX's words. */
const RELATION: Record<Role, string> = {
  compiled: 'STATIC_LINK',
  declarations: 'BUILD_DEPENDENCY_OF',
  tool: 'BUILD_TOOL_OF',
};

/** An SPDX 2.3 document. SPDX demands a time of creation; it is always the epoch, so the same module has the same document. */
export function spdx(product: Product): object {
  const module = {
    ...packageOf('SPDXRef-module', product),
    primaryPackagePurpose: 'APPLICATION',
    checksums: [{ algorithm: 'SHA256', checksumValue: product.sha256 }],
  };
  const packages = [
    module,
    ...product.ingredients.map((one) => ({
      ...packageOf(idOf(one), one),
      externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: one.purl }],
    })),
  ];
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${product.name}-${product.version}`,
    documentNamespace: `urn:uuid:${uuidFrom(packages)}`,
    creationInfo: { created: '1970-01-01T00:00:00Z', creators: [`Tool: tollgate-${product.version}`] },
    packages,
    relationships: [relation('SPDXRef-DOCUMENT', 'DESCRIBES', 'SPDXRef-module'), ...product.ingredients.map(relate)],
  };
}

function packageOf(
  SPDXID: string,
  { name, version, license }: { name: string; version: string; license: string },
): object {
  return {
    SPDXID,
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: license,
    licenseDeclared: license,
    copyrightText: 'NOASSERTION',
  };
}

function idOf({ name }: Ingredient): string {
  return `SPDXRef-${name.replace(/[^A-Za-z0-9.-]+/g, '-').replace(/^-/, '')}`;
}

function relate(one: Ingredient): object {
  return one.role === 'compiled'
    ? relation('SPDXRef-module', RELATION.compiled, idOf(one))
    : relation(idOf(one), RELATION[one.role], 'SPDXRef-module');
}

function relation(from: string, relationshipType: string, to: string): object {
  return { spdxElementId: from, relationshipType, relatedSpdxElement: to };
}
