import { literal } from "../bytes/view";
import { Plan, QuotaKind, Tables } from "../tables/tables";
import { Names } from "./names";
import { decodeQuota, finishQuota } from "./quota";
import { Reader } from "./reader";
import { readMode, readName } from "./rule";
import { MAX_MESH_QUOTAS, MAX_QUOTAS } from "./contract";
import * as Field from "./field";

export function decodePlan(reader: Reader, tables: Tables, names: Names): void {
  const plan = tables.plans.add();
  plan.firstQuota = tables.quotas.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      const name = readName(reader);
      if (!reader.failed && !names.plans.add(name)) reader.fail(literal("a second plan named %q"), name);
      plan.name = tables.texts.keep(name);
    } else if (reader.takes(Field.QUOTAS, 1)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_QUOTAS) reader.fail(literal("at most %d quotas to a plan"), MAX_QUOTAS);
        decodeQuota(reader, tables, plan.firstQuota);
      }
    } else if (reader.takes(Field.MODE, 2)) {
      plan.mode = readMode(reader);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  plan.quotaCount = tables.quotas.count - plan.firstQuota;
  if (!reader.failed) finishQuotas(reader, tables, plan);
}

/** Finishes what needs the plan's name, which may come after its quotas in the document. */
function finishQuotas(reader: Reader, tables: Tables, plan: Plan): void {
  let meshCount = 0;
  for (let i = plan.firstQuota; i < plan.firstQuota + plan.quotaCount; i++) {
    const quota = tables.quotas.at(i);
    finishQuota(quota, plan.name);
    if (quota.kind == QuotaKind.Mesh) plan.hasMesh = true;
    if (quota.kind == QuotaKind.Mesh && ++meshCount > MAX_MESH_QUOTAS)
      reader.fail(literal("at most %d quotas of a plan may have the scope mesh"), MAX_MESH_QUOTAS);
  }
}
