export { compilePolicy } from './compile.ts';
export { loadPolicy, MAX_POLICY_BYTES, readPolicy, type LoadResult } from './load.ts';
export { LABEL, LABEL_RULE, NAME, NAME_RULE } from './name.ts';
export { parseUpstream } from './place.ts';
export type * from './pluginConfig.ts';
export { printProblem, type Problem } from './problem.ts';
export { policySchema, type Api, type Consumer, type HeaderCondition, type Key, type Plan, type Policy, type Quota, type Route, type Subscription } from './schema.ts';
export { epochSeconds } from './time.ts';
