/** Envoy ends a connection on which it has read nonsense a second later, without a word: too long for hundreds of tries. */
const SOON = { delayed_close_timeout: '0.01s' };
const NORMALISED = { ...SOON, normalize_path: true };

/** How connection managers treat paths and hosts: `tollgate run`'s, and what Istio's `pathNormalization` makes of it. */
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
