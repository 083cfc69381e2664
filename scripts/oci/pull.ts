import { blob, DOCKER_LIST, INDEX } from './bundle.ts';
import type { CredentialSource } from './credentials.ts';
import { OciError, RegistryError, Unauthorized } from './error.ts';
import { RETRY, type RetryPolicy } from './failure.ts';
import type { Resolve } from './reach.ts';
import { type Digest, digestOf, isDigest, parseReference } from './reference.ts';
import { Registry } from './registry.ts';

export interface PullOptions {
  readonly plainHttp?: boolean;
  readonly allowedHosts?: readonly string[];
  readonly resolve?: Resolve;
  /** Null: as anybody. */
  readonly credentials: CredentialSource;
  readonly retry?: RetryPolicy;
  readonly signal: AbortSignal;
  readonly note?: (text: string) => void;
}

const REFUSALS = [400, 401, 403, 404, 410];
/** Somebody waits for the answer, and may ask again. */
const SHORT_RETRY: RetryPolicy = { ...RETRY, attempts: 2, longestRetryAfterMs: 5000 };

/**
 * Whether the registry would hand out all of an image, with these credentials. Null: it would. Otherwise its words for why not.
 * Rejects with an OciError where the registry could not be asked.
 */
export async function refusalToPull(target: string, options: PullOptions): Promise<string | null> {
  const reference = parseReference(target);
  const {
    plainHttp = false,
    allowedHosts = [],
    resolve,
    credentials,
    retry = SHORT_RETRY,
    signal,
    note = () => undefined,
  } = options;
  const name = reference.digest ?? reference.tag ?? 'latest';
  try {
    const registry = await Registry.connect(reference, {
      access: 'pull',
      plainHttp,
      allowedHosts,
      credentials,
      retry,
      signal,
      note,
      ...(resolve && { resolve }),
    });
    const manifest = await registry.manifest(name);
    if (manifest === null) return `${reference.host}: has no ${reference.repository} with ${name}`;
    if (reference.digest !== undefined && digestOf(manifest.bytes) !== reference.digest)
      return `${reference.host}: gives other bytes for ${name} than its digest says`;
    for (const digest of contentOf(manifest))
      if (!(await registry.retrying(() => registry.hasBlob(digest))))
        return `${reference.host}: lacks ${digest} of ${name}`;
    return null;
  } catch (error) {
    // the registry's no, in contrast to what keeps us from asking
    if (error instanceof Unauthorized) return error.said;
    if (error instanceof RegistryError && REFUSALS.includes(error.status)) return error.message;
    throw error;
  }
}

/** Digests of the config and layers; of an index, whose parts depend on the platform, none. */
function contentOf({ descriptor, bytes }: ReturnType<typeof blob>): Digest[] {
  if (descriptor.mediaType === INDEX || descriptor.mediaType === DOCKER_LIST) return [];
  let value: { config?: { digest?: unknown }; layers?: { digest?: unknown }[] };
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof value;
  } catch {
    throw new OciError('the manifest is not JSON');
  }
  const layers = Array.isArray(value.layers) ? value.layers : [];
  return [value.config, ...layers].flatMap((one) => {
    const digest = one?.digest;
    return typeof digest === 'string' && isDigest(digest) ? [digest] : [];
  });
}
