import { Refusal } from '../command.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { failureOf, RegistryRefusal } from './registryError.ts';
import { readSome, send, type WireRequest } from './wire.ts';

const MAX_ANSWER_BYTES = 256 * 1024;

/** Answers a registry's challenges: Basic by itself, Bearer through the token service that the challenge names. */
export class Authorizer {
  private credential: Credential | null | undefined;
  private readonly secrets = new Set<string>();

  constructor(
    private readonly host: string,
    private readonly scope: string,
    private readonly source: CredentialSource,
    /** Credentials go over plain http only to a registry that is itself used so. */
    private readonly plainHttp: boolean,
    private readonly signal: AbortSignal,
  ) {}

  /** The `Authorization` header that answers `WWW-Authenticate`. */
  async answer(header: string | null): Promise<string> {
    const challenges = parseChallenges(header ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    const credential = await this.known();
    if (credential?.kind === 'registryToken') return this.keep(`Bearer ${credential.token}`);
    if (bearer !== undefined) return this.keep(`Bearer ${await this.token(bearer, credential)}`);
    if (!challenges.some(({ scheme }) => scheme === 'basic')) throw new Refusal(`${this.host}: wants an authentication that is neither Basic nor Bearer`);
    if (credential === null) throw new Refusal(this.unknown());
    if (credential.kind !== 'password') throw new Refusal(`${this.host}: wants a user and a password; ${credential.origin} has a token`);
    return this.keep(basic(credential.username, credential.password));
  }

  /** The refusal of a registry that was given the credentials and still says no. */
  refused(said: string): Refusal {
    const { credential } = this;
    if (credential === null || credential === undefined) return new Refusal(`${said}; ${this.unknown()}`);
    return new Refusal(`${said}; the credentials from ${credential.origin} were not accepted`);
  }

  /** The text without any secret that was used here: a server might repeat one. */
  redact = (text: string): string => {
    let result = text;
    for (const secret of this.secrets) result = result.replaceAll(secret, '***');
    return result;
  };

  private unknown(): string {
    return `${this.host} wants credentials and there are none for it; use docker login, or --username and --password-stdin`;
  }

  private async known(): Promise<Credential | null> {
    if (this.credential === undefined) this.credential = await this.source();
    const { credential } = this;
    if (credential?.kind === 'password') {
      this.remember(credential.password);
      // as it is sent
      this.keep(basic(credential.username, credential.password));
    } else if (credential !== null) this.remember(credential.token);
    return credential;
  }

  private keep(authorization: string): string {
    this.remember(authorization.slice(authorization.indexOf(' ') + 1));
    return authorization;
  }

  private remember(secret: string): void {
    if (secret !== '') this.secrets.add(secret);
  }

  /** A token for one repository, as in docker's token specification; an identity token is traded as in OAuth 2. */
  private async token(challenge: Challenge, credential: Credential | null): Promise<string> {
    const realm = this.realm(challenge);
    const fields = new URLSearchParams();
    const service = challenge.parameters.get('service');
    if (service !== undefined) fields.set('service', service);
    fields.set('scope', this.scope);
    const response = await send(tokenRequest(realm, fields, credential), this.signal);
    if (response.status !== 200) throw this.noToken(await failureOf(response, `${this.host}: token service ${realm.host}`, this.redact));
    const token = tokenIn((await readSome(response, MAX_ANSWER_BYTES)).toString('utf8'));
    if (token === null) throw new Refusal(`${this.host}: token service ${realm.host}: gave an answer without a token`);
    return token;
  }

  private realm({ parameters }: Challenge): URL {
    const text = parameters.get('realm') ?? '';
    const realm = URL.canParse(text) ? new URL(text) : null;
    if (realm === null || !['http:', 'https:'].includes(realm.protocol)) throw new Refusal(`${this.host}: names a token service that is no address`);
    if (realm.protocol === 'http:' && !this.plainHttp) throw new Refusal(`${this.host}: wants credentials sent over plain http to ${realm.host}; that is refused`);
    return realm;
  }

  private noToken(error: Error): Error {
    return error instanceof RegistryRefusal && [400, 401, 403].includes(error.status) ? this.refused(error.message) : error;
  }
}

function tokenRequest(realm: URL, fields: URLSearchParams, credential: Credential | null): WireRequest {
  if (credential?.kind === 'identityToken') {
    const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'tollgate', refresh_token: credential.token });
    for (const [name, value] of fields) body.set(name, value);
    return { method: 'POST', url: realm, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: body.toString() };
  }
  const url = new URL(realm);
  for (const [name, value] of fields) url.searchParams.append(name, value);
  return { method: 'GET', url, authorization: credential?.kind === 'password' ? basic(credential.username, credential.password) : null };
}

function tokenIn(text: string): string | null {
  try {
    const { token, access_token: accessToken } = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const found = [token, accessToken].find((one) => typeof one === 'string' && /^[\x21-\x7e]+$/.test(one));
    return typeof found === 'string' ? found : null;
  } catch {
    return null;
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
