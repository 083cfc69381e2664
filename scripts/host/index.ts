/**
 * The module in Node, as an Envoy sees it: a small proxy-wasm host (ABI 0.2.1) in virtual time.
 *
 *   const host = new Host(loadModule('build/tollgate.wasm'));
 *   host.load(JSON.stringify(pluginConfig));                       // null: refused; host.logs('error') says why
 *   const exchange = host.request([[':authority', 'a.test'], [':path', '/v1'], [':method', 'GET']]);
 *   decisionOf(exchange)?.reason;                                  // 'missing_api_key'
 *   exchange.response.first(':status');                            // '401'
 *   host.total('tollgate_requests_total', { reason: 'missing_api_key' });                         // what Prometheus would show
 *   host.pass(60_000);                                             // a minute, with every tick in it
 *
 * Header names and values are byte strings (latin1: a character is a byte); time is milliseconds since 1970. What a real host
 * would answer with silence or a crash is a fault: `host.faults` holds them.
 */
export { Host, type Generation, type HostOptions } from './host.ts';
export { loadModule, type WasmModule } from './abi.ts';
export { HostFault } from './abi.ts';
export { HeaderMap, type Pair } from './stream.ts';
export { logFieldsOf, type LogFields } from './openRequest.ts';
export { decisionOf, type Decision, type Exchange, type OpenRequest, type UpstreamAnswer } from './openRequest.ts';
export type { Backend, GrpcAnswer, GrpcCall } from './grpc.ts';
export type { LogLine, Process } from './process.ts';
export { acceptsConfig, type Answer } from './vm.ts';
