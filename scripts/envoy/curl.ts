import type { PluginConfig } from '../policy/index.ts';

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

/** The command line for many of it, which prints their statuses. */
export function burstLine(count: number, call: Call): string {
  return `for i in $(seq ${count}); do ${commandLine("curl -s -o /dev/null -w '%{http_code} '", call)}; done`;
}

function commandLine(curl: string, { port, host, path, headers }: Call): string {
  const all = host === null ? headers : { host, ...headers };
  return [curl, ...Object.entries(all).map(([name, value]) => `-H '${name}: ${value}'`), quoted(`http://127.0.0.1:${port}${path}`)].join(' ');
}

/** Two lines for the first API of a policy: without a key, and with one where the policy looks first. */
export function curlLines(config: PluginConfig, port: number, key: string): string[] {
  const api = config.apis[0];
  if (api === undefined) return [];
  const call = { port, host: hostOf(api.hosts), path: api.paths[0] ?? '/', headers: {} };
  return [curlLine(call), curlLine(withKey(call, config.keySources[0] ?? { header: 'x-api-key' }, key))];
}

/** A host that the API serves, or null when it serves any. */
export function hostOf(hosts: readonly string[] | undefined): string | null {
  return hosts?.[0]?.replace('*', 'www') ?? null;
}

function withKey(call: Call, source: PluginConfig['keySources'][number], key: string): Call {
  if ('query' in source) return { ...call, path: `${call.path}?${source.query}=${key}` };
  if ('header' in source) return { ...call, headers: { [source.header]: key } };
  return { ...call, headers: 'cookie' in source ? { cookie: `${source.cookie}=${key}` } : { authorization: `${source.authorization} ${key}` } };
}

function quoted(url: string): string {
  return /[?&;#*()$ ]/.test(url) ? `'${url}'` : url;
}
