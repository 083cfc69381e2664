/** Envoy logs a request when it ends, so lines stand in another order than requests came. This many are looked at to find the first. */
const WINDOW = 8192;
/** Fewer when they are long: clients choose how long a path is. */
const MOST_HELD = 64 * 1024 * 1024;

interface Timed {
  readonly timeMs: number;
}

interface Held<T> {
  readonly item: T;
  readonly order: number;
  readonly size: number;
}

/** Gives items in the order of their times, as far as a window over them shows; items of one time in their own order. */
export class Ordered<T extends Timed> {
  private readonly heap: Held<T>[] = [];
  private next = 0;
  private size = 0;

  constructor(private readonly give: (item: T) => void) {}

  /** `size`: of what the item keeps in memory. */
  add(item: T, size: number): void {
    this.push({ item, order: this.next++, size });
    this.size += size;
    while (this.heap.length > WINDOW || (this.size > MOST_HELD && this.heap.length > 0)) this.pop();
  }

  /** Gives all that are left. */
  end(): void {
    while (this.heap.length > 0) this.pop();
  }

  private push(held: Held<T>): void {
    const { heap } = this;
    let at = heap.push(held) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(held, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = held;
  }

  private pop(): void {
    const { heap } = this;
    const [first] = heap;
    const last = heap.pop()!;
    if (heap.length > 0) this.sink(last);
    this.size -= first!.size;
    this.give(first!.item);
  }

  private sink(last: Held<T>): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore<T extends Timed>(a: Held<T>, b: Held<T>): boolean {
  const difference = a.item.timeMs - b.item.timeMs;
  return difference === 0 ? a.order < b.order : difference < 0;
}
