/** A policy as the configuration of an Envoy. */
export { staticBootstrap, type StaticOptions } from './bootstrap.ts';
export { EnvoyError } from './error.ts';
export { snapshotOf, type RateLimitServiceAddress, type Snapshot } from './snapshot.ts';
export { readTrust, type Overrides, type RoutedUpstreams, type Trust } from './trust.ts';
