import { burstLine, curlLine, curlLines } from '../envoy/curl.ts';
import { castOf, type Cast } from './cast.ts';
import type { Playground } from './playground.ts';

/** What `tollgate demo` prints when it is ready: keys, and a line to paste for each thing worth seeing. */
export function welcome({ server, keys, file }: Playground): string {
  const { port, admin } = server.envoy;
  const cast = castOf(server.config);
  const holders = server.config.consumers.map(
    ({ name, plan }) => `  ${name}${plan === undefined ? '' : ` (plan ${plan})`}  ${keys.of(name)}`,
  );
  return `tollgate: ${file} in force on http://127.0.0.1:${port} (admin http://127.0.0.1:${admin.port})

keys, made for this run and kept in memory only
${holders.join('\n')}

${cast === null ? curlLines(server.config, port, 'KEY').join('\n') : linesOf(cast, port, (consumer) => keys.of(consumer))}

edit ${file} and save: in force within a second, counters kept. Ctrl-C stops.

`;
}

function linesOf(cast: Cast, port: number, keyOf: (consumer: string) => string): string {
  const call = (headers: Record<string, string>): Parameters<typeof curlLine>[0] => ({
    port,
    host: cast.host,
    path: cast.path,
    headers,
  });
  const key = cast.keyHeader(keyOf(cast.gold.consumer));
  return `without a key: 401
  ${curlLine(call({}))}
with a key: 200, RateLimit headers; the upstream sees consumer and plan, not the key
  ${curlLine(call(key))}
with a header that a route asks for: 200 from another upstream
  ${curlLine(call({ ...key, ...cast.route.headers }))}
more than ${cast.free.limit} in a second: 429
  ${burstLine(cast.free.limit + 1, call(cast.keyHeader(keyOf(cast.free.consumer))))}`;
}
