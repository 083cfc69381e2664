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

/** The config of a manifest that is no image: the two bytes `{}`. */
export const EMPTY = 'application/vnd.oci.empty.v1+json';
