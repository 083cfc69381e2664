import { X509Certificate } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { rootCertificates } from 'node:tls';
import { EnvoyError } from './error.ts';
import type { PolicySource } from '../file/openPolicy.ts';
import { readBounded } from '../file/read.ts';
import { parseUpstream, type Tls } from '../policy/index.ts';

/** As much of a policy's upstreams as matters on this machine. */
export type RoutedUpstreams = Readonly<
  Record<
    string,
    {
      readonly url?: string | undefined;
      readonly tls?: Tls | undefined;
      readonly hostRewrite?: true | string | undefined;
    }
  >
>;

/** Upstream URLs by name, in place of those in the policy. */
export type Overrides = ReadonlyMap<string, string>;

/** Certificates of the authorities whom upstreams with TLS may be certified by. */
export interface Trust {
  /** PEM text for an upstream: of the file that its policy names, or of the system. */
  authorities(upstream: string, file: string | undefined): string;
}

/** For policies without such upstreams. */
export const NO_TRUST: Trust = {
  authorities: (upstream) => {
    throw new EnvoyError(`upstream ${upstream}: the certificates to verify it with were not read`);
  },
};

const MAX_BYTES = 4 << 20;
/** Where Linux distributions, BSDs and macOS keep the certificates of all authorities in one file. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Whom a policy connects to: upstreams, and servers of key sets. */
interface TrustingPolicy {
  readonly upstreams: RoutedUpstreams;
  readonly tokens?: Readonly<Record<string, { readonly jwks: unknown }>> | undefined;
}

/** Reads what the upstreams of a policy need, whose own files lie in `folder`. Throws EnvoyError for one that holds no certificates. */
export async function readTrust(
  { upstreams, tokens = {} }: TrustingPolicy,
  overrides: Overrides,
  folder: string,
): Promise<Trust> {
  const read = new Map<string | undefined, string>();
  if (Object.values(tokens).some(({ jwks }) => typeof jwks === 'string' && jwks.startsWith('https:')))
    read.set(undefined, await systemAuthorities());
  for (const [name, { url, tls }] of Object.entries(upstreams)) {
    const isSecure = parseUpstream(overrides.get(name) ?? url ?? '')?.protocol === 'https';
    if (!isSecure || tls?.insecure === true || read.has(tls?.ca)) continue;
    read.set(
      tls?.ca,
      tls?.ca === undefined ? await systemAuthorities() : await ownAuthorities(name, resolve(folder, tls.ca)),
    );
  }
  return { authorities: (upstream, file) => read.get(file) ?? NO_TRUST.authorities(upstream, file) };
}

/** The folder that a policy's own files lie in; for standard input, the current one. */
export function folderOf(file: string, { isFolder }: PolicySource): string {
  return isFolder ? file : dirname(file);
}

async function ownAuthorities(upstream: string, file: string): Promise<string> {
  try {
    return certificatesIn(await readBounded(file, MAX_BYTES));
  } catch (error) {
    throw new EnvoyError(`upstream ${upstream}: tls.ca ${file}: ${(error as Error).message}`);
  }
}

/** As OpenSSL and Go find them; Node brings some of its own for a machine that has none. */
async function systemAuthorities(): Promise<string> {
  const { SSL_CERT_FILE } = process.env;
  if (SSL_CERT_FILE) {
    try {
      return certificatesIn(await readBounded(SSL_CERT_FILE, MAX_BYTES));
    } catch (error) {
      throw new EnvoyError(`SSL_CERT_FILE ${SSL_CERT_FILE}: ${(error as Error).message}`);
    }
  }
  for (const file of SYSTEM_FILES) {
    const bytes = await readBounded(file, MAX_BYTES).catch(() => null);
    if (bytes !== null) return certificatesIn(bytes);
  }
  return `${rootCertificates.join('\n')}\n`;
}

/** The certificates alone: a key that lies in the same file stays there. */
function certificatesIn(bytes: Buffer): string {
  const found = bytes.toString('latin1').match(CERTIFICATE) ?? [];
  if (found.length === 0) throw new Error('must hold certificates as PEM: -----BEGIN CERTIFICATE-----');
  for (const [index, text] of found.entries()) {
    try {
      new X509Certificate(text);
    } catch {
      throw new Error(`certificate ${index + 1} must be one that can be read`);
    }
  }
  return `${found.join('\n')}\n`;
}
