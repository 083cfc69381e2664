import { HostFault, type WasmReader } from '../../scripts/host/abi.ts';

/** What an instruction means for the count. */
export type Kind = 'plain' | 'marker' | 'bulk' | 'nextBegins' | 'markerThenNextBegins';

/*
 * A run (a basic block) is a sequence of instructions that are all executed or not at all. It ends where control may leave
 * (`br_if`, `if`) or enter (`loop`, `end`, `else`). `block`, `loop`, `else` and `end` produce no machine code and are not counted.
 */
const MARKERS = new Set([0x01, 0x02]);
const MARKERS_BEFORE_RUN = new Set([0x03, 0x05, 0x0b]);
const BEFORE_RUN = new Set([0x00, 0x04, 0x0c, 0x0d, 0x0e, 0x0f]);
const MEMORY_COPY = 10;
const MEMORY_FILL = 11;

/** Skips one instruction with its immediates: WebAssembly 2.0 with SIMD. */
export function passInstruction(reader: WasmReader): Kind {
  const opcode = reader.byte();
  if (opcode === 0xfc) return passBulk(reader);
  if (opcode === 0xfd) passSimd(reader);
  else passImmediates(opcode, reader);
  if (MARKERS.has(opcode)) return 'marker';
  if (MARKERS_BEFORE_RUN.has(opcode)) return 'markerThenNextBegins';
  return BEFORE_RUN.has(opcode) ? 'nextBegins' : 'plain';
}

function passImmediates(opcode: number, reader: WasmReader): void {
  if (opcode === 0x0e) {
    reader.list(() => reader.leb());
    reader.leb();
  } else if (opcode === 0x1c) reader.list(() => reader.byte());
  else if (opcode === 0x11 || (opcode >= 0x28 && opcode <= 0x3e)) {
    reader.leb();
    reader.leb();
  } else if (opcode === 0x43) reader.at += 4;
  else if (opcode === 0x44) reader.at += 8;
  else if (hasOneImmediate(opcode)) reader.leb();
  else if (!hasNone(opcode)) throw new HostFault(`module: unknown instruction 0x${opcode.toString(16)}`);
}

function hasOneImmediate(opcode: number): boolean {
  const branchOrCall = (opcode >= 0x02 && opcode <= 0x04) || opcode === 0x0c || opcode === 0x0d || opcode === 0x10;
  const variable = opcode >= 0x20 && opcode <= 0x26;
  return branchOrCall || variable || (opcode >= 0x3f && opcode <= 0x42) || opcode === 0xd0 || opcode === 0xd2;
}

function hasNone(opcode: number): boolean {
  return [0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1].includes(opcode) || (opcode >= 0x45 && opcode <= 0xc4);
}

function passBulk(reader: WasmReader): Kind {
  const number = reader.leb();
  const immediates = number < 8 ? 0 : [9, 11, 13, 15, 16, 17].includes(number) ? 1 : 2;
  for (let i = 0; i < immediates; i++) reader.leb();
  return number === MEMORY_COPY || number === MEMORY_FILL ? 'bulk' : 'plain';
}

function passSimd(reader: WasmReader): void {
  const number = reader.leb();
  if (number === 12 || number === 13) reader.at += 16;
  else if (number < 12 || (number >= 84 && number <= 93)) {
    reader.leb();
    reader.leb();
    if (number >= 84 && number <= 91) reader.byte();
  } else if (number >= 21 && number <= 34) reader.byte();
}
