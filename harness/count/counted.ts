import { passInstruction } from './instruction.ts';
import { WasmReader } from '../../scripts/host/abi.ts';

/*
 * A copy of a module that counts the instructions it executes: exactly, and the same on every machine. Each run of instructions is
 * preceded by code that adds their number to a global:
 *
 *   global.get I · i64.const <instructions of the run> · i64.add · global.set I
 *
 * `memory.copy` and `memory.fill` are one instruction however much they move, so their bytes are counted separately. Everything
 * else stays byte for byte the same: what is counted is what Envoy runs.
 */
export const INSTRUCTIONS = 'counted instructions';
export const BULK_BYTES = 'counted bulk bytes';

const TYPE = 1;
const FUNCTION = 3;
const GLOBAL = 6;
const EXPORT = 7;
const CODE = 10;
const I32 = 0x7f;
const I64 = 0x7e;
const GLOBAL_KIND = 3;
/** `(mut i64) (i64.const 0)` */
const ZERO_I64 = [I64, 1, 0x42, 0, 0x0b];

export function counted(module: Uint8Array): Uint8Array {
  const sections = readSections(module);
  const parameters = parameterCounts(sections);
  const globals = sections.get(GLOBAL) ?? new Uint8Array([0]);
  const first = new WasmReader(globals, 0).leb();
  sections.set(GLOBAL, longer(globals, [...ZERO_I64, ...ZERO_I64], 2));
  const exported = [
    ...name(INSTRUCTIONS),
    GLOBAL_KIND,
    ...leb(first),
    ...name(BULK_BYTES),
    GLOBAL_KIND,
    ...leb(first + 1),
  ];
  sections.set(EXPORT, longer(sections.get(EXPORT)!, exported, 2));
  sections.set(CODE, countedCode(sections.get(CODE)!, parameters, first));
  const parts = [module.subarray(0, 8)];
  for (const [id, content] of [...sections].sort(([a], [b]) => order(a) - order(b)))
    parts.push(new Uint8Array([id, ...leb(content.length)]), content);
  return Buffer.concat(parts);
}

/** Sections by their id; custom ones are left out. */
function readSections(module: Uint8Array): Map<number, Uint8Array> {
  const sections = new Map<number, Uint8Array>();
  const reader = new WasmReader(module, 8);
  while (!reader.atEnd) {
    const id = reader.byte();
    const length = reader.leb();
    if (id !== 0) sections.set(id, module.subarray(reader.at, reader.at + length));
    reader.at += length;
  }
  return sections;
}

/** The data count section, 12, comes before the code section. */
function order(id: number): number {
  return id === 12 ? CODE - 0.5 : id;
}

/** Number of parameters of each function that has code. */
function parameterCounts(sections: Map<number, Uint8Array>): number[] {
  const types = new WasmReader(sections.get(TYPE)!, 0);
  const counts = types.list(() => {
    types.byte();
    const { length } = types.list(() => types.byte());
    types.list(() => types.byte());
    return length;
  });
  const functions = new WasmReader(sections.get(FUNCTION)!, 0);
  return functions.list(() => counts[functions.leb()] ?? 0);
}

function countedCode(code: Uint8Array, parameters: number[], global: number): Uint8Array {
  const reader = new WasmReader(code, 0);
  let index = 0;
  const bodies = reader.list(() => {
    const length = reader.leb();
    const body = countedBody(code.subarray(reader.at, reader.at + length), parameters[index++]!, global);
    reader.at += length;
    return Buffer.concat([new Uint8Array(leb(body.length)), body]);
  });
  return Buffer.concat([new Uint8Array(leb(bodies.length)), ...bodies]);
}

function countedBody(body: Uint8Array, parameters: number, global: number): Uint8Array {
  const reader = new WasmReader(body, 0);
  const groups = reader.list(() => ({ count: reader.leb(), type: reader.byte() }));
  const extra = groups.reduce((sum, { count }) => sum + count, parameters);
  const locals = [...groups, { count: 1, type: I32 }];
  const parts: Uint8Array[] = [
    new Uint8Array([...leb(locals.length), ...locals.flatMap(({ count, type }) => [...leb(count), type])]),
  ];
  let run: Uint8Array[] = [];
  let instructions = 0;
  const close = (): void => {
    if (instructions > 0) parts.push(new Uint8Array(addition(global, [0x42, ...signedLeb(instructions)])));
    parts.push(...run);
    run = [];
    instructions = 0;
  };
  while (!reader.atEnd) {
    const from = reader.at;
    const kind = passInstruction(reader);
    if (kind === 'bulk')
      run.push(new Uint8Array([0x22, ...leb(extra), ...addition(global + 1, [0x20, ...leb(extra), 0xad])]));
    run.push(body.subarray(from, reader.at));
    if (kind === 'plain' || kind === 'bulk' || kind === 'nextBegins') instructions++;
    if (kind === 'nextBegins' || kind === 'markerThenNextBegins') close();
  }
  close();
  return Buffer.concat(parts);
}

/** Adds the i64 that `value` leaves to a global. */
function addition(global: number, value: number[]): number[] {
  return [0x23, ...leb(global), ...value, 0x7c, 0x24, ...leb(global)];
}

/** A section that is a list, with `count` more items. */
function longer(section: Uint8Array, items: number[], count: number): Uint8Array {
  const reader = new WasmReader(section, 0);
  const before = reader.leb();
  return Buffer.concat([new Uint8Array(leb(before + count)), section.subarray(reader.at), new Uint8Array(items)]);
}

function name(text: string): number[] {
  const bytes = [...Buffer.from(text)];
  return [...leb(bytes.length), ...bytes];
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/** LEB128 of a value that is not negative. */
function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >>> 7)];
}
