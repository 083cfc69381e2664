/**
 * There is no Envoy to run, or it does not serve what it is given: not found, too old, not started, a configuration refused, ended
 * by itself. The message is for people, of several lines where Envoy's own words say the reason.
 */
export class EnvoyError extends Error {
  override readonly name = 'EnvoyError';
}
