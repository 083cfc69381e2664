import { View, counterId, Rows } from "../filter/index";
import { defineCounter, defineGauge } from "./host";

/** A metric of this VM, by a digest of its name. */
@unmanaged
class Metric {
  name: u64;
  id: u32;
}

const METRIC_NAME: u8 = 0x4e;
/** A name is defined once, however often the policy is edited: the host never forgets an id. */
const known: Rows<Metric> = new Rows<Metric>();

/** The host's id of the counter called `name`, or 0 when it has none to give. */
export function counter(name: View): u32 {
  const metric = find(name);
  if (metric.id == 0) metric.id = defineCounter(name);
  return metric.id;
}

export function gauge(name: View): u32 {
  const metric = find(name);
  if (metric.id == 0) metric.id = defineGauge(name);
  return metric.id;
}

function find(name: View): Metric {
  const digest = counterId(METRIC_NAME, 0, name);
  for (let i = 0; i < known.count; i++) {
    if (known.at(i).name == digest) return known.at(i);
  }
  const metric = known.add();
  metric.name = digest;
  return metric;
}
