import { OciError, RegistryError, Transient } from './error.ts';
import { type RegistryAnswer, follow } from './wire.ts';
import type { Blob } from './bundle.ts';
import type { Registry } from './registry.ts';

/** An upload session of a registry: where it goes on, and how many bytes are there. */
interface Session {
  readonly location: URL;
  readonly received: number;
}

const CANCEL_MS = 2000;

/**
 * Uploads one blob: in one piece at first, and after a failure from where the registry says it got to. Some registries
 * (distribution among them) give up a session whose request broke; then it begins anew.
 *
 *   POST uploads/ → Location   PUT Location?digest (everything)
 *   lost: GET Location → Range   PATCH Location (the rest)   PUT Location?digest
 */
export async function uploadBlob(registry: Registry, blob: Blob): Promise<void> {
  let session: Session | null = null;
  let lost = false;
  try {
    await registry.retrying(async () => {
      // it may be the answer to a finished upload that was lost
      if (lost && (await registry.hasBlob(blob.descriptor.digest))) return;
      session = (session === null ? null : await standing(registry, session.location)) ?? (await open(registry));
      lost = true;
      try {
        await finish(registry, session, blob, (moved) => (session = moved));
      } catch (error) {
        if (!isStale(error)) throw error;
        session = null;
        throw new Transient((error as Error).message);
      }
    });
  } catch (error) {
    if (session !== null && registry.options.signal.aborted) await cancel(registry, session);
    throw error;
  }
}

async function open(registry: Registry): Promise<Session> {
  const answer = await registry.ask(
    'start of an upload',
    { method: 'POST', url: registry.url('blobs/uploads/'), headers: { 'content-length': '0' } },
    [202],
  );
  await answer.discard();
  return { location: locationOf(registry, answer), received: 0 };
}

/** How far a session got; null when it is gone or does not say. */
async function standing(registry: Registry, location: URL): Promise<Session | null> {
  const answer = await registry.ask('state of an upload', { method: 'GET', url: location }, [204, 202, 400, 404, 416]);
  await answer.discard();
  if (answer.status >= 400) return null;
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header('range') ?? '')?.[1];
  // "0-0" stands for one byte and, at some registries, for none: starting anew costs nothing then
  if (last === undefined || last === '0') return null;
  return {
    location: answer.header('location') === null ? location : locationOf(registry, answer),
    received: Number(last) + 1,
  };
}

async function finish(
  registry: Registry,
  from: Session,
  { bytes, descriptor }: Blob,
  moved: (session: Session) => void,
): Promise<void> {
  const what = `upload of ${descriptor.digest}`;
  let { location } = from;
  const type = { 'content-type': 'application/octet-stream' };
  if (from.received > bytes.length)
    throw new RegistryError(`${registry.host}: ${what}: the registry has more bytes than there are`, 416);
  if (from.received > 0 && from.received < bytes.length) {
    const headers = { ...type, 'content-range': `${from.received}-${bytes.length - 1}` };
    const answer = await registry.ask(
      what,
      { method: 'PATCH', url: location, headers, body: bytes.subarray(from.received) },
      [202],
    );
    await answer.discard();
    location = locationOf(registry, answer);
    moved({ location, received: bytes.length });
  }
  const url = withDigest(location, descriptor.digest);
  const rest = from.received === 0 ? bytes : new Uint8Array();
  const answer = await registry.ask(what, { method: 'PUT', url, headers: type, body: rest }, [201, 200, 204]);
  await answer.discard();
  // the protocol says 201; some registries say 204, and others mean something else by it
  if (answer.status !== 201 && !(await registry.hasBlob(descriptor.digest)))
    throw new OciError(`${registry.host}: ${what}: answered ${answer.status}, and the blob is not there`);
}

/** Appended as text: a signed address must not be rewritten. */
function withDigest(location: URL, digest: string): URL {
  return new URL(`${location.href}${location.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`);
}

function locationOf(registry: Registry, answer: RegistryAnswer): URL {
  const location = answer.header('location');
  if (location === null) throw new OciError(`${registry.host}: started an upload without saying where`);
  return follow(answer.url, location);
}

/** The session has changed: it is gone (404), or at another byte (416). */
function isStale(error: unknown): boolean {
  return error instanceof RegistryError && (error.status === 404 || error.status === 416);
}

/** After Ctrl-C: half a blob is of no use to anybody. The registry forgets it by itself if this does not reach it. */
async function cancel(registry: Registry, { location }: Session): Promise<void> {
  await registry.forget(location, AbortSignal.timeout(CANCEL_MS)).catch(() => undefined);
}
