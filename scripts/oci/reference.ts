import { createHash } from 'node:crypto';
import { InvalidReference } from './error.ts';

/** A place in a registry, as in `oci://host/repository:tag@digest`. */
export interface Reference {
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const SCHEME = 'oci://';
const HOST =
  /^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const MAX_NAME_LENGTH = 255;
const MAX_PORT = 65_535;

/**
 * Reads a reference; throws InvalidReference with the rule that it breaks. The host is always written out: there is no
 * default registry.
 */
export function parseReference(text: string): Reference {
  if (!text.startsWith(SCHEME))
    fail('must begin with oci://, as in oci://registry.example.com/team/tollgate:1.0', text);
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const host = slash < 0 ? rest : rest.slice(0, slash);
  // what stands before an @ here is a password more often than not: it is not repeated
  if (host.includes('@'))
    throw new InvalidReference('the reference must not carry credentials; use --username and --password-stdin');
  if (slash < 0) fail('must name a host and a repository, as in oci://registry.example.com/team/tollgate', text);
  if (!isHost(host)) fail(`"${host}" is not a host`, text);
  return { host, ...nameOf(rest.slice(slash + 1), text) };
}

/** A name, IPv4 address or IPv6 address in brackets, with or without a port, that an address can be made of. */
export function isHost(host: string): boolean {
  const port = HOST.exec(host)?.[5]?.slice(1);
  if (!HOST.test(host) || (port !== undefined && (Number(port) === 0 || Number(port) > MAX_PORT))) return false;
  return URL.canParse(`https://${host}/`);
}

function nameOf(path: string, text: string): Omit<Reference, 'host'> {
  const at = path.indexOf('@');
  const digest = at < 0 ? undefined : path.slice(at + 1);
  const name = at < 0 ? path : path.slice(0, at);
  const colon = name.indexOf(':');
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  const repository = colon < 0 ? name : name.slice(0, colon);
  if (/[A-Z]/.test(repository)) fail('a repository must be lower case', text);
  if (!REPOSITORY.test(repository) || repository.length > MAX_NAME_LENGTH)
    fail(`"${repository}" is not a repository`, text);
  if (tag !== undefined) checkTag(tag, text);
  if (digest !== undefined && !isDigest(digest)) fail('a digest must be sha256: and 64 lower-case hex digits', text);
  return { repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

export function checkTag(tag: string, text: string = tag): void {
  if (!TAG.test(tag))
    fail('a tag must have 1 to 128 letters, digits, "_", "." and "-", and begin with none of the last two', text);
}

function fail(rule: string, found: string): never {
  throw new InvalidReference(`${rule}; found "${found}"`);
}

/** The reference that never changes its meaning: with the digest and without the tag. */
export function pinned({ host, repository }: Reference, digest: Digest): string {
  return `${SCHEME}${host}/${repository}@${digest}`;
}

/** True when what is sent to the host stays on this machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}

const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** Where the registry's API is, and its name for the repository; only for Docker Hub do these differ from what people write. */
export function endpoint({ host, repository }: Reference): { host: string; repository: string } {
  if (!DOCKER_HUB.has(host)) return { host, repository };
  return { host: 'registry-1.docker.io', repository: repository.includes('/') ? repository : `library/${repository}` };
}

/** The name under which docker keeps the host's credentials. */
export function credentialKey(host: string): string {
  return DOCKER_HUB.has(host) ? 'https://index.docker.io/v1/' : host;
}

/** `sha256:` and 64 lower-case hex digits: how OCI names a blob. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
