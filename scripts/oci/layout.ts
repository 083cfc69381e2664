import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Refusal } from '../cli/command.ts';
import { makeFolder } from '../file/makeFolder.ts';
import type { Blob, Bundle, Descriptor, Manifest } from './bundle.ts';
import { hexOf } from './digest.ts';
import { INDEX } from './mediaType.ts';

/** The tag of a descriptor in an image layout. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** All that an image layout consists of. */
const ENTRIES = new Set(['oci-layout', 'index.json', 'blobs']);

/**
 * Writes an OCI image layout. The folder appears whole or not at all; one that is there is replaced if it is a layout, and
 * left alone otherwise.
 *
 *   oci-layout   index.json: the image with its tag, then what refers to it   blobs/sha256/HEX
 */
export async function writeLayout(folder: string, bundle: Bundle, tag: string): Promise<void> {
  const old = await entriesOf(folder);
  if (old.length > 0 && (!old.includes('oci-layout') || old.some((name) => !ENTRIES.has(name)))) {
    throw new Refusal(`${folder}: holds something else than an image layout; nothing was written`);
  }
  let scratch: string | null = null;
  try {
    // a link to a layout stays one
    const target = await realpath(folder).catch(() => resolve(folder));
    await makeFolder(dirname(target));
    await removeLeftOver(target);
    scratch = await mkdtemp(scratchPrefix(target));
    const fresh = join(scratch, 'fresh');
    await write(fresh, bundle, tag);
    await replaceFolder(target, fresh, join(scratch, 'old'));
  } catch (error) {
    throw new Refusal(`${folder}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  } finally {
    if (scratch !== null) await rm(scratch, { recursive: true, force: true });
  }
}

/** Two renames, because a folder that holds something cannot be replaced in one; when the second one fails, the first is taken back. */
async function replaceFolder(target: string, fresh: string, aside: string): Promise<void> {
  const wasThere = await rename(target, aside).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  try {
    await rename(fresh, target);
  } catch (error) {
    if (wasThere) await rename(aside, target).catch(() => undefined);
    throw error;
  }
}

/** No pack takes as long: one that has not removed its folder by then was killed. */
const STALE_MS = 3_600_000;

function scratchPrefix(target: string): string {
  return join(dirname(target), `.${basename(target)}-`);
}

async function removeLeftOver(target: string): Promise<void> {
  const prefix = basename(scratchPrefix(target));
  for (const name of (await readdir(dirname(target))).filter(
    (one) => one.startsWith(prefix) && one.length === prefix.length + 6,
  )) {
    const path = join(dirname(target), name);
    const changed = await stat(path).catch(() => null);
    const isOurs =
      changed?.isDirectory() === true && (await readdir(path)).every((one) => one === 'fresh' || one === 'old');
    if (isOurs && Date.now() - changed.mtimeMs > STALE_MS) await rm(path, { recursive: true, force: true });
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new Refusal(
      `${folder}: ${error.code === 'ENOTDIR' ? 'is a file' : `cannot be read: ${error.code ?? String(error)}`}`,
    );
  });
}

async function write(folder: string, bundle: Bundle, tag: string): Promise<void> {
  await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true });
  for (const { descriptor, bytes } of everyBlob(bundle))
    await writeFile(join(folder, 'blobs', 'sha256', hexOf(descriptor.digest)), bytes);
  const image = { ...bundle.manifest.descriptor, annotations: { [REF_NAME]: tag } };
  const index = { schemaVersion: 2, mediaType: INDEX, manifests: [image, ...bundle.referrers.map(referrerDescriptor)] };
  await writeFile(join(folder, 'index.json'), JSON.stringify(index));
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function everyBlob({ manifest, blobs, referrers }: Bundle): Blob[] {
  return [manifest, ...blobs, ...referrers.flatMap(everyBlob)];
}

/** How a list of referrers names one: with its type, and its annotations if it has some. */
export function referrerDescriptor({ manifest }: Bundle): Descriptor {
  const { artifactType, annotations, config } = JSON.parse(Buffer.from(manifest.bytes).toString('utf8')) as Manifest;
  return {
    ...manifest.descriptor,
    artifactType: artifactType ?? config.mediaType,
    ...(annotations === undefined ? {} : { annotations }),
  };
}
