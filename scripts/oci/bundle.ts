import { type Digest, digestOf } from './reference.ts';

/** Names of formats, as they stand in manifests and headers. */
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

export const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const TAR_GZIP_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Of the Wasm artifact image specification: what the module is for, and the module itself. */
export const WASM_CONFIG = 'application/vnd.module.wasm.config.v1+json';
export const WASM_LAYER = 'application/vnd.module.wasm.content.layer.v1+wasm';

/** The config of a manifest that is not an image's: the two bytes `{}`. */
export const EMPTY = 'application/vnd.oci.empty.v1+json';

export type Annotations = Record<string, string>;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Annotations;
}

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: typeof MANIFEST;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

export interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A manifest with every blob that it names, and the bundles that refer to it (an SBOM). What is written or pushed as one. */
export interface Bundle {
  readonly manifest: Blob;
  readonly blobs: readonly Blob[];
  readonly referrers: readonly Bundle[];
}

export function blob(mediaType: string, bytes: Uint8Array, annotations?: Annotations): Blob {
  return {
    descriptor: {
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
      ...(annotations === undefined ? {} : { annotations }),
    },
    bytes,
  };
}

/** JSON as bytes: without spaces, members in the order in which they were made, so that the same value has the same digest. */
export function jsonBlob(mediaType: string, value: unknown, annotations?: Annotations): Blob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)), annotations);
}

/** What a descriptor says about the bytes alone; annotations and the like belong to the place where it stands. */
export function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** Every blob once: a config may be a layer as well. */
export function distinct(blobs: readonly Blob[]): Blob[] {
  return [...new Map(blobs.map((one) => [one.descriptor.digest, one])).values()];
}
