/*
 * envoy.config.core.v3.GrpcService as far as a guest uses it:
 *   field 1, envoy_grpc: message { field 1, cluster_name: text; field 2, authority: text }
 */
const ENVOY_GRPC = 1;
const CLUSTER_NAME = 1;
const AUTHORITY = 2;
const LENGTH_DELIMITED = 2;

/**
 * The cluster named by a serialized GrpcService, or null when the bytes are something else, or when the calls would have an
 * authority that HTTP/2 servers refuse: without one of its own, Envoy sends the cluster's name.
 */
export function clusterOf(service: Buffer): string | null {
  const envoyGrpc = fieldsOf(service)?.get(ENVOY_GRPC);
  const fields = envoyGrpc && fieldsOf(envoyGrpc);
  const name = fields?.get(CLUSTER_NAME)?.toString('latin1') ?? '';
  const authority = fields?.get(AUTHORITY)?.toString('latin1') ?? name;
  return name !== '' && /^[A-Za-z0-9._:-]+$/.test(authority) ? name : null;
}

/** A message of texts and messages with fields of numbers up to 15; null for any other. Lengths up to 16383 bytes. */
function fieldsOf(message: Buffer): Map<number, Buffer> | null {
  const fields = new Map<number, Buffer>();
  for (let at = 0; at < message.length;) {
    const tag = message[at++]!;
    if ((tag & 7) !== LENGTH_DELIMITED || tag >= 0x80 || at >= message.length) return null;
    let length = message[at++]!;
    if (length >= 0x80) length = (length & 0x7f) + (message[at++] ?? 0x80) * 128;
    if (length >= 0x4000 || at + length > message.length || fields.has(tag >> 3)) return null;
    fields.set(tag >> 3, message.subarray(at, at + length));
    at += length;
  }
  return fields.size === 0 ? null : fields;
}
