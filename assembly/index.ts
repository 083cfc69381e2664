import {
  allocate,
  bill,
  expected,
  forgetSettlement,
  forgetWaiter,
  land,
  resetArena,
  settling,
  waiting,
} from "../filter/index";
import { onGrpcClose, onGrpcReceive } from "./callout";
import { endStream, findRoot, openRoot, openStream } from "./context";
import { closePolicy, configure, drawSecret, onTick } from "./policy";
import { Verdict, onRequestHeaders, onRequestTrailers, onResponseHeaders, settleResponse } from "./request";
import { followUp, resumeAnswered } from "./waiting";

/** What a header callback tells the host to do next. */
const CONTINUE: u32 = 0;
const STOP_ITERATION: u32 = 1;

/**
 * The callbacks of proxy-wasm ABI 0.2.1 that the module exports. Others (`proxy_on_done`, `proxy_on_log`, those for bodies) are left out
 * because each would cost an entry into the VM per request.
 */
export function proxy_abi_version_0_2_1(): void {}

/** Memory for a value that the host returns; freed when the next callback begins. */
export function malloc(size: usize): usize {
  return allocate(size);
}

export function proxy_on_vm_start(rootId: u32, size: u32): u32 {
  drawSecret();
  return 1;
}

export function proxy_on_context_create(id: u32, parentId: u32): void {
  if (parentId == 0) openRoot(id);
  else openStream(id, parentId);
}

export function proxy_on_configure(rootId: u32, size: u32): u32 {
  resetArena();
  const done = configure(rootId, size);
  // The collector may run here: every object in use is reachable from globals, and none only from the stack.
  __collect();
  return done ? 1 : 0;
}

export function proxy_on_tick(rootId: u32): void {
  resetArena();
  const root = findRoot(rootId);
  if (root != null) onTick(root);
}

/** The answer to a gRPC call. */
export function proxy_on_grpc_receive(rootId: u32, token: u32, size: u32): void {
  resetArena();
  onGrpcReceive(token, size);
  resumeAnswered();
}

export function proxy_on_grpc_close(rootId: u32, token: u32, status: u32): void {
  resetArena();
  onGrpcClose(token, status);
  resumeAnswered();
}

export function proxy_on_request_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  resetArena();
  let verdict = onRequestHeaders(id);
  if (bill.notedCount > 0) verdict = followUp(id, verdict);
  return verdict == Verdict.Allow ? CONTINUE : STOP_ITERATION;
}

export function proxy_on_request_trailers(id: u32, trailerCount: u32): u32 {
  resetArena();
  onRequestTrailers();
  return 0;
}

export function proxy_on_response_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  resetArena();
  if ((waiting | settling) != 0) {
    // If this stream still waits, the host itself has answered it, and it can no longer be continued.
    if (waiting > 0) forgetWaiter(id);
    if (settling != 0) settleResponse(id);
  }
  onResponseHeaders(id);
  return 0;
}

/** The end of a stream or root. The host keeps its context for a while, but no call about it is allowed any more. */
export function proxy_on_delete(id: u32): void {
  if (expected > 0) {
    resetArena();
    if (waiting > 0) forgetWaiter(id);
    if (settling != 0) forgetSettlement(id);
    land(id);
  }
  if (endStream(id) || findRoot(id) == null) return;
  closePolicy(id);
  // As in proxy_on_configure: every object in use is reachable from globals.
  __collect();
}
