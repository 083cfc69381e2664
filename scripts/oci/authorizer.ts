import { Refusal } from '../cli/command.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { failureOf, RegistryRefusal } from './registryError.ts';
import { isToken, Secrets } from './secrets.ts';
import { send, type Line, type WireRequest } from './wire.ts';

const MAX_ANSWER_BYTES = 256 * 1024;

export interface AuthorizerOptions {
  readonly host: string;
  readonly scope: string;
  readonly source: CredentialSource;
  /** The registry itself is spoken to over http; only then may its token service be. */
  readonly isPlain: boolean;
  readonly line: Line;
}

/** Answers a registry's challenges: Basic by itself, Bearer through the token service that the challenge names. */
export class Authorizer {
  private credential: Credential | null | undefined;
  private readonly secrets = new Secrets();

  constructor(private readonly options: AuthorizerOptions) {}

  /** The `Authorization` header that answers `WWW-Authenticate`. */
  async answer(header: string | null): Promise<string> {
    const { host } = this.options;
    const challenges = parseChallenges(header ?? '');
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    const credential = await this.known();
    if (credential?.kind === 'registryToken') return this.keep(`Bearer ${credential.token}`);
    if (bearer !== undefined) return this.keep(`Bearer ${await this.token(bearer, credential)}`);
    if (!challenges.some(({ scheme }) => scheme === 'basic'))
      throw new Refusal(`${host}: wants an authentication that is neither Basic nor Bearer`);
    if (credential === null) throw new Refusal(this.unknown());
    if (credential.kind !== 'password')
      throw new Refusal(`${host}: wants a user and a password; ${credential.origin} has a token`);
    return this.keep(basic(credential.username, credential.password));
  }

  /** The refusal of a registry that was given the credentials and still says no. */
  refused(said: string): Refusal {
    const { credential } = this;
    if (credential === null || credential === undefined) return new Refusal(`${said}; ${this.unknown()}`);
    return new Refusal(`${said}; the credentials from ${credential.origin} were not accepted`);
  }

  /** The text without any secret that was used here: a server might repeat one. */
  redact = (text: string): string => this.secrets.redact(text);

  private unknown(): string {
    return `${this.options.host} wants credentials and there are none for it; use docker login, or --username and --password-stdin`;
  }

  private async known(): Promise<Credential | null> {
    if (this.credential === undefined) this.credential = await this.options.source();
    const { credential } = this;
    if (credential?.kind === 'password') {
      this.secrets.add(credential.password);
      // as it is sent
      this.keep(basic(credential.username, credential.password));
    } else if (credential !== null) this.secrets.add(credential.token);
    return credential;
  }

  private keep(authorization: string): string {
    this.secrets.add(authorization.slice(authorization.indexOf(' ') + 1));
    return authorization;
  }

  /** A token for one repository, as in docker's token specification; an identity token is traded as in OAuth 2. */
  private async token(challenge: Challenge, credential: Credential | null): Promise<string> {
    const { host, line } = this.options;
    const realm = this.realm(challenge, credential);
    const fields = new URLSearchParams();
    const service = challenge.parameters.get('service');
    if (service !== undefined) fields.set('service', service);
    fields.set('scope', this.options.scope);
    const answer = await send(tokenRequest(realm, fields, credential), line);
    if (answer.status !== 200)
      throw this.noToken(await failureOf(answer, `${host}: token service ${realm.host}`, this.redact, [200]));
    const token = tokenIn((await answer.readAll(MAX_ANSWER_BYTES)).toString('utf8'));
    if (token === null) throw new Refusal(`${host}: token service ${realm.host}: gave an answer without a token`);
    return token;
  }

  /** The token service; one that is not known to be the registry's own is asked for what anybody may have, but gets no credentials. */
  private realm({ parameters }: Challenge, credential: Credential | null): URL {
    const { host, isPlain, line } = this.options;
    const text = parameters.get('realm') ?? '';
    const realm = URL.canParse(text) ? new URL(text) : null;
    if (realm === null || !['http:', 'https:'].includes(realm.protocol))
      throw new Refusal(`${host}: names a token service that is no address`);
    if (realm.protocol === 'http:' && !isPlain)
      throw new Refusal(`${host}: wants credentials sent over plain http to ${realm.host}; that is refused`);
    if (credential !== null && !line.reach.mayHoldCredentials(realm))
      throw new Refusal(
        `${host}: wants credentials sent to ${realm.host}, which is not known to be its own; if it is, say --allow-host ${realm.hostname}`,
      );
    return realm;
  }

  private noToken(error: Error): Error {
    return error instanceof RegistryRefusal && [400, 401, 403].includes(error.status)
      ? this.refused(error.message)
      : error;
  }
}

function tokenRequest(realm: URL, fields: URLSearchParams, credential: Credential | null): WireRequest {
  const isSecret = credential !== null;
  if (credential?.kind === 'identityToken') {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'tollgate',
      refresh_token: credential.token,
    });
    for (const [name, value] of fields) body.set(name, value);
    return {
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: body.toString(),
      isSecret,
    };
  }
  const url = new URL(realm);
  for (const [name, value] of fields) url.searchParams.append(name, value);
  return {
    method: 'GET',
    url,
    authorization: credential?.kind === 'password' ? basic(credential.username, credential.password) : null,
    isSecret,
  };
}

function tokenIn(text: string): string | null {
  try {
    const { token, access_token: accessToken } = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const found = [token, accessToken].find((one) => typeof one === 'string' && isToken(one));
    return typeof found === 'string' ? found : null;
  } catch {
    return null;
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
