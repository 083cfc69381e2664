import { LOG_FIELDS } from '../contract/table.ts';
import { readLogFields, type LogFields } from '../host/openRequest.ts';
import type { Policy } from '../policy/index.ts';

/** One line of Envoy's access log as `tollgate run` configures it. */
export interface AccessEntry {
  time: string;
  method: string | null;
  /** Without the query, which may hold a key. After the filter: normalised and rewritten as the upstream saw it. */
  path: string | null;
  protocol: string | null;
  status: number;
  grpcStatus: number | null;
  details: string | null;
  flags: string | null;
  durationMs: number;
  upstream: string | null;
  /** What the filter says about the request: `reason=allowed api=… route=… consumer=… key=… plan=…`. */
  tollgate: string | null;
  /** What the module left field by field, as far as the policy wants it and the decision got. */
  fields: LogFields;
}

/** The policy with all log fields, unless it chooses some itself: on one's own machine they cost nothing that matters. Its line is as it says. */
export function withLogFields(policy: Policy): Policy {
  return { ...policy, accessLog: { ...policy.accessLog, fields: policy.accessLog?.fields ?? [...LOG_FIELDS] } };
}

/** JSON, because a plain log prints what clients send unescaped. Standard error of Envoy stays for Envoy's own log. */
export function accessLogOf(): object {
  const json: Record<keyof AccessEntry, unknown> = {
    time: '%START_TIME%',
    method: '%REQ(:METHOD)%',
    path: '%PATH(NQ:PATH)%',
    protocol: '%PROTOCOL%',
    status: '%RESPONSE_CODE%',
    grpcStatus: '%GRPC_STATUS_NUMBER%',
    details: '%RESPONSE_CODE_DETAILS%',
    flags: '%RESPONSE_FLAGS%',
    durationMs: '%DURATION%',
    upstream: '%UPSTREAM_CLUSTER%',
    tollgate: '%FILTER_STATE(wasm.tollgate:PLAIN)%',
    fields: Object.fromEntries(LOG_FIELDS.map((name) => [name, `%FILTER_STATE(wasm.tollgate.${name}:PLAIN)%`])),
  };
  return {
    name: 'envoy.access_loggers.stdout',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
      log_format: { json_format: json },
    },
  };
}

/** The entry in a line of Envoy's standard output, or null when the line is something else. */
export function parseEntry(line: string): AccessEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('tollgate' in value)) return null;
    const entry = value as Omit<AccessEntry, 'fields'> & { readonly fields?: Partial<Record<string, string | null>> };
    return { ...entry, fields: readLogFields((name) => entry.fields?.[name]) };
  } catch {
    return null;
  }
}

/** The entry as `tollgate run --json` prints it: each field a member, null where the decision did not get so far. */
export function flatten({ fields, ...entry }: AccessEntry): Record<string, unknown> {
  return { ...entry, ...Object.fromEntries(LOG_FIELDS.map((name) => [name, fields[name] ?? null])) };
}

/** The line that people read: `10:45:31 GET /v1/pets 200 1 ms reason=allowed api=petstore …`. */
export function describe(entry: AccessEntry): string {
  const grpc = entry.grpcStatus === null ? '' : ` grpc ${entry.grpcStatus}`;
  // what Envoy answered itself (a bad request, a dead upstream) has no reason of the filter: its details say why
  const why = [
    entry.tollgate ?? lineOf(entry.fields),
    entry.fields.quota && `quota=${entry.fields.quota}`,
    entry.fields.remaining !== undefined && `remaining=${entry.fields.remaining}`,
    entry.details === 'via_upstream' || entry.details?.startsWith('tollgate_') ? null : entry.details,
  ]
    .filter(Boolean)
    .join(' ');
  const request = `${entry.method ?? '-'} ${entry.path ?? '-'}`;
  return printable(
    `${entry.time.slice(11, 19)} ${request} ${entry.status}${grpc} ${entry.durationMs} ms ${why}`.trimEnd(),
  );
}

/** What the module's line would say, of a policy that leaves it out. */
function lineOf(fields: LogFields): string {
  const { reason, mode, api, operation, route, consumer, keyId: key, plan } = fields;
  return Object.entries({ reason, mode, api, operation, route, consumer, key, plan })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join(' ');
}

/** A path is a client's text: nothing in it may steer the terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
