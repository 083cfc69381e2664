import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificate.ts';

export const SERVICE = 'tollgate-test-registry';
export const ISSUER = 'tollgate-test-issuer';

export interface Asked {
  readonly method: string;
  readonly authorization: string | undefined;
  readonly fields: URLSearchParams;
}

/** A minimal version of Docker's token service: it knows one user and one refresh token, and signs what they ask for. */
export class TokenService {
  readonly asked: Asked[] = [];
  /** Lifetime of the next tokens in seconds; with a negative number they have expired already. */
  lifetimes: number[] = [];
  private readonly server: Server;

  private constructor(
    private readonly certificate: Certificate,
    private readonly user: string,
    private readonly secret: string,
  ) {
    this.server = createServer((request, response) => {
      void this.read(request).then((asked) => {
        this.asked.push(asked);
        const { status, body } = this.answer(asked);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
  }

  static async start(certificate: Certificate, user: string, secret: string): Promise<TokenService> {
    const service = new TokenService(certificate, user, secret);
    await new Promise<void>((resolve) => service.server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  get realm(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/token`;
  }

  /** The section of the registry's configuration that makes it trust these tokens. */
  get auth(): object {
    return {
      token: { realm: this.realm, service: SERVICE, issuer: ISSUER, rootcertbundle: this.certificate.certificatePath },
    };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async read(request: IncomingMessage): Promise<Asked> {
    let body = '';
    for await (const part of request) body += (part as Buffer).toString();
    const fields =
      request.method === 'POST' ? new URLSearchParams(body) : new URL(request.url ?? '', 'http://x').searchParams;
    return { method: request.method ?? '', authorization: request.headers.authorization, fields };
  }

  private answer({ method, authorization, fields }: Asked): { status: number; body: object } {
    const basic = `Basic ${Buffer.from(`${this.user}:${this.secret}`).toString('base64')}`;
    const known = method === 'POST' ? fields.get('refresh_token') === this.secret : authorization === basic;
    // a careless service that repeats what it was sent
    if (!known)
      return {
        status: 401,
        body: {
          errors: [
            {
              code: 'UNAUTHORIZED',
              message: `bad credentials ${authorization ?? fields.get('refresh_token') ?? 'none'}`,
            },
          ],
        },
      };
    const token = this.token(fields.getAll('scope'), this.lifetimes.shift() ?? 300);
    return { status: 200, body: method === 'POST' ? { access_token: token } : { token } };
  }

  private token(scopes: string[], seconds: number): string {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes
      .map((scope) => scope.split(':'))
      .map(([type, name, actions]) => ({ type, name, actions: actions?.split(',') }));
    const x5c = [new X509Certificate(this.certificate.certificate).raw.toString('base64')];
    const claims = {
      iss: ISSUER,
      sub: this.user,
      aud: SERVICE,
      iat: now - 600,
      nbf: now - 600,
      exp: now + seconds,
      jti: String(this.asked.length),
      access,
    };
    const text = [{ typ: 'JWT', alg: 'ES256', x5c }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(text), {
      key: createPrivateKey(this.certificate.key),
      dsaEncoding: 'ieee-p1363',
    });
    return `${text}.${signature.toString('base64url')}`;
  }
}
