/**
 * There is no Envoy to run, or it does not serve what it is given: not found, too old, not started, a configuration refused, ended
 * by itself. The message is for people, of several lines where Envoy's own words say the reason.
 */
export class EnvoyError extends Error {
  override readonly name: string = 'EnvoyError';
}

/** Envoy could not listen where it was told to. */
export class PortTaken extends EnvoyError {
  override readonly name = 'PortTaken';

  constructor(readonly port: number) {
    super(`port ${port} is in use by another program`);
  }
}
