import { literal } from "../bytes/view";
import { QuotaKind, QuotaList } from "../tables/quota";
import { Tables } from "../tables/tables";
import { Names } from "./names";
import { decodeQuota, finishQuota } from "./quota";
import { Reader } from "./reader";
import { readMode, readName } from "./rule";
import { MAX_MESH_QUOTAS, MAX_QUOTAS } from "./contract";
import * as Field from "./field";

export function decodePlan(reader: Reader, tables: Tables, names: Names): void {
  const plan = tables.plans.add();
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      const name = readName(reader);
      if (!reader.failed && !names.plans.add(name)) reader.fail(literal("a second plan named %q"), name);
      plan.name = tables.texts.keep(name);
    } else if (reader.takes(Field.QUOTAS, 1)) {
      decodeQuotas(reader, tables, plan);
    } else if (reader.takes(Field.MODE, 2)) {
      plan.mode = readMode(reader);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  // What needs the plan's name, which may come after its quotas in the document.
  for (let i = 0; i < plan.quotaCount && !reader.failed; i++) finishQuota(tables.quotas.at(plan.firstQuota + i));
}

/** The quotas of a plan, or those of an operation. */
export function decodeQuotas(reader: Reader, tables: Tables, list: QuotaList): void {
  list.firstQuota = tables.quotas.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_QUOTAS) reader.fail(literal("at most %d quotas to a plan"), MAX_QUOTAS);
    const quota = decodeQuota(reader, tables, list.firstQuota);
    if (quota.kind == QuotaKind.Mesh && ++list.meshCount > MAX_MESH_QUOTAS)
      reader.fail(literal("at most %d quotas of a plan may have the scope mesh"), MAX_MESH_QUOTAS);
  }
  list.quotaCount = tables.quotas.count - list.firstQuota;
}
