/** Envoy closes a connection one second after a malformed request (delayed close): too long for hundreds of tries. */
const SOON = { delayed_close_timeout: '0.01s' };
const NORMALISED = { ...SOON, normalize_path: true };

/** How connection managers treat paths and hosts: as with `tollgate run`, and with each `pathNormalization` of Istio. */
export const MANAGERS: Record<string, object> = {
  'paths left as they are': SOON,
  "Istio's BASE": NORMALISED,
  "Istio's MERGE_SLASHES": { ...NORMALISED, merge_slashes: true },
  "Istio's DECODE_AND_MERGE_SLASHES": {
    ...NORMALISED,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD',
  },
  'slashes merged, escaped ones refused, hosts stripped': {
    ...SOON,
    merge_slashes: true,
    path_with_escaped_slashes_action: 'REJECT_REQUEST',
    strip_any_host_port: true,
    strip_trailing_host_dot: true,
  },
};
