export { compilePolicy, domainOf } from './compile/compile.ts';
export { MAX_POLICY_BYTES, readPolicy, validPolicy, type LoadResult, type ValidPolicy } from './yaml/readPolicy.ts';
export { loadPolicy } from './input.ts';
export { consumerNameRule, encodedConsumer } from './schema/consumerName.ts';
export { LABEL, LABEL_RULE, NAME, NAME_RULE } from './schema/name.ts';
export { isSameInAnyOrder, orderedConfig, orderedPolicy } from './compile/order.ts';
export { parseUpstream } from './schema/place.ts';
export type * from '../contract/pluginConfig.ts';
export {
  PolicyProblems,
  printProblem,
  printProblems,
  printWarnings,
  type Problem,
  type ProblemList,
} from './problem.ts';
export {
  policySchema,
  type Api,
  type Consumer,
  type HeaderCondition,
  type Key,
  type Plan,
  type Policy,
  type Quota,
  type Route,
  type Subscription,
} from './schema/policy.ts';
export { epochSeconds } from './schema/time.ts';
export type { Target } from './schema/target.ts';
export { destinationsOf, type Destination, type Upstream } from './schema/upstream.ts';
