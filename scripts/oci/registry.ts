import { OciError, PlainHttp, Transient, Unreachable } from './error.ts';
import { type RegistryAnswer, send, type WireRequest } from './wire.ts';
import { Authorizer } from './authorization.ts';
import { blob, type Blob, DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST } from './bundle.ts';
import type { CredentialSource } from './credentials.ts';
import { type Digest, digestOf, endpoint, isDigest, isLoopback, type Reference } from './reference.ts';
import { Reach, type Resolve } from './reach.ts';
import { failureOf, mayPass, retrying, type RetryPolicy } from './failure.ts';

export interface RegistryOptions {
  /** http to any host, where it can be read on the way. */
  readonly plainHttp: boolean;
  /** Hosts that the registry may name although they are not known to be its own, or are nearer than it is. */
  readonly allowedHosts: readonly string[];
  /** The system's resolver otherwise. */
  readonly resolve?: Resolve;
  readonly credentials: CredentialSource;
  /** What a token is asked for; default: to push too. */
  readonly access?: 'pull' | 'pull,push';
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  /** Called with what is going on, such as retries. */
  readonly note: (text: string) => void;
}

const ACCEPT = { accept: [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(', ') };
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Answers of a registry, or a firewall before it, that does not support HEAD. */
const NO_HEAD = [405, 501];

/** One repository of a registry, over the OCI distribution protocol. */
export class Registry {
  private authorization: string | null = null;
  private knowsHead = true;
  private readonly authorizer: Authorizer;

  private constructor(
    readonly host: string,
    private readonly base: URL,
    repository: string,
    readonly options: RegistryOptions,
    private readonly reach: Reach,
  ) {
    this.authorizer = new Authorizer({
      host,
      scope: `repository:${repository}:${options.access ?? 'pull,push'}`,
      source: options.credentials,
      isPlain: base.protocol === 'http:',
      line: { reach, signal: options.signal },
    });
  }

  /** Finds out how to talk to the registry (TLS or not, with which authentication) and that it is one. */
  static async connect(reference: Reference, options: RegistryOptions): Promise<Registry> {
    const { host, repository } = endpoint(reference);
    const reach = new Reach(host, options);
    const { protocol, answer } = await greet(host, reach, options);
    const registry = new Registry(
      reference.host,
      new URL(`${protocol}//${host}/v2/${repository}/`),
      repository,
      options,
      reach,
    );
    await answer.discard();
    if (registry.isChallenge(answer)) await registry.retrying(() => registry.authorize(answer));
    // some registries guard even the greeting; the requests that matter will tell
    else if (![200, 401, 403].includes(answer.status))
      throw new OciError(`${reference.host}: no registry answers there (${answer.status})`);
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
  async ask(what: string, request: WireRequest, accepted: readonly number[]): Promise<RegistryAnswer> {
    let answer = await this.send(request);
    if (this.isChallenge(answer)) {
      await answer.discard();
      await this.authorize(answer);
      answer = await this.send(request);
    }
    if (accepted.includes(answer.status)) return answer;
    const error = await failureOf(
      await this.worded(request, answer),
      `${this.host}: ${what}`,
      this.authorizer.redact,
      accepted,
    );
    throw answer.status === 401 || answer.status === 403 ? this.authorizer.refused(error.message) : error;
  }

  /** HEAD has no room for the registry's reason; a GET of the same has. */
  private async worded(request: WireRequest, answer: RegistryAnswer): Promise<RegistryAnswer> {
    if (request.method !== 'HEAD' || mayPass(answer)) return answer;
    const worded = await this.send({ ...request, method: 'GET' });
    if (worded.status === answer.status) return worded;
    await worded.discard();
    return answer;
  }

  /** Asks for the head of something; with GET, whose body nobody reads, at a registry without HEAD. */
  private async askHead(what: string, url: URL, headers: Readonly<Record<string, string>>): Promise<RegistryAnswer> {
    if (this.knowsHead) {
      const answer = await this.ask(what, { method: 'HEAD', url, headers }, [200, 404, ...NO_HEAD]);
      if (!NO_HEAD.includes(answer.status)) return answer;
      await answer.discard();
      this.knowsHead = false;
    }
    return this.ask(what, { method: 'GET', url, headers }, [200, 404]);
  }

  /** Asks once: an upload retries it as a part of its own attempts. */
  async hasBlob(digest: Digest): Promise<boolean> {
    const answer = await this.askHead(`look-up of ${digest}`, this.url(`blobs/${digest}`), {});
    await answer.discard();
    return answer.status === 200;
  }

  /** The digest of what a tag (or digest) names; null when there is nothing. */
  async manifestDigest(name: string): Promise<Digest | null> {
    const digest = await this.retrying(async () => {
      const answer = await this.askHead(`look-up of ${name}`, this.url(`manifests/${name}`), ACCEPT);
      await answer.discard();
      return answer.status === 404 ? null : (answer.header('docker-content-digest') ?? '');
    });
    if (digest === null || isDigest(digest)) return digest;
    // the protocol makes the header optional, but not the content
    return (await this.manifest(name))?.descriptor.digest ?? null;
  }

  async manifest(name: string): Promise<Blob | null> {
    return this.retrying(async () => {
      const answer = await this.ask(
        `fetch of ${name}`,
        { method: 'GET', url: this.url(`manifests/${name}`), headers: ACCEPT },
        [200, 404],
      );
      if (answer.status === 404) return answer.discard().then(() => null);
      return blob(answer.header('content-type') ?? MANIFEST, await answer.readAll(MAX_MANIFEST_BYTES));
    });
  }

  /** Puts a manifest under a tag or its digest; resolves to the subject that the registry noticed, if any. */
  async putManifest(name: string, { descriptor, bytes }: Blob): Promise<string | null> {
    const headers = { 'content-type': descriptor.mediaType };
    const answer = await this.retrying(() =>
      this.ask(
        `manifest ${name}`,
        { method: 'PUT', url: this.url(`manifests/${name}`), headers, body: bytes },
        [201, 200, 202, 204],
      ),
    );
    await answer.discard();
    const said = answer.header('docker-content-digest') ?? '';
    const stored = isDigest(said) ? said : await this.storedDigest(name);
    if (stored !== descriptor.digest)
      throw new OciError(
        `${this.host}: manifest ${name}: digest mismatch: the registry stored ${stored}, and ${descriptor.digest} was sent`,
      );
    return answer.header('oci-subject');
  }

  /** Ends an upload session that nobody will finish. It has its own signal, because the command's is aborted already. */
  async forget(session: URL, signal: AbortSignal): Promise<void> {
    await (
      await send(
        { method: 'DELETE', url: session, authorization: this.authorizationFor(session) },
        { reach: this.reach, signal },
      )
    ).discard();
  }

  private async storedDigest(name: string): Promise<string> {
    const stored = await this.manifest(name);
    return stored === null ? 'nothing' : digestOf(stored.bytes);
  }

  /** Only the registry itself may ask for its credentials, not a host that it redirects to. */
  private isChallenge({ status, url }: RegistryAnswer): boolean {
    return status === 401 && url.origin === this.base.origin;
  }

  private async authorize(challenged: RegistryAnswer): Promise<void> {
    this.authorization = await this.authorizer.answer(challenged.header('www-authenticate'));
  }

  private send(request: WireRequest): Promise<RegistryAnswer> {
    return send(
      { ...request, authorization: this.authorizationFor(request.url) },
      { reach: this.reach, signal: this.options.signal },
    );
  }

  /** Upload sessions may live on another host; credentials are for the registry's own. */
  private authorizationFor(url: URL): string | null {
    return url.origin === this.base.origin ? this.authorization : null;
  }
}

interface Greeting {
  readonly protocol: string;
  readonly answer: RegistryAnswer;
}

/** The first request goes without credentials, so trying TLS or not gives nothing away. Only loopback is tried without. */
async function greet(
  host: string,
  reach: Reach,
  { plainHttp, retry: policy, signal, note }: RegistryOptions,
): Promise<Greeting> {
  const once = async (protocol: string): Promise<Greeting> => {
    const answer = await send({ method: 'GET', url: new URL(`${protocol}//${host}/v2/`) }, { reach, signal });
    if (mayPass(answer)) throw await failureOf(answer, `${host}: greeting`, (text) => text);
    return { protocol, answer };
  };
  const patient = (protocol: string): Promise<Greeting> => retrying(() => once(protocol), { policy, signal, note });
  if (plainHttp) return patient('http:');
  if (!isLoopback(host)) return patient('https:');
  try {
    return await once('https:');
  } catch (error) {
    // a plain http server answers a TLS hello with words, or by hanging up
    if (error instanceof PlainHttp || error instanceof Unreachable) return patient('http:');
    if (error instanceof Transient) return patient('https:');
    throw error;
  }
}
