import { View } from "../bytes/view";

export const enum ConditionKind {
  Exact,
  Prefix,
  OneOf,
  Present,
  Absent,
}


@unmanaged
export class Route {
  /** `<api>/<route>`, the value of x-tollgate-route. */
  name: View;
  path: View;
  rewritePrefix: View;
  firstCondition: i32;
  conditionCount: i32;
  firstMethod: i32;
  methodCount: i32;
  firstPlan: i32;
  planCount: i32;
  firstConsumer: i32;
  consumerCount: i32;
  firstSet: i32;
  setCount: i32;
  firstRemove: i32;
  removeCount: i32;
  lifecycle: i32;
}

/** A condition on one request header; its values are contiguous in `Tables.values`. */
@unmanaged
export class HeaderCondition {
  name: View;
  kind: ConditionKind;
  firstValue: i32;
  valueCount: i32;
}


@unmanaged
export class HeaderField {
  name: View;
  value: View;
}
