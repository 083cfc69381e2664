import { keySourcesOf, placedKey, type PluginConfig } from '../policy/index.ts';

export interface Call {
  port: number;
  /** null: the policy takes any host. */
  host: string | null;
  path: string;
  headers: Record<string, string>;
}

/** The command line for a request, ready to paste into a shell. */
export function curlLine(call: Call): string {
  return commandLine('curl -i', call);
}

/** The command line for many such requests, which prints their statuses. */
export function burstLine(count: number, call: Call): string {
  return `for i in $(seq ${count}); do ${commandLine("curl -s -o /dev/null -w '%{http_code} '", call)}; done`;
}

function commandLine(curl: string, { port, host, path, headers }: Call): string {
  const all = host === null ? headers : { host, ...headers };
  return [
    curl,
    ...Object.entries(all).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    quotedUrl(`http://127.0.0.1:${port}${path}`),
  ].join(' ');
}

/**
 * A line without a key for the first API of a policy, and one with a key where the policy looks first, for the first API
 * with plans: without plans no key opens anything.
 */
export function curlLines(config: PluginConfig, port: number, key: string): string[] {
  const [first] = config.apis;
  if (first === undefined) return [];
  const lines = [curlLine(callOf(first, port))];
  const keyed = config.apis.find(({ plans }) => plans.length > 0);
  return keyed === undefined
    ? lines
    : [
        ...lines,
        curlLine(withKey(callOf(keyed, port), keySourcesOf(config, keyed)[0] ?? { header: 'x-api-key' }, key)),
      ];
}

function callOf(api: PluginConfig['apis'][number], port: number): Call {
  return { port, host: hostOf(api.hosts), path: api.paths[0] ?? '/', headers: {} };
}

/** A host that the API serves, or null when it serves any. */
export function hostOf(hosts: readonly string[] | undefined): string | null {
  return hosts?.[0]?.replace('*', 'www') ?? null;
}

function withKey(call: Call, source: PluginConfig['keySources'][number], key: string): Call {
  const { headers, query } = placedKey(source, key);
  return { ...call, path: query === null ? call.path : `${call.path}?${query}`, headers: Object.fromEntries(headers) };
}

function quotedUrl(url: string): string {
  return /^[A-Za-z0-9\-._~:/@%+=,]*$/.test(url) ? url : quoted(url);
}

/** Quoted as one word for a shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
