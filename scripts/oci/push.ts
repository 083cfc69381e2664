import { z } from 'zod';
import { OciError } from './error.ts';
import { type Bundle, type Descriptor, INDEX, jsonBlob } from './bundle.ts';
import { referrerDescriptor } from './layout.ts';
import { type Digest, hexOf, pinned, type Reference } from './reference.ts';
import { Registry, type RegistryOptions } from './registry.ts';
import { uploadBlob } from './upload.ts';

export interface Pushed {
  /** `oci://host/repository@sha256:…`: what to deploy. */
  readonly reference: string;
  readonly digest: Digest;
  readonly tag: string | null;
  /** What the tag named before, when that was something else. */
  readonly moved: Digest | null;
  /** Blobs that the registry did not have. */
  readonly uploaded: readonly Descriptor[];
  /** False when everything was there, the tag included. */
  readonly changed: boolean;
  /** SBOMs and the like. */
  readonly referrers: readonly Digest[];
}

/**
 * Brings a bundle into a registry: what is missing of it, and the tag last, so that whoever follows the tag finds everything
 * there. Pushing again sends nothing.
 */
export async function pushBundle(bundle: Bundle, reference: Reference, options: RegistryOptions): Promise<Pushed> {
  const { digest } = bundle.manifest.descriptor;
  if (reference.digest !== undefined && reference.digest !== digest)
    throw new OciError(`the image to push is ${digest}; the reference says ${reference.digest}`);
  const registry = await stoppable(options.signal, () => Registry.connect(reference, options));
  return stoppable(options.signal, () => new Push(registry, bundle).run(reference));
}

class Push {
  private readonly uploaded: Descriptor[] = [];
  private changed = false;

  constructor(
    private readonly registry: Registry,
    private readonly bundle: Bundle,
  ) {}

  async run(reference: Reference): Promise<Pushed> {
    const { manifest, referrers } = this.bundle;
    const { digest } = manifest.descriptor;
    const tag = reference.tag ?? null;
    const before = tag === null ? null : await this.registry.manifestDigest(tag);
    const known = before === digest || (await this.registry.manifestDigest(digest)) === digest;
    if (!known) await this.upload(this.bundle);
    // a referrer needs its subject there; the tag waits for both
    if (!known && (tag === null || referrers.length > 0)) await this.put(digest);
    for (const referrer of referrers) await this.refer(referrer);
    if (tag !== null && before !== digest) await this.put(tag);
    return {
      reference: pinned(reference, digest),
      digest,
      tag,
      moved: before === digest ? null : before,
      uploaded: this.uploaded,
      changed: this.changed,
      referrers: referrers.map((one) => one.manifest.descriptor.digest),
    };
  }

  private async upload({ blobs }: Bundle): Promise<void> {
    for (const blob of blobs) {
      const { digest, size } = blob.descriptor;
      if (await this.registry.retrying(() => this.registry.hasBlob(digest))) continue;
      this.registry.options.note(`uploading ${digest.slice(0, 19)}… (${Math.ceil(size / 1000)} kB)`);
      await uploadBlob(this.registry, blob);
      this.uploaded.push(blob.descriptor);
      this.changed = true;
    }
  }

  private async put(name: string): Promise<void> {
    this.registry.options.note(`putting the manifest under ${name}`);
    await this.registry.putManifest(name, this.bundle.manifest);
    this.changed = true;
  }

  private async refer(referrer: Bundle): Promise<void> {
    const { digest } = referrer.manifest.descriptor;
    if ((await this.registry.manifestDigest(digest)) !== digest) await this.upload(referrer);
    if (await putReferrer(this.registry, this.bundle.manifest.descriptor.digest, referrer)) this.changed = true;
  }
}

/** Ctrl-C aborts whatever is under way; the error that follows from that is not the one to show. */
async function stoppable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    if (signal.aborted) throw new OciError('stopped; the tag was not moved');
    throw error;
  }
}

/** A list as a registry gives it: everything in it but the digests is kept as it is. */
const index = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.literal(INDEX),
  manifests: z.array(z.looseObject({ digest: z.string() })),
});
type Index = z.infer<typeof index>;

const MAX_LIST_BYTES = 4 * 1024 * 1024;
const NOTHING: Index = { schemaVersion: 2, mediaType: INDEX, manifests: [] };

/**
 * Makes the registry list a referrer (whose blobs are there already) under its subject. A registry that knows referrers does
 * so by itself; for others, the list is an index under the tag `sha256-HEX` of the subject, kept by whoever pushes.
 * Resolves to whether anything had to be sent.
 */
async function putReferrer(registry: Registry, subject: Digest, referrer: Bundle): Promise<boolean> {
  const { digest } = referrer.manifest.descriptor;
  const listed = await listedByRegistry(registry, subject);
  if (listed?.some((one) => one.digest === digest)) return false;
  const known = (await registry.manifestDigest(digest)) === digest;
  if (!known || listed !== null) {
    const noticed = await registry.putManifest(digest, referrer.manifest);
    if (listed !== null || noticed === subject) return true;
  }
  return (await addToList(registry, subject, referrer)) || !known;
}

/** What the registry's own list says; null when it has no such lists. */
async function listedByRegistry(registry: Registry, subject: Digest): Promise<Index['manifests'] | null> {
  return registry.retrying(async () => {
    // a registry without the interface says 404 here, or anything else about an address it does not know
    const answer = await registry.ask(
      `referrers of ${subject}`,
      { method: 'GET', url: registry.url(`referrers/${subject}`) },
      [200, 400, 404, 405, 406],
    );
    if (answer.status === 200) return indexIn(await answer.readAll(MAX_LIST_BYTES))?.manifests ?? null;
    await answer.discard();
    return null;
  });
}

async function addToList(registry: Registry, subject: Digest, referrer: Bundle): Promise<boolean> {
  const tag = `sha256-${hexOf(subject)}`;
  const there = await registry.manifest(tag);
  const list = there === null ? NOTHING : indexIn(there.bytes);
  if (list === null)
    throw new OciError(`${registry.host}: the tag ${tag} is taken by something that is not a list of referrers`);
  const descriptor = referrerDescriptor(referrer);
  if (list.manifests.some(({ digest }) => digest === descriptor.digest)) return false;
  await registry.putManifest(tag, jsonBlob(INDEX, { ...list, manifests: [...list.manifests, descriptor] }));
  return true;
}

function indexIn(bytes: Uint8Array): Index | null {
  try {
    return index.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data ?? null;
  } catch {
    return null;
  }
}
