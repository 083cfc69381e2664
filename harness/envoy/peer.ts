import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { component } from '../registry/component.ts';
import { succeed } from '../registry/program.ts';

interface Signed {
  readonly key: string;
  readonly certificate: string;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const DAYS = ['-days', '2'];

/**
 * Certificates of clients for a test's Envoy, made by openssl as they are needed: by a CA that the listener trusts, and by one that
 * it does not. Ask `lacking('openssl')` first.
 */
export class Peers {
  private readonly made = new Map<string, Promise<ConnectionOptions>>();

  private constructor(private readonly folder: string) {}

  static async make(): Promise<Peers> {
    const peers = new Peers(await mkdtemp(join(tmpdir(), 'tollgate-peers-')));
    for (const ca of ['trusted', 'foreign']) await peers.authority(ca);
    await peers.signed('server', 'trusted', 'IP.1 = 127.0.0.1');
    return peers;
  }

  /**
   * A listener that takes any certificate and verifies none in the handshake: Envoy notes whether the CA vouches for it. So one listener
   * shows both.
   */
  get transportSocket(): object {
    const file = (name: string): object => ({ filename: join(this.folder, name) });
    return {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
        require_client_certificate: false,
        common_tls_context: {
          tls_certificates: [{ certificate_chain: file('server.pem'), private_key: file('server.key') }],
          validation_context: { trusted_ca: file('trusted.pem'), trust_chain_verification: 'ACCEPT_UNTRUSTED' },
        },
      },
    };
  }

  /** What a client connects with whose certificate has these URIs; null: it shows none. */
  async client(uris: readonly string[] | null, verified: boolean): Promise<ConnectionOptions> {
    const id = JSON.stringify([uris, verified]);
    const known = this.made.get(id) ?? this.connect(uris, verified, `client-${this.made.size}`);
    this.made.set(id, known);
    return known;
  }

  private async connect(uris: readonly string[] | null, verified: boolean, name: string): Promise<ConnectionOptions> {
    // whom the server is, no case is about
    const any = { rejectUnauthorized: false };
    if (uris === null) return any;
    const names = uris.length === 0 ? ['DNS.1 = nobody.test'] : uris.map((uri, i) => `URI.${i + 1} = ${uri}`);
    const { key, certificate } = await this.signed(name, verified ? 'trusted' : 'foreign', names.join('\n'));
    return { ...any, key, cert: certificate };
  }

  private async authority(name: string): Promise<void> {
    const [key, certificate] = this.files(name);
    await succeed(component('openssl'), [
      'req',
      '-x509',
      ...KEY,
      ...DAYS,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      key,
      '-out',
      certificate,
    ]);
  }

  private async signed(name: string, ca: string, names: string): Promise<Signed> {
    const [key, certificate] = this.files(name);
    const [caKey, caCertificate] = this.files(ca);
    const [request, extensions] = [join(this.folder, `${name}.csr`), join(this.folder, `${name}.cnf`)];
    mkdirSync(this.folder, { recursive: true });
    // byte strings: a character is a byte
    writeFileSync(extensions, `subjectAltName = @names\n[names]\n${names}\n`, 'latin1');
    const openssl = component('openssl');
    await succeed(openssl, ['req', ...KEY, '-subj', '/CN=client', '-keyout', key, '-out', request]);
    const signing = ['-CA', caCertificate, '-CAkey', caKey, '-set_serial', String(this.made.size + 1)];
    await succeed(openssl, [
      'x509',
      '-req',
      '-in',
      request,
      ...signing,
      ...DAYS,
      '-extfile',
      extensions,
      '-out',
      certificate,
    ]);
    return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8') };
  }

  private files(name: string): [key: string, certificate: string] {
    return [join(this.folder, `${name}.key`), join(this.folder, `${name}.pem`)];
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

/** The filter of docs/identity.md that says of each certificate whether it was verified. */
export const PROOF = {
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
    shadow_rules_stat_prefix: 'tollgate_',
    shadow_rules: {
      action: 'ALLOW',
      policies: {
        verified: {
          permissions: [{ any: true }],
          principals: [
            {
              custom: {
                name: 'verified',
                typed_config: {
                  '@type': 'type.googleapis.com/envoy.extensions.rbac.principals.mtls_authenticated.v3.Config',
                  any_validated_client_certificate: true,
                },
              },
            },
          ],
        },
      },
    },
  },
};
