import { OciError, RegistryError, Unauthorized } from './error.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { failureOf } from './failure.ts';
import { type Line, send, type WireRequest } from './wire.ts';

const MAX_ANSWER_BYTES = 256 * 1024;

const ADVICE = 'use docker login, or --username and --password-stdin';

interface AuthorizerOptions {
  readonly host: string;
  readonly scope: string;
  readonly source: CredentialSource;
  /** The registry itself is asked over http; only then may its token service be. */
  readonly isPlain: boolean;
  readonly line: Line;
}

/** Answers a registry's challenges: Basic directly, Bearer through the token service that the challenge names. */
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
      throw new OciError(`${host}: wants an authentication that is neither Basic nor Bearer`);
    if (credential === null) throw new Unauthorized(this.unknown(), ADVICE);
    if (credential.kind !== 'password')
      throw new OciError(`${host}: wants a user and a password; ${credential.origin} has a token`);
    return this.keep(basic(credential.username, credential.password));
  }

  /** The refusal of a registry that was given the credentials and still says no. */
  refused(said: string): Unauthorized {
    const { credential } = this;
    if (credential === null || credential === undefined) return new Unauthorized(`${said}; ${this.unknown()}`, ADVICE);
    return new Unauthorized(said, `the credentials from ${credential.origin} were not accepted`);
  }

  /** The text without any secret that was used here: a server might repeat one. */
  redact = (text: string): string => this.secrets.redact(text);

  private unknown(): string {
    return `${this.options.host} wants credentials and there are none for it`;
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

  /** A token for one repository, as in docker's token specification; an identity token is exchanged as in OAuth 2. */
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
    if (token === null) throw new OciError(`${host}: token service ${realm.host}: gave an answer without a token`);
    return token;
  }

  /** The token service; one that is not known to be the registry's own is asked for what anybody may have, but gets no credentials. */
  private realm({ parameters }: Challenge, credential: Credential | null): URL {
    const { host, isPlain, line } = this.options;
    const text = parameters.get('realm') ?? '';
    const realm = URL.canParse(text) ? new URL(text) : null;
    if (realm === null || !['http:', 'https:'].includes(realm.protocol))
      throw new OciError(`${host}: names a token service that is not an address`);
    if (realm.protocol === 'http:' && !isPlain)
      throw new OciError(`${host}: wants credentials sent over plain http to ${realm.host}; that is refused`);
    if (credential !== null && !line.reach.mayHoldCredentials(realm))
      throw new OciError(
        `${host}: wants credentials sent to ${realm.host}, which is not known to be its own; if it is, say --allow-host ${realm.hostname}`,
      );
    return realm;
  }

  private noToken(error: Error): Error {
    return error instanceof RegistryError && [400, 401, 403].includes(error.status)
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

/** One way to authenticate that a registry offers in `WWW-Authenticate`. */
interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names are lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))\\s*(?:,|$)`, 'y');
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?:\\s+|\\s*(?=,)|$)`, 'y');
/** RFC 7235 lets a scheme carry one bare value instead of parameters. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*\s*(?:,|$)/y;

/**
 * The challenges of a header (several headers are joined by commas), in order. Commas part both challenges and parameters;
 * a word with `=` after it is a parameter. What cannot be read ends the list: the header comes from outside.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const scheme = take(SCHEME)?.[1];
    if (scheme === undefined) return challenges;
    const parameters = new Map<string, string>();
    for (let match = take(PARAMETER); match !== null; match = take(PARAMETER)) {
      const value = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '';
      const name = match[1]?.toLowerCase() ?? '';
      if (!parameters.has(name)) parameters.set(name, value);
    }
    if (parameters.size === 0 && !startsScheme(header, at)) take(TOKEN68);
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
}

/** True when another challenge follows (`Negotiate, Basic realm="x"`) rather than this one's bare value. */
function startsScheme(header: string, at: number): boolean {
  return /^\s*,/.test(header.slice(at)) || new RegExp(`^${TOKEN}\\s+${TOKEN}\\s*=`).test(header.slice(at));
}

/** What fits into a header beside the others. */
const MAX_TOKEN_LENGTH = 64 * 1024;

/** True for what an `Authorization` header can hold. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= MAX_TOKEN_LENGTH;
}

/** What must not be shown: every secret that was used, in each form in which it is sent. A server may repeat one. */
class Secrets {
  private readonly known = new Set<string>();

  add(secret: string): void {
    if (secret === '') return;
    const base64 = Buffer.from(secret).toString('base64');
    const forms = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString().slice(2),
      JSON.stringify(secret).slice(1, -1),
      base64,
      base64.replace(/=+$/, ''),
      Buffer.from(secret).toString('base64url'),
    ];
    for (const form of forms) this.known.add(form);
  }

  /** The text without any of them. To be called before a string is cut: half a secret is not found. */
  redact = (text: string): string => {
    let result = text;
    for (const secret of [...this.known].sort((a, b) => b.length - a.length)) result = result.replaceAll(secret, '***');
    return result;
  };
}
