import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleModule, pushModule, type LayoutKind } from '../../scripts/oci/index.ts';

export interface ImageOptions {
  /** `HOST/REPOSITORY` */
  readonly repository: string;
  readonly module: string;
  readonly layout?: LayoutKind;
  /** Changes the module's bytes and digest, but not its behaviour. */
  readonly variant?: string;
}

/** Pushes a module to a registry as `tollgate push` does; resolves to `oci://HOST/REPOSITORY@sha256:…`. */
export async function pushImage({ repository, module, layout = 'image', variant }: ImageOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-image-'));
  try {
    const path = join(folder, 'plugin.wasm');
    await writeFile(
      path,
      Buffer.concat([await readFile(module), variant === undefined ? Buffer.alloc(0) : customSection(variant)]),
    );
    const bundle = await bundleModule({ layout, module: path });
    const options = { signal: new AbortController().signal, credentials: () => Promise.resolve(null) };
    return (await pushModule(`oci://${repository}:latest`, bundle, options)).reference;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A custom section of wasm: id 0, size, a name, and no content; the name is short enough for lengths of one byte. */
function customSection(name: string): Buffer {
  return Buffer.from([0, name.length + 1, name.length, ...Buffer.from(name)]);
}
