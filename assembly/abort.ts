import { literal, lengthOf, pointerOf } from "../filter/index";
import { proxy_log } from "@solo-io/proxy-runtime/assembly/imports";

const CRITICAL: usize = 5;
const TEXT = literal("tollgate: the module found itself in an impossible state and stops");

/**
 * What the compiler calls for a failed check inside AssemblyScript's own library. Nothing in this module gets here on any
 * input; if it does all the same, the log says so before the VM ends.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  proxy_log(CRITICAL, pointerOf(TEXT), lengthOf(TEXT));
  unreachable();
}
