import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { OciError } from './error.ts';
import { makeFolder } from '../file/makeFolder.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import {
  type Blob,
  type Bundle,
  type Descriptor,
  distinct,
  DOCKER_MANIFEST,
  INDEX,
  type Manifest,
  MANIFEST,
} from './bundle.ts';
import { type Digest, digestOf, hexOf, isDigest } from './reference.ts';

/** The tag of a descriptor in an image layout. */
const REF_NAME = 'org.opencontainers.image.ref.name';

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
    throw new OciError(`${folder}: holds something other than an image layout; nothing was written`);
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
    throw new OciError(`${folder}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  } finally {
    if (scratch !== null) await rm(scratch, { recursive: true, force: true });
  }
}

/** Two renames, because a folder that is not empty cannot be replaced by one; when the second fails, the first is undone. */
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

/** No pack takes this long: one whose folder is still there was killed. */
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
    throw new OciError(
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

/** As much as the largest module, which is the largest part of a layout. */
const MAX_BLOB_BYTES = 256 * 1024 * 1024;

const annotations = z.record(z.string(), z.string()).optional();
const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().refine(isDigest, 'must be a sha256 digest'),
  size: z.number().int().nonnegative(),
  artifactType: z.string().optional(),
  annotations,
});
const index = z.object({ schemaVersion: z.literal(2), manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor), subject: descriptor.optional() });

interface Read {
  readonly named: z.infer<typeof descriptor>;
  readonly bundle: Bundle;
  readonly subject: Digest | null;
}

/**
 * The image of a layout on disk, with what refers to it. Every blob is checked against its digest: damage is found here,
 * not by a proxy later. `tag` chooses when there are several images.
 */
export async function readLayout(folder: string, tag?: string): Promise<Bundle> {
  const { manifests } = parse(index, await read(folder, 'index.json'), join(folder, 'index.json'));
  const all: Read[] = [];
  for (const named of manifests) all.push(await readManifest(folder, named));
  const image = choose(
    folder,
    all.filter(({ subject }) => subject === null),
    tag,
  );
  const referrers = all
    .filter(({ subject }) => subject === image.manifest.descriptor.digest)
    .map(({ bundle }) => bundle);
  return { ...image, referrers };
}

function choose(folder: string, images: Read[], tag: string | undefined): Bundle {
  const nameOf = ({ named }: Read): string => named.annotations?.[REF_NAME] ?? named.digest;
  const [only] = images;
  if (only === undefined) throw new OciError(`${folder}: holds no image`);
  if (images.length === 1) return only.bundle;
  const tagged = images.find((one) => nameOf(one) === tag);
  if (tagged === undefined)
    throw new OciError(
      `${folder}: holds ${images.length} images; found ${images.map((one) => `"${nameOf(one)}"`).join(', ')}, and none is named like the tag to push`,
    );
  return tagged.bundle;
}

async function readManifest(folder: string, named: z.infer<typeof descriptor>): Promise<Read> {
  if (named.mediaType !== MANIFEST && named.mediaType !== DOCKER_MANIFEST)
    throw new OciError(`${folder}: ${named.digest}: must be an image manifest; found "${named.mediaType}"`);
  const own = await readBlob(folder, named);
  const { config, layers, subject } = parse(manifest, own.bytes, blobPath(folder, own.descriptor.digest));
  const blobs: Blob[] = [];
  for (const one of [config, ...layers]) blobs.push(await readBlob(folder, one));
  return { named, bundle: { manifest: own, blobs: distinct(blobs), referrers: [] }, subject: subject?.digest ?? null };
}

async function readBlob(folder: string, { mediaType, digest, size }: z.infer<typeof descriptor>): Promise<Blob> {
  const bytes = await read(folder, 'blobs', 'sha256', hexOf(digest));
  const path = blobPath(folder, digest);
  if (bytes.length !== size) throw new OciError(`${path}: must have ${size} bytes; found ${bytes.length}`);
  if (digestOf(bytes) !== digest)
    throw new OciError(`${path}: content does not match its digest; found ${digestOf(bytes)}`);
  const descriptor: Descriptor = { mediaType, digest, size };
  return { descriptor, bytes };
}

function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs', 'sha256', hexOf(digest));
}

async function read(...path: string[]): Promise<Buffer> {
  return readBounded(join(...path), MAX_BLOB_BYTES).catch((error: Error) => {
    throw new OciError(
      `${join(...path)}: ${error.message}${error instanceof Unreadable && error.code === 'ENOENT' ? '; an image layout is what "tollgate pack" writes' : ''}`,
    );
  });
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new OciError(`${path}: not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new OciError(`${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message.toLowerCase() ?? 'not understood'}`);
}
