import { CONSUMER_HEADER, consumers, ENDLESS, KEY, KEY_HEADER, WRONG_KEY } from '../identity.ts';
import type { Variant } from '../variant.ts';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const ALWAYS = { default_value: { numerator: 100, denominator: 'HUNDRED' } };

/** What Envoy's own C++ filters can do: a key, and one limit shared by all consumers. */
export const native: readonly Variant[] = [
  {
    name: 'native',
    title: 'Envoy: api_key_auth, local_ratelimit',
    family: 'native',
    status: 200,
    key: KEY,
    services: [],
    proof: 'x-ratelimit-limit',
    filters: () => [apiKeyAuth(), localRateLimit()],
  },
  {
    name: 'native-wrong-key',
    title: 'Envoy: api_key_auth, wrong key (401)',
    family: 'native',
    status: 401,
    key: WRONG_KEY,
    services: [],
    filters: () => [apiKeyAuth(), localRateLimit()],
  },
];

export function apiKeyAuth(): object {
  return {
    name: 'envoy.filters.http.api_key_auth',
    typed_config: {
      '@type': `${FILTERS}.api_key_auth.v3.ApiKeyAuth`,
      credentials: consumers().map(({ key, consumer }) => ({ key, client: consumer })),
      key_sources: [{ header: KEY_HEADER }],
      forwarding: { header: CONSUMER_HEADER, hide_credentials: true },
    },
  };
}

function localRateLimit(): object {
  return {
    name: 'envoy.filters.http.local_ratelimit',
    typed_config: {
      '@type': `${FILTERS}.local_ratelimit.v3.LocalRateLimit`,
      stat_prefix: 'bench',
      enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
      token_bucket: { max_tokens: ENDLESS, tokens_per_fill: ENDLESS, fill_interval: '1s' },
      filter_enabled: ALWAYS,
      filter_enforced: ALWAYS,
    },
  };
}
