import { Rows, Slots } from "../bytes/rows";
import { View, byteAt, equals, lengthOf, spread } from "../bytes/view";

/** A value that a route asks of its API's key header. */
@unmanaged
class Wanted {
  value: View;
  api: i32;
  route: i32;
}


@unmanaged
class RouteNumber {
  route: i32;
}

/**
 * Routes of APIs that have many, by the value that each asks of one header: the API's key header, for which most of its routes ask.
 * So the routes that a request may take are found by its values, however many there are. Routes that ask otherwise stand in a list.
 */
export class RouteIndex {
  private readonly wanted: Rows<Wanted> = new Rows<Wanted>();
  private readonly others: Rows<RouteNumber> = new Rows<RouteNumber>();
  private readonly slots: Slots = new Slots();

  want(api: i32, value: View, route: i32): void {
    const wanted = this.wanted.add();
    wanted.value = value;
    wanted.api = api;
    wanted.route = route;
  }

  /** Adds a route that asks otherwise. */
  addOther(route: i32): void {
    this.others.add().route = route;
  }

  get otherCount(): i32 {
    return this.others.count;
  }

  /** To be called once all values are there, each API's in the order of its routes. */
  build(): void {
    this.slots.reset(this.wanted.count);
    // Those with the same hash come out in the order in which they went in: that of the routes.
    for (let i = 0; i < this.wanted.count; i++)
      this.slots.put(hashOf(this.wanted.at(i).api, this.wanted.at(i).value), i);
  }

  /** The first route that asks for this value of the API's key header, or NONE; `next` has the others, in their order. */
  first(api: i32, value: View): i32 {
    return this.slots.first(hashOf(api, value));
  }

  next(): i32 {
    return this.slots.next();
  }

  /** The route of an entry that `first` or `next` found, or -1 when the entry is of another value or API. */
  routeOf(number: i32, api: i32, value: View): i32 {
    const wanted = this.wanted.at(number);
    return wanted.api == api && equals(wanted.value, value) ? wanted.route : -1;
  }

  // @ts-ignore: decorator
  @inline
  otherAt(number: i32): i32 {
    return this.others.at(number).route;
  }

  free(): void {
    this.wanted.free();
    this.others.free();
    this.slots.free();
  }
}

/** FNV-1a over the value, and the API. */
function hashOf(api: i32, value: View): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i = 0, n = lengthOf(value); i < n; i++) hash = (hash ^ byteAt(value, i)) * 0x01000193;
  return spread(hash ^ spread(api));
}
