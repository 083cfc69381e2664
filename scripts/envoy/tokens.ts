import { EnvoyError } from './error.ts';
import { parseKeySetUrl, type TokenIssuer } from '../policy/index.ts';
import type { LocalUpstream } from './snapshot.ts';
import type { Trust } from './trust.ts';

/** An issuer whose tokens Envoy verifies in front of the module. */
export interface LocalIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly audiences?: readonly string[];
  /** The key set as JSON text, or where it is fetched, through which of the key sets' clusters. */
  readonly keys: string | { readonly uri: string; readonly cluster: string };
}

export interface Verification {
  readonly issuers: readonly LocalIssuer[];
  /** Clusters of the servers that have key sets. */
  readonly keySets: readonly LocalUpstream[];
}

/** As much of a policy as its tokens are verified by. */
export interface VerifiedPolicy {
  readonly tokens?: Readonly<Record<string, TokenIssuer>> | undefined;
  readonly apis: Readonly<Record<string, { readonly credentials?: readonly string[] | undefined }>>;
}

/** How Envoy verifies the tokens of a policy; nothing where no API takes tokens. */
export function verificationOf({ tokens = {}, apis }: VerifiedPolicy, trust: Trust): Partial<Verification> {
  if (!Object.values(apis).some(({ credentials = [] }) => credentials.includes('token'))) return {};
  const keySets: LocalUpstream[] = [];
  const issuers = Object.entries(tokens).map(([name, { issuer, audiences, jwks }]): LocalIssuer => {
    const common = { name, issuer, ...(audiences && { audiences }) };
    if (typeof jwks !== 'string') return { ...common, keys: JSON.stringify(jwks) };
    const server = keySetServer(name, jwks, trust);
    keySets.push(server);
    return { ...common, keys: { uri: jwks, cluster: server.name } };
  });
  return { issuers, keySets };
}

/** No upstream can have a name with spaces. */
function keySetServer(name: string, url: string, trust: Trust): LocalUpstream {
  const parsed = parseKeySetUrl(url);
  if (parsed === null) throw new EnvoyError(`tokens ${name}: jwks: must be a URL; found "${url}"`);
  const { protocol, host, port } = parsed;
  const common = { name: `key set of ${name}`, host, port };
  if (protocol === 'http') return common;
  const authorities = trust.authorities(`jwks of ${name}`, undefined);
  return { ...common, protocol, tls: { serverName: host, authorities } };
}

/** Name of the filter: in Envoy's statistics and for the extension's discovery. */
export const TOKEN_FILTER = 'tollgate-tokens';
export const JWT_FILTER = 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication';
/** Where the filter leaves the claims of a token that it has verified: the name that Istio gives it. */
const PAYLOAD = 'payload';

/**
 * Envoy's JWT filter in front of the module. It refuses nothing: of a token that is not valid it leaves no claims, and the module decides by
 * what is there. Nor does it take tokens away, because only the module knows whether the request is for an API that takes them.
 */
export function jwtFilterOf(issuers: readonly LocalIssuer[]): object {
  const requirements = [...issuers.map(({ name }) => ({ provider_name: name })), { allow_missing_or_failed: {} }];
  return {
    '@type': JWT_FILTER,
    ...(issuers.length > 0 && {
      providers: Object.fromEntries(issuers.map((issuer) => [issuer.name, providerOf(issuer)])),
      rules: [{ match: { prefix: '/' }, requires: { requires_any: { requirements } } }],
    }),
  };
}

function providerOf({ issuer, audiences, keys }: LocalIssuer): object {
  return {
    issuer,
    ...(audiences && { audiences }),
    from_headers: [{ name: 'authorization', value_prefix: 'Bearer ' }],
    forward: true,
    payload_in_metadata: PAYLOAD,
    ...(typeof keys === 'string'
      ? { local_jwks: { inline_string: keys } }
      : {
          remote_jwks: {
            http_uri: { uri: keys.uri, cluster: keys.cluster, timeout: '5s' },
            cache_duration: '300s',
            // fetched before the first token comes, and again before the set expires
            async_fetch: { fast_listener: true },
          },
        }),
  };
}

/** The same as a discovered extension, so that an edit changes it without a listener that drains. */
export function tokenExtensionOf(issuers: readonly LocalIssuer[]): object {
  return {
    '@type': 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
    name: TOKEN_FILTER,
    typed_config: jwtFilterOf(issuers),
  };
}
