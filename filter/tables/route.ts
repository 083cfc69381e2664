import { View } from "../bytes/view";

export const enum ConditionKind {
  Exact,
  Prefix,
  OneOf,
  Present,
  Absent,
}

/** In the place of a count of its own, so that routes without such conditions need not look at one. */
export const HAS_QUERY: u32 = 1 << 31;


@unmanaged
export class Route {
  /** `<api>/<route>`, the value of x-tollgate-route. */
  name: View;
  path: View;
  rewritePrefix: View;
  firstCondition: i32;
  conditionCount: i32;
  firstMethod: i32;
  methodCount: u32;
  firstPlan: i32;
  planCount: u32;
  firstConsumer: i32;
  /** The number of consumers, and HAS_QUERY where there are conditions on the query too. */
  consumerCount: u32;
  firstSet: i32;
  setCount: i32;
  firstRemove: i32;
  removeCount: i32;
  lifecycle: i32;
  /** The first condition on the query, if there is one. */
  firstQuery: i32;
}

/** A condition on one request header, or on one parameter of the query; its values are contiguous in `Tables.values`. */
@unmanaged
export class HeaderCondition {
  name: View;
  kind: ConditionKind;
  firstValue: i32;
  valueCount: i32;
  /** True for the last condition that its route has on the query. */
  isLast: bool;
}


@unmanaged
export class HeaderField {
  name: View;
  value: View;
}
