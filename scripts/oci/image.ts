import { blob, distinct, jsonBlob, plain, type Annotations, type Blob, type Bundle, type Manifest } from './bundle.ts';
import { digestOf } from './digest.ts';
import { storedGzip } from './gzip.ts';
import { IMAGE_CONFIG, MANIFEST, TAR_GZIP_LAYER, WASM_CONFIG, WASM_LAYER } from './mediaType.ts';
import { tarOf } from './tar.ts';
import type { WasmFile } from './wasmModule.ts';

/** `image`: what any registry and container tool takes. `artifact`: the module as it is, under media types of its own. */
export type LayoutKind = 'image' | 'artifact';

/** The name that Istio, Envoy Gateway and others look for. */
const MODULE_NAME = 'plugin.wasm';

export function bundleOf(kind: LayoutKind, module: WasmFile, annotations: Annotations): Bundle {
  return kind === 'image' ? imageOf(module, annotations) : artifactOf(module, annotations);
}

/** The "compat" variant of the Wasm image specification: an OCI image whose only layer is a gzipped tar with `plugin.wasm`. */
function imageOf(module: WasmFile, annotations: Annotations): Bundle {
  const tar = tarOf(MODULE_NAME, module.bytes);
  const layer = blob(TAR_GZIP_LAYER, storedGzip(tar));
  const config = jsonBlob(IMAGE_CONFIG, {
    // what `docker build` of "FROM scratch, COPY plugin.wasm" says; wasm runs anywhere, and nobody who fetches it looks
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: annotations },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: `COPY ${MODULE_NAME} ./ # tollgate pack` }],
  });
  return bundle(config, [layer], { 'module.wasm.image/variant': 'compat', ...annotations });
}

/**
 * The "oci" variant: two layers, the module and what it is made for. Istio counts them: a third one, and it takes the
 * image for neither variant. The config is there as a layer too, because the specification counts it as one.
 */
function artifactOf(module: WasmFile, annotations: Annotations): Bundle {
  const runtime = { type: 'envoy_proxy', abiVersions: [module.abiVersion], config: { rootIds: [] } };
  const config = jsonBlob(WASM_CONFIG, runtime, { 'org.opencontainers.image.title': 'runtime-config.json' });
  const content = blob(WASM_LAYER, module.bytes, { 'org.opencontainers.image.title': MODULE_NAME });
  return bundle(config, [config, content], annotations);
}

function bundle(config: Blob, layers: Blob[], annotations: Annotations): Bundle {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: plain(config.descriptor),
    layers: layers.map(({ descriptor }) => descriptor),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  return { manifest: jsonBlob(MANIFEST, manifest), blobs: distinct([config, ...layers]), referrers: [] };
}
