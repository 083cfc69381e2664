/** A policy as the configuration of an Envoy. */
export { staticBootstrap, type StaticOptions } from './bootstrap.ts';
export { EnvoyError } from './error.ts';
export { snapshotOf, type Overrides, type RateLimitServiceAddress, type Snapshot } from './snapshot.ts';
