import { blob, jsonBlob, plain, type Bundle, type Manifest } from './bundle.ts';
import { cyclonedx } from './cyclonedx.ts';
import type { Product } from './ingredients.ts';
import { EMPTY, MANIFEST } from './mediaType.ts';
import { spdx } from './spdx.ts';

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
