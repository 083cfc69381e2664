import { Refusal } from '../cli/command.ts';
import { askHelper } from './credentialHelper.ts';
import { dockerConfig, type Login, type Place } from './dockerConfig.ts';
import { credentialKey } from './reference.ts';
import { isToken } from './secrets.ts';

/** How to prove to a registry who is pushing. `origin` is for messages: where it comes from, never what it is. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string; readonly origin: string }
  | { readonly kind: 'identityToken'; readonly token: string; readonly origin: string }
  | { readonly kind: 'registryToken'; readonly token: string; readonly origin: string };

/** Asked only when a registry wants to know: an open one needs no helper to work. Null: there is none. */
export type CredentialSource = () => Promise<Credential | null>;

/** docker's way of saying that a secret is an identity token. */
const TOKEN_USER = '<token>';

export function givenCredential(username: string, password: string): Credential {
  return { kind: 'password', username, password, origin: '--username and --password-stdin' };
}

/**
 * What `docker login` (or its helpers) left for the repository: an entry in the file with a path of it, otherwise what the
 * helper has for the registry, otherwise the file's entry for the registry.
 */
export async function dockerCredential(
  place: Place,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Credential | null> {
  const { path, helper, login, isNarrow } = await dockerConfig(place, env);
  if (helper === null || isNarrow) return fromLogin(login, path);
  const found = await askHelper(helper, credentialKey(place.host), signal);
  if (found === null) return fromLogin(login, path);
  const origin = `docker-credential-${helper}`;
  return found.username === TOKEN_USER
    ? { kind: 'identityToken', token: found.secret, origin }
    : { kind: 'password', username: found.username, password: found.secret, origin };
}

function fromLogin(login: Login | null, origin: string): Credential | null {
  if (login === null) return null;
  if (login.registrytoken && !isToken(login.registrytoken))
    throw new Refusal(`${origin}: a registrytoken has characters that no token has`);
  if (login.registrytoken) return { kind: 'registryToken', token: login.registrytoken, origin };
  if (login.identitytoken) return { kind: 'identityToken', token: login.identitytoken, origin };
  if (login.auth) return fromAuth(login.auth, origin);
  if (login.username !== undefined && login.password !== undefined)
    return { kind: 'password', username: login.username, password: login.password, origin };
  return null;
}

/** `auth` is base64 of `user:password`; the password may hold colons. */
function fromAuth(auth: string, origin: string): Credential {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new Refusal(`${origin}: an auth is not base64 of user:password`);
  return {
    kind: 'password',
    username: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ''),
    origin,
  };
}
