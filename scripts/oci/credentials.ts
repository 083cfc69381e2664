import { Refusal } from '../command.ts';
import { askHelper } from './credentialHelper.ts';
import { dockerConfig, type Login } from './dockerConfig.ts';
import { credentialKey } from './reference.ts';

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

/** What `docker login` (or its helpers) left for the registry: the helper's answer, otherwise the entry in the file. */
export async function dockerCredential(host: string, signal: AbortSignal, env: NodeJS.ProcessEnv = process.env): Promise<Credential | null> {
  const { path, helper, login } = await dockerConfig(host, env);
  const fromFile = login === null ? null : fromLogin(login, path);
  if (helper === null) return fromFile;
  const found = await askHelper(helper, credentialKey(host), signal);
  if (found === null) return fromFile;
  const origin = `docker-credential-${helper}`;
  return found.username === TOKEN_USER
    ? { kind: 'identityToken', token: found.secret, origin }
    : { kind: 'password', username: found.username, password: found.secret, origin };
}

function fromLogin(login: Login, origin: string): Credential | null {
  if (login.registrytoken) return { kind: 'registryToken', token: login.registrytoken, origin };
  if (login.identitytoken) return { kind: 'identityToken', token: login.identitytoken, origin };
  if (login.auth) return fromAuth(login.auth, origin);
  if (login.username !== undefined && login.password !== undefined) return { kind: 'password', username: login.username, password: login.password, origin };
  return null;
}

/** `auth` is base64 of `user:password`; the password may hold colons. */
function fromAuth(auth: string, origin: string): Credential {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new Refusal(`${origin}: an auth is not base64 of user:password`);
  return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, ''), origin };
}
