import { CONSUMER_HEADER, ENDLESS, KEY, ROUTED, WRONG_KEY } from '../identity.ts';
import type { Service, Variant } from '../variant.ts';
import { apiKeyAuth } from './native.ts';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
/** Domain of the rate limit service's configuration. */
export const DOMAIN = 'bench';
const TIMEOUT = '1s';
/** Response headers from the service's answer, like Tollgate's RateLimit headers. */
const RATE_LIMIT_HEADER = 'x-ratelimit-limit';

/** The service's configuration: a counter for each consumer. */
const COUNTED = [{ key: 'consumer', rate_limit: { unit: 'hour', requests_per_unit: ENDLESS } }];
/** The descriptor: the consumer's name, which the filter before has set. */
const BY_CONSUMER = [{ actions: [{ request_headers: { header_name: CONSUMER_HEADER, descriptor_key: 'consumer' } }] }];

/** Variants that ask another process: one call per request, or two. */
export const service: readonly Variant[] = [
  {
    ...asks('key-ratelimit', 'api_key_auth + rate limit service, Redis', ['ratelimit']),
    filters: () => [apiKeyAuth(), rateLimit()],
    rateLimits: BY_CONSUMER,
    descriptors: COUNTED,
    proof: RATE_LIMIT_HEADER,
  },
  { ...asks('extauthz', 'ext_authz service', ['extauthz']), status: ROUTED, filters: () => [extAuthz()] },
  {
    ...asks('extauthz-wrong-key', 'ext_authz service, wrong key (401)', ['extauthz']),
    key: WRONG_KEY,
    status: 401,
    filters: () => [extAuthz()],
  },
  {
    ...asks('extauthz-ratelimit', 'ext_authz service + rate limit service, Redis', ['extauthz', 'ratelimit']),
    status: ROUTED,
    filters: () => [extAuthz(), rateLimit()],
    rateLimits: BY_CONSUMER,
    descriptors: COUNTED,
    proof: RATE_LIMIT_HEADER,
  },
];

function asks(name: string, title: string, services: readonly Service[]): Omit<Variant, 'filters'> {
  return { name, title, family: 'service', status: 200, key: KEY, services };
}

function rateLimit(): object {
  return {
    name: 'envoy.filters.http.ratelimit',
    typed_config: {
      '@type': `${FILTERS}.ratelimit.v3.RateLimit`,
      domain: DOMAIN,
      timeout: TIMEOUT,
      failure_mode_deny: true,
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      rate_limit_service: { grpc_service: call('ratelimit'), transport_api_version: 'V3' },
    },
  };
}

function extAuthz(): object {
  return {
    name: 'envoy.filters.http.ext_authz',
    typed_config: {
      '@type': `${FILTERS}.ext_authz.v3.ExtAuthz`,
      grpc_service: call('extauthz'),
      transport_api_version: 'V3',
      clear_route_cache: true,
    },
  };
}

function call(name: Service): object {
  return { envoy_grpc: { cluster_name: name }, timeout: TIMEOUT };
}
