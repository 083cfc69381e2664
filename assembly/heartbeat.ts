import {
  ABSENT,
  Census,
  NANOSECONDS,
  View,
  allocate,
  begin,
  end,
  lengthOf,
  literal,
  pointerOf,
  resetArena,
  view,
  writeFormat,
} from "../filter/index";
import { Status, incrementCounter, lastCas, setGauge, setSharedData, sharedData } from "./host";
import { beginName, counter, endName, gauge } from "./metrics";
import * as Name from "./metricName";

/**
 * Which of this Envoy's VMs are alive. A dead VM reports nothing, and Envoy does not report its death, so the other VMs do: each
 * sends a heartbeat once a second, into a value that all share, and removes those that have been silent.
 *
 *   0  "TGV1"  u32     8  a VM: number  u64
 *   4  next    u32     16       sent    i64   second of its last heartbeat; then the next VM
 */
const MAGIC: u32 = 0x31564754;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 16;
/** More than any Envoy has workers; further VMs are not counted. */
const MAX_VMS = 512;
const SILENT_SECONDS: i64 = 5;
/** A VM whose own heartbeat was late by more, or whose clock was set, removes no others this time. */
const MAX_PAUSE_SECONDS: i64 = 3;

/** The heartbeat of one policy in this VM, which also maintains the series `tollgate_vms` and `tollgate_vms_lost_total`. */
export class Heartbeat extends Census {
  private readonly alive: u32;
  private readonly lost: u32;
  /** This VM's number among those that serve the policy; 0 before its first heartbeat. */
  private vm: u64 = 0;
  private lastSentSeconds: i64 = 0;
  /** VMs that were alive at this one's last heartbeat, in order; numbers from `unseen` on have been given since. */
  private readonly seen: usize = heap.alloc(MAX_VMS * sizeof<u64>());
  private seenCount: i32 = 0;
  private unseen: u64 = 0;
  /** Others took this VM for dead, and have not counted since what it has in flight. */
  wasMissing: bool = false;

  constructor(private readonly policy: View) {
    super();
    beginName(policy);
    this.alive = gauge(endName(Name.VMS));
    beginName(policy);
    this.lost = counter(endName(Name.VMS_LOST_TOTAL));
  }

  /** Creates the shared value, while the policy is configured: later, two VMs could both create it. False when the host does not store it. */
  create(): bool {
    resetArena();
    if (sharedData(this.key()) != ABSENT) return true;
    const empty = allocate(HEADER_BYTES);
    store<u32>(empty, MAGIC);
    store<u32>(empty, 1, 4);
    return setSharedData(this.key(), view(empty, HEADER_BYTES), 0) == Status.Ok;
  }

  /** To be called on every tick; does its work once a second. */
  send(now: i64): void {
    const second = now / NANOSECONDS;
    const pause = second - this.lastSentSeconds;
    if (pause == 0) return;
    const isSteady = this.lastSentSeconds != 0 && pause > 0 && pause <= MAX_PAUSE_SECONDS;
    const value = this.renewed(second, isSteady, false);
    if (value == ABSENT || setSharedData(this.key(), value, lastCas()) != Status.Ok) return;
    this.sent(value, second);
    incrementCounter(this.lost, silent);
  }

  /** What is to be remembered of a value that is stored. */
  private sent(value: View, second: i64): void {
    if (this.vm != 0 && !found) this.wasMissing = true;
    this.lastSentSeconds = second;
    this.vm = number;
    setGauge(this.alive, (lengthOf(value) - HEADER_BYTES) / ENTRY_BYTES);
    this.unseen = load<u32>(pointerOf(value), 4);
    this.seenCount = 0;
    const last = pointerOf(value) + lengthOf(value);
    for (let at = pointerOf(value) + HEADER_BYTES; at < last; at += ENTRY_BYTES) this.insert(load<u64>(at));
  }

  private insert(vm: u64): void {
    let to = this.seenCount++;
    for (; to > 0 && this.seenAt(to - 1) > vm; to--) store<u64>(this.seen + ((<usize>to) << 3), this.seenAt(to - 1));
    store<u64>(this.seen + ((<usize>to) << 3), vm);
  }

  private seenAt(index: i32): u64 {
    return load<u64>(this.seen + ((<usize>index) << 3));
  }

  own(): u64 {
    return this.vm;
  }

  /** Before the first tick a heartbeat must go ahead: what this VM counts is counted only with a number. */
  enlist(now: i64): u64 {
    for (let attempt = 0; attempt < MAX_VMS && this.vm == 0; attempt++) {
      const value = this.renewed(now / NANOSECONDS, false, false);
      if (value == ABSENT) break;
      const status = setSharedData(this.key(), value, lastCas());
      if (status == Status.Ok) this.sent(value, now / NANOSECONDS);
      else if (status != Status.CasMismatch) break;
    }
    return this.vm;
  }

  isAlive(vm: u64): bool {
    if (vm >= this.unseen || vm == this.vm) return true;
    let low = 0;
    let high = this.seenCount;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.seenAt(middle) < vm) low = middle + 1;
      else high = middle;
    }
    return low < this.seenCount && this.seenAt(low) == vm;
  }

  /** Removes this VM, which no longer serves the policy, so that it does not count as lost. */
  stop(now: i64): void {
    if (this.vm == 0) return;
    for (let attempt = 0; attempt < MAX_VMS; attempt++) {
      resetArena();
      const value = this.renewed(now / NANOSECONDS, false, true);
      if (value == ABSENT) return;
      const status = setSharedData(this.key(), value, lastCas());
      if (status == Status.CasMismatch) continue;
      if (status == Status.Ok) setGauge(this.alive, (lengthOf(value) - HEADER_BYTES) / ENTRY_BYTES);
      break;
    }
    this.vm = 0;
    this.lastSentSeconds = 0;
  }

  /** The shared value with this VM's heartbeat, or without this VM if it leaves; without silent VMs if `judges`. */
  private renewed(second: i64, judges: bool, leaves: bool): View {
    silent = 0;
    found = false;
    const old = sharedData(this.key());
    const known = old != ABSENT && lengthOf(old) >= HEADER_BYTES && load<u32>(pointerOf(old)) == MAGIC;
    const last = known ? pointerOf(old) + lengthOf(old) : 0;
    const start = allocate((known ? lengthOf(old) : HEADER_BYTES) + ENTRY_BYTES);
    let next: u32 = known ? load<u32>(pointerOf(old), 4) : 1;
    let to = start + HEADER_BYTES;
    for (let at = pointerOf(old) + HEADER_BYTES; at < last; at += ENTRY_BYTES) {
      if (load<u64>(at) == this.vm) {
        found = true;
        continue;
      }
      if (judges && second - load<i64>(at, 8) > SILENT_SECONDS) {
        silent++;
        continue;
      }
      memory.copy(to, at, ENTRY_BYTES);
      to += ENTRY_BYTES;
    }
    if (!leaves) {
      if (<i32>(to - start) >= HEADER_BYTES + MAX_VMS * ENTRY_BYTES) return ABSENT;
      // The number is this VM's only once the value is stored: another VM may take the same one first.
      number = this.vm != 0 ? this.vm : next++;
      store<u64>(to, number);
      store<i64>(to, second, 8);
      to += ENTRY_BYTES;
    }
    store<u32>(start, MAGIC);
    store<u32>(start, next, 4);
    return view(start, <i32>(to - start));
  }

  private key(): View {
    return nameOf(literal("tollgate/1/%s/vms"), this.policy);
  }
}

/** VMs that `renewed` left out last, the number that it gave to this one, and whether this one was among the others. */
let silent: u64 = 0;
let number: u64 = 0;
let found: bool = false;

function nameOf(pattern: View, policy: View): View {
  begin(64);
  writeFormat(pattern, policy);
  return end();
}
