import { ABSENT, Tables, decodeConfig, lengthOf, pointerOf, resetArena, toString } from "../filter/index";
import { LogLevel, log, pluginConfiguration, setTickPeriod } from "./host";
import { Metrics } from "./metrics";
import { LedgerMetrics } from "./ledgerMetrics";
import { TICK_MILLISECONDS, install, openAccount, openRoot } from "./root";

const MAX_CONFIG_BYTES: u32 = 16 * 1024 * 1024;

/** Puts the root's plugin config in force; false, with the old one still serving, when it cannot be. */
export function configure(rootId: u32, size: u32): bool {
  if (size > MAX_CONFIG_BYTES) return refuse("plugin config: must have at most " + MAX_CONFIG_BYTES.toString() + " bytes");
  const document = size == 0 ? ABSENT : pluginConfiguration(size);
  if (document == ABSENT) return refuse("plugin config: is empty");
  const decoded = decodeConfig(pointerOf(document), lengthOf(document));
  // The document is the largest thing that comes in; nothing points into it any more.
  resetArena();
  const tables = decoded.tables;
  if (tables == null) return refuse(decoded.problem);

  const account = openAccount(tables.policy);
  if (!account.pool.create() || (tables.ledger.cluster != ABSENT && !account.stocks.create())) {
    tables.free();
    return refuse("the host keeps no shared data, which quotas need");
  }
  if (tables.ledger.cluster != ABSENT && account.ledgerMetrics == null) account.ledgerMetrics = new LedgerMetrics(tables.policy);
  install(openRoot(rootId), tables, new Metrics(tables), account);
  setTickPeriod(TICK_MILLISECONDS);
  log(LogLevel.Info, "tollgate: " + describe(tables));
  return true;
}

function refuse(problem: string): bool {
  log(LogLevel.Error, "tollgate: " + problem);
  return false;
}

function describe(tables: Tables): string {
  return "policy " + toString(tables.policy) + " in force: " + tables.apis.count.toString() + " APIs, " + tables.plans.count.toString()
    + " plans, " + tables.consumers.count.toString() + " consumers, " + tables.keyring.keys.count.toString() + " keys";
}
