import { z } from 'zod';
import { Refusal } from '../cli/command.ts';
import { jsonBlob, type Bundle } from './bundle.ts';
import { hexOf, type Digest } from './digest.ts';
import { referrerDescriptor } from './layout.ts';
import { INDEX } from './mediaType.ts';
import type { Registry } from './registry.ts';

/** A list as a registry gives it: what it says beyond the digests is kept as it is. */
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
export async function putReferrer(registry: Registry, subject: Digest, referrer: Bundle): Promise<boolean> {
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
    throw new Refusal(`${registry.host}: the tag ${tag} is taken by something that is no list of referrers`);
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
