import { createHash } from 'node:crypto';
import { blob, type Bundle, EMPTY, jsonBlob, type Manifest, MANIFEST, plain } from './bundle.ts';

/** A module, as an SBOM describes it. */
export interface Product {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Hex digest of the wasm file. */
  readonly sha256: string;
  readonly ingredients: readonly Ingredient[];
}

export interface Ingredient {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Package URL: the name that databases of vulnerabilities use. */
  readonly purl: string;
  readonly role: Role;
}

/** `compiled`: its code is in the module. `declarations`: its sources are read, none of its code is in. `tool`: it worked on the module. */
export type Role = 'compiled' | 'declarations' | 'tool';

export const SBOM_FORMATS = ['cyclonedx', 'spdx'] as const;
export type SbomFormat = (typeof SBOM_FORMATS)[number];

const KINDS: Record<SbomFormat, { readonly mediaType: string; readonly write: (product: Product) => object }> = {
  cyclonedx: { mediaType: 'application/vnd.cyclonedx+json', write: cyclonedx },
  spdx: { mediaType: 'application/spdx+json', write: spdx },
};

/**
 * The bundle with an SBOM beside it: a manifest of its own whose subject is the image (a referrer), so that the image's
 * digest is the same with and without one.
 */
export function withSbom(subject: Bundle, format: SbomFormat, product: Product): Bundle {
  const { mediaType, write } = KINDS[format];
  const document = jsonBlob(mediaType, write(product), {
    'org.opencontainers.image.title': `${product.name}.${format}.json`,
  });
  const config = blob(EMPTY, Buffer.from('{}'));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: mediaType,
    config: config.descriptor,
    layers: [document.descriptor],
    subject: plain(subject.manifest.descriptor),
  };
  const referrer: Bundle = { manifest: jsonBlob(MANIFEST, manifest), blobs: [config, document], referrers: [] };
  return { ...subject, referrers: [...subject.referrers, referrer] };
}

/** A CycloneDX 1.6 document. Its serial number comes from what it says, so the same module has the same document. */
function cyclonedx(product: Product): object {
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

/** How an ingredient relates to the module, in SPDX's words. */
const RELATION: Record<Role, string> = {
  compiled: 'STATIC_LINK',
  declarations: 'BUILD_DEPENDENCY_OF',
  tool: 'BUILD_TOOL_OF',
};

/** An SPDX 2.3 document. SPDX demands a time of creation; it is always the epoch, so the same module has the same document. */
function spdx(product: Product): object {
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

/**
 * A UUID of version 8 (bits of one's own making) that follows from a value: formats ask for one, and a random one would
 * change the digest.
 */
function uuidFrom(value: unknown): string {
  const hex = createHash('sha256').update(JSON.stringify(value)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
