/** Name of the plugin: in Envoy's log, its statistics and the extension's discovery. */
export const PLUGIN = 'tollgate';
export const WASM_FILTER = 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm';

/**
 * The wasm filter as a discovered extension. A new plugin config then reaches the VMs that are there (counters, leases and
 * connections stay), where a changed listener would drain.
 */
export function extensionOf(pluginConfig: string, module: string, vmId?: string): object {
  return {
    '@type': 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
    name: PLUGIN,
    typed_config: {
      '@type': WASM_FILTER,
      config: {
        name: PLUGIN,
        root_id: PLUGIN,
        // a request that cannot be decided is refused, never let through; a VM that died is made anew a second later
        failure_policy: 'FAIL_RELOAD',
        vm_config: {
          ...(vmId === undefined ? {} : { vm_id: vmId }),
          runtime: 'envoy.wasm.runtime.v8',
          code: { local: { filename: module } },
        },
        // a Struct would arrive as protobuf bytes, not as JSON
        configuration: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: pluginConfig },
      },
    },
  };
}
