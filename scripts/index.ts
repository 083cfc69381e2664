/** The library: what docs/library.md describes. Each subject has a sub-path of its own too, with more in it. */
export {
  compilePolicy,
  readPolicy,
  validPolicy,
  type LoadResult,
  type Policy,
  type Problem,
  type ValidPolicy,
} from './policy/index.ts';
export type { PluginConfig } from './contract/pluginConfig.ts';
