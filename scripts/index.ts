/** The library: what docs/library.md describes. Each subject has a sub-path of its own too, with more in it. */
export { compilePolicy, loadPolicy, readPolicy, type LoadResult, type Policy, type Problem } from './policy/index.ts';
export type { PluginConfig } from './contract/pluginConfig.ts';
