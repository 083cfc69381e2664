/** A policy as the Istio resources that roll it out. */
export { emitResources, type EmittedFile } from './emit.ts';
export { EmitError } from './error.ts';
export { noticesOf } from './notice.ts';
export type { EmitOptions, FailStrategy, PluginKind, RouteKind } from './plugin.ts';
export type { Resource } from './resource.ts';
