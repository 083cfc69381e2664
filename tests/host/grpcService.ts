/*
 * envoy.config.core.v3.GrpcService as far as a guest uses it:
 *   field 1, envoy_grpc: message { field 1, cluster_name: text }
 */

/** The cluster named by a serialized GrpcService, or null when the bytes are something else. */
export function clusterOf(service: Buffer): string | null {
  const envoyGrpc = onlyField(service);
  const name = envoyGrpc && onlyField(envoyGrpc);
  return name === null || name.length === 0 ? null : name.toString('latin1');
}

/** The content of a message that has field 1 and nothing else; 1–127 bytes, or 128–16383 with a second length byte. */
function onlyField(message: Buffer): Buffer | null {
  if (message.length < 2 || message[0] !== 0x0a) return null;
  const long = message[1]! >= 0x80;
  const from = long ? 3 : 2;
  const length = long ? (message[1]! & 0x7f) + (message[2] ?? 0) * 128 : message[1]!;
  return message.length === from + length && (message[2] ?? 0) < 0x80 + (long ? 0 : 0x80) ? message.subarray(from) : null;
}
