import {
  CONSUMER_HEADER,
  consumers,
  ENDLESS,
  KEY,
  KEY_HEADER,
  PLAN_HEADER,
  ROUTE,
  ROUTE_HEADER,
  ROUTED,
  WRONG_KEY,
} from '../identity.ts';
import type { Variant } from '../variant.ts';

/** The minimum: one key, in plain text. */
const ONE_KEY = `
local KEY = "${KEY}"

function envoy_on_request(handle)
  if handle:headers():get("${KEY_HEADER}") ~= KEY then
    handle:respond({ [":status"] = "401" }, "unknown key\\n")
  end
end
`;

/**
 * What one would write in Lua for consumers, a limit and a route: a table of keys, and a token bucket for each consumer. Globals
 * belong to a worker, so each worker counts the limit alone; there are no RateLimit headers.
 */
function tableAndBucket(): string {
  const rows = consumers().map(
    ({ key, consumer }) => `  ["${key}"] = { name = "${consumer}", plan = "free", tokens = ${ENDLESS}, filled = 0 },`,
  );
  return `
local RATE, BURST = ${ENDLESS}, ${ENDLESS}
local consumers = {
${rows.join('\n')}
}

function envoy_on_request(handle)
  local headers = handle:headers()
  local key = headers:get("${KEY_HEADER}")
  local consumer = key and consumers[key]
  if not consumer then
    handle:respond({ [":status"] = "401" }, "unknown key\\n")
    return
  end
  local now = handle:timestamp(EnvoyTimestampResolution.MILLISECOND)
  local tokens = math.min(BURST, consumer.tokens + (now - consumer.filled) * RATE / 1000)
  consumer.filled = now
  if tokens < 1 then
    consumer.tokens = tokens
    handle:respond({ [":status"] = "429" }, "too many requests\\n")
    return
  end
  consumer.tokens = tokens - 1
  headers:remove("${KEY_HEADER}")
  headers:replace("${CONSUMER_HEADER}", consumer.name)
  headers:replace("${PLAN_HEADER}", consumer.plan)
  if headers:get("x-api-version") == "2" then
    headers:replace("${ROUTE_HEADER}", "${ROUTE}")
  else
    headers:remove("${ROUTE_HEADER}")
  end
end
`;
}

export const lua: readonly Variant[] = [
  script('lua-key', 'Lua: one key in plain text', () => ONE_KEY),
  { ...script('lua-wrong-key', 'Lua: wrong key (401)', () => ONE_KEY), key: WRONG_KEY, status: 401 },
  { ...script('lua-full', 'Lua: key table, token bucket, route', tableAndBucket), status: ROUTED },
];

function script(name: string, title: string, source: () => string): Variant {
  const filters = (): object[] => [
    {
      name: 'envoy.filters.http.lua',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua',
        default_source_code: { inline_string: source() },
      },
    },
  ];
  return { name, title, family: 'lua', status: 200, key: KEY, services: [], filters };
}
