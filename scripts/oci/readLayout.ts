import { join } from 'node:path';
import { z } from 'zod';
import { Refusal } from '../cli/command.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import { distinct, type Blob, type Bundle, type Descriptor } from './bundle.ts';
import { digestOf, hexOf, isDigest, type Digest } from './digest.ts';
import { REF_NAME } from './layout.ts';
import { DOCKER_MANIFEST, MANIFEST } from './mediaType.ts';

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
 * The image of a layout on disk, with what refers to it. Every blob is checked against its digest: what was damaged on the
 * way is refused here, not by a proxy later. `tag` chooses when there are several images.
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
  if (only === undefined) throw new Refusal(`${folder}: holds no image`);
  if (images.length === 1) return only.bundle;
  const tagged = images.find((one) => nameOf(one) === tag);
  if (tagged === undefined)
    throw new Refusal(
      `${folder}: holds ${images.length} images; found ${images.map((one) => `"${nameOf(one)}"`).join(', ')}, and none is named like the tag to push`,
    );
  return tagged.bundle;
}

async function readManifest(folder: string, named: z.infer<typeof descriptor>): Promise<Read> {
  if (named.mediaType !== MANIFEST && named.mediaType !== DOCKER_MANIFEST)
    throw new Refusal(`${folder}: ${named.digest}: must be an image manifest; found "${named.mediaType}"`);
  const own = await readBlob(folder, named);
  const { config, layers, subject } = parse(manifest, own.bytes, blobPath(folder, own.descriptor.digest));
  const blobs: Blob[] = [];
  for (const one of [config, ...layers]) blobs.push(await readBlob(folder, one));
  return { named, bundle: { manifest: own, blobs: distinct(blobs), referrers: [] }, subject: subject?.digest ?? null };
}

async function readBlob(folder: string, { mediaType, digest, size }: z.infer<typeof descriptor>): Promise<Blob> {
  const bytes = await read(folder, 'blobs', 'sha256', hexOf(digest));
  const path = blobPath(folder, digest);
  if (bytes.length !== size) throw new Refusal(`${path}: must have ${size} bytes; found ${bytes.length}`);
  if (digestOf(bytes) !== digest)
    throw new Refusal(`${path}: content does not match its digest; found ${digestOf(bytes)}`);
  const descriptor: Descriptor = { mediaType, digest, size };
  return { descriptor, bytes };
}

function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs', 'sha256', hexOf(digest));
}

async function read(...path: string[]): Promise<Buffer> {
  return readBounded(join(...path), MAX_BLOB_BYTES).catch((error: Error) => {
    throw new Refusal(
      `${join(...path)}: ${error.message}${error instanceof Unreadable && error.code === 'ENOENT' ? '; an image layout is what "tollgate pack" writes' : ''}`,
    );
  });
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new Refusal(`${path}: not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Refusal(`${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message.toLowerCase() ?? 'not understood'}`);
}
