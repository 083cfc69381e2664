import { Refusal } from '../command.ts';
import { Authorizer } from './authorizer.ts';
import { blob, type Blob } from './bundle.ts';
import type { CredentialSource } from './credentials.ts';
import { digestOf, isDigest, type Digest } from './digest.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST } from './mediaType.ts';
import { endpoint, isLoopback, type Reference } from './reference.ts';
import { failureOf, mayPass } from './registryError.ts';
import { retrying, type RetryPolicy } from './retry.ts';
import { discard, PlainHttp, readSome, send, Unreachable, type WireRequest } from './wire.ts';

export interface RegistryOptions {
  /** http even where it can be read on the way. */
  readonly plainHttp: boolean;
  readonly credentials: CredentialSource;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  /** Told what goes on: retries, among others. */
  readonly note: (text: string) => void;
}

const ACCEPT = { accept: [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(', ') };
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** One repository of a registry, over the OCI distribution protocol. */
export class Registry {
  private authorization: string | null = null;
  private readonly authorizer: Authorizer;

  private constructor(readonly host: string, private readonly base: URL, repository: string, readonly options: RegistryOptions) {
    this.authorizer = new Authorizer(host, `repository:${repository}:pull,push`, options.credentials, base.protocol === 'http:', options.signal);
  }

  /** Finds out how the registry is spoken to (TLS or not, with which authentication) and that it is one. */
  static async connect(reference: Reference, options: RegistryOptions): Promise<Registry> {
    const { host, repository } = endpoint(reference);
    const { protocol, response } = await greet(host, options);
    const registry = new Registry(reference.host, new URL(`${protocol}//${host}/v2/${repository}/`), repository, options);
    await discard(response);
    if (registry.isChallenge(response)) await registry.retrying(() => registry.authorize(response));
    // some registries guard even the greeting; the requests that matter will tell
    else if (![200, 401, 403].includes(response.status)) throw new Refusal(`${reference.host}: no registry answers there (${response.status})`);
    return registry;
  }

  /** Address of something in the repository. */
  url(path: string): URL {
    return new URL(path, this.base);
  }

  retrying<T>(attempt: () => Promise<T>): Promise<T> {
    const { retry: policy, signal, note } = this.options;
    return retrying(attempt, { policy, signal, note });
  }

  /** Sends with authorization, once more after a challenge; any status that is not `accepted` is an error about `what`. */
  async ask(what: string, request: WireRequest, accepted: readonly number[]): Promise<Response> {
    let response = await this.send(request);
    if (this.isChallenge(response)) {
      await discard(response);
      await this.authorize(response);
      response = await this.send(request);
    }
    if (accepted.includes(response.status)) return response;
    const error = await failureOf(await this.worded(request, response), `${this.host}: ${what}`, this.authorizer.redact);
    throw response.status === 401 || response.status === 403 ? this.authorizer.refused(error.message) : error;
  }

  /** HEAD has no room for the registry's reason; a GET of the same has. */
  private async worded(request: WireRequest, response: Response): Promise<Response> {
    if (request.method !== 'HEAD' || mayPass(response)) return response;
    const worded = await this.send({ ...request, method: 'GET' });
    if (worded.status === response.status) return worded;
    await discard(worded);
    return response;
  }

  /** Asks once: an upload asks in the course of its own attempts. */
  async hasBlob(digest: Digest): Promise<boolean> {
    const response = await this.ask(`look-up of ${digest}`, { method: 'HEAD', url: this.url(`blobs/${digest}`) }, [200, 404]);
    await discard(response);
    return response.status === 200;
  }

  /** The digest of what a tag (or digest) names; null when there is nothing. */
  async manifestDigest(name: string): Promise<Digest | null> {
    const digest = await this.retrying(async () => {
      const response = await this.ask(`look-up of ${name}`, { method: 'HEAD', url: this.url(`manifests/${name}`), headers: ACCEPT }, [200, 404]);
      await discard(response);
      return response.status === 404 ? null : (response.headers.get('docker-content-digest') ?? '');
    });
    if (digest === null || isDigest(digest)) return digest;
    // the header is optional in the protocol; the content is not
    return (await this.manifest(name))?.descriptor.digest ?? null;
  }

  async manifest(name: string): Promise<Blob | null> {
    return this.retrying(async () => {
      const response = await this.ask(`fetch of ${name}`, { method: 'GET', url: this.url(`manifests/${name}`), headers: ACCEPT }, [200, 404]);
      if (response.status === 404) return discard(response).then(() => null);
      return blob(response.headers.get('content-type') ?? MANIFEST, await readSome(response, MAX_MANIFEST_BYTES));
    });
  }

  /** Puts a manifest under a tag or its digest; resolves to the subject that the registry noticed, if any. */
  async putManifest(name: string, { descriptor, bytes }: Blob): Promise<string | null> {
    const headers = { 'content-type': descriptor.mediaType };
    const response = await this.retrying(() => this.ask(`manifest ${name}`, { method: 'PUT', url: this.url(`manifests/${name}`), headers, body: bytes }, [201, 202, 200]));
    await discard(response);
    const stored = response.headers.get('docker-content-digest') ?? (await this.storedDigest(name));
    if (stored !== descriptor.digest) throw new Refusal(`${this.host}: manifest ${name}: digest mismatch: the registry stored ${stored}, and ${descriptor.digest} was sent`);
    return response.headers.get('oci-subject');
  }

  /** Ends an upload session that nobody will finish. Has a signal of its own, because the command's has been given. */
  async forget(session: URL, signal: AbortSignal): Promise<void> {
    await discard(await send({ method: 'DELETE', url: session, authorization: this.authorizationFor(session) }, signal));
  }

  private async storedDigest(name: string): Promise<string> {
    const stored = await this.manifest(name);
    return stored === null ? 'nothing' : digestOf(stored.bytes);
  }

  /** Only the registry itself may ask for its credentials, not a host that it redirects to. */
  private isChallenge(response: Response): boolean {
    return response.status === 401 && new URL(response.url).origin === this.base.origin;
  }

  private async authorize(challenged: Response): Promise<void> {
    this.authorization = await this.authorizer.answer(challenged.headers.get('www-authenticate'));
  }

  private send(request: WireRequest): Promise<Response> {
    return send({ ...request, authorization: this.authorizationFor(request.url) }, this.options.signal);
  }

  /** Upload sessions may live on another host; credentials are for the registry's own. */
  private authorizationFor(url: URL): string | null {
    return url.origin === this.base.origin ? this.authorization : null;
  }
}

interface Greeting {
  readonly protocol: string;
  readonly response: Response;
}

/** The first request goes without credentials, so trying TLS or not gives nothing away. Only loopback is tried without. */
async function greet(host: string, { plainHttp, retry: policy, signal, note }: RegistryOptions): Promise<Greeting> {
  const once = async (protocol: string): Promise<Greeting> => {
    const response = await send({ method: 'GET', url: new URL(`${protocol}//${host}/v2/`) }, signal);
    if (mayPass(response)) throw await failureOf(response, `${host}: greeting`, (text) => text);
    return { protocol, response };
  };
  const patient = (protocol: string): Promise<Greeting> => retrying(() => once(protocol), { policy, signal, note });
  if (plainHttp) return patient('http:');
  if (!isLoopback(host)) return patient('https:');
  try {
    return await once('https:');
  } catch (error) {
    // a plain http server answers a TLS hello with words, or by hanging up
    if (error instanceof PlainHttp || error instanceof Unreachable) return patient('http:');
    throw error;
  }
}
