import {
  ABSENT,
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
import { counter, gauge } from "./metrics";

/**
 * Which of this Envoy's VMs are alive. A VM that has died counts nothing any more, and Envoy itself does not say, so the others
 * do: each leaves a sign once a second in a value that all share, and who finds one silent takes it out.
 *
 *   0  "TGV1"  u32     8  a VM: number  u64
 *   4  next    u32     16       beat    i64   second of its last sign; then the next VM
 */
const MAGIC: u32 = 0x31564754;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 16;
/** No Envoy has as many workers; what does not fit is not counted. */
const MAX_VMS = 512;
const NANOSECONDS: i64 = 1_000_000_000;
const SILENT_SECONDS: i64 = 5;
/** A VM that has itself been away for longer, or whose clock was set, judges nobody in this round. */
const MAX_PAUSE_SECONDS: i64 = 3;

/** The sign of life of one policy in this VM, and what it tells: `tollgate.<policy>.vms` and `tollgate.<policy>.vms_lost`. */
export class Pulse {
  private readonly alive: u32;
  private readonly lost: u32;
  /** This VM's number among those that serve the policy; 0 before its first sign. */
  private vm: u64 = 0;
  private lastBeat: i64 = 0;

  constructor(private readonly policy: View) {
    this.alive = gauge(nameOf(literal("tollgate.%s.vms"), policy));
    this.lost = counter(nameOf(literal("tollgate.%s.vms_lost"), policy));
  }

  /** Makes the shared value while the policy is configured: the host lets two creators both win. False when it keeps none. */
  create(): bool {
    resetArena();
    if (sharedData(this.key()) != ABSENT) return true;
    const empty = allocate(HEADER_BYTES);
    store<u32>(empty, MAGIC);
    store<u32>(empty, 1, 4);
    return setSharedData(this.key(), view(empty, HEADER_BYTES), 0) == Status.Ok;
  }

  /** To be called on every tick; does its work once a second. */
  beat(now: i64): void {
    const second = now / NANOSECONDS;
    const pause = second - this.lastBeat;
    if (pause == 0) return;
    const isSteady = this.lastBeat != 0 && pause > 0 && pause <= MAX_PAUSE_SECONDS;
    const value = this.renewed(second, isSteady, false);
    if (value == ABSENT || setSharedData(this.key(), value, lastCas()) != Status.Ok) return;
    this.lastBeat = second;
    this.vm = number;
    setGauge(this.alive, (lengthOf(value) - HEADER_BYTES) / ENTRY_BYTES);
    incrementCounter(this.lost, silent);
  }

  /** The VM serves the policy no more, and nobody shall miss it. */
  end(now: i64): void {
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
    this.lastBeat = 0;
  }

  /** The shared value with this VM's sign in it, or without the VM, and without those that are silent if they are judged. */
  private renewed(second: i64, judges: bool, leaves: bool): View {
    silent = 0;
    const old = sharedData(this.key());
    const known = old != ABSENT && lengthOf(old) >= HEADER_BYTES && load<u32>(pointerOf(old)) == MAGIC;
    const last = known ? pointerOf(old) + lengthOf(old) : 0;
    const start = allocate((known ? lengthOf(old) : HEADER_BYTES) + ENTRY_BYTES);
    let next: u32 = known ? load<u32>(pointerOf(old), 4) : 1;
    let to = start + HEADER_BYTES;
    for (let at = pointerOf(old) + HEADER_BYTES; at < last; at += ENTRY_BYTES) {
      if (load<u64>(at) == this.vm) continue;
      if (judges && second - load<i64>(at, 8) > SILENT_SECONDS) {
        silent++;
        continue;
      }
      memory.copy(to, at, ENTRY_BYTES);
      to += ENTRY_BYTES;
    }
    if (!leaves) {
      if (<i32>(to - start) >= HEADER_BYTES + MAX_VMS * ENTRY_BYTES) return ABSENT;
      // A number is this VM's once it stands in the shared value: another may take the same before.
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

/** VMs that the last round took out, and the number it gives to this one. */
let silent: u64 = 0;
let number: u64 = 0;

function nameOf(pattern: View, policy: View): View {
  begin(64);
  writeFormat(pattern, policy);
  return end();
}
