import { NO_GRPC_STATUS } from './abi.ts';
import { HeaderMap } from './headerMap.ts';
import type { LocalResponse } from './stream.ts';

export interface Reply {
  readonly headers: HeaderMap;
  readonly body: string;
}

/** Envoy's rule: exactly this type or this type with a suffix. `application/grpc-web` is not gRPC. */
export function isGrpc(request: HeaderMap): boolean {
  const type = request.first('content-type') ?? '';
  return request.first(':path') !== undefined && (type === 'application/grpc' || type.startsWith('application/grpc+'));
}

/** What Envoy makes of a local response: problem body for HTTP, a trailers-only status for gRPC, no body for HEAD. */
export function localReply(request: HeaderMap, response: LocalResponse): Reply {
  const headers = new HeaderMap([[':status', String(response.status)], ...response.headers]);
  const isHead = request.first(':method') === 'HEAD';
  if (isGrpc(request)) return grpcReply(headers, response, isHead);
  headers.remove('content-length');
  if (response.body === '') {
    headers.remove('content-type');
    return { headers, body: '' };
  }
  headers.replace('content-length', String(Buffer.byteLength(response.body)));
  if (headers.first('content-type') === undefined) headers.add('content-type', 'text/plain');
  return { headers, body: isHead ? '' : response.body };
}

function grpcReply(headers: HeaderMap, response: LocalResponse, isHead: boolean): Reply {
  headers.replace(':status', '200');
  headers.replace('content-type', 'application/grpc');
  if ((headers.first('grpc-status') ?? '') === '') {
    const given = response.grpcStatus !== NO_GRPC_STATUS;
    headers.replace('grpc-status', String(given ? response.grpcStatus : grpcStatusOf(response.status)));
  }
  if (response.body !== '' && !isHead) headers.replace('grpc-message', percentEncode(response.body));
  headers.remove('content-length');
  return { headers, body: '' };
}

/** What Envoy derives where the module gives no status: the reason the module always gives one. */
function grpcStatusOf(httpStatus: number): number {
  const known: Record<number, number> = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14 };
  return known[httpStatus] ?? 2;
}

/** Bytes outside printable ASCII, and the percent sign. */
function percentEncode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      if (byte >= 0x20 && byte < 0x7e && byte !== 0x25) return String.fromCharCode(byte);
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}
