import { NONE } from "../bytes/rows";
import { Anchors, Calendars, MovedWindow } from "../tables/calendar";
import { Calendar, Window } from "../tables/quota";
import { movedEnd, movedStart } from "../time/calendar";
import { windowEnd, windowStart } from "../time/window";
import { bill } from "./attempt";

/** First second of the window that contains `second`, by the calendar of the request's consumer, else of the quota's plan, else in UTC. */
// @ts-ignore: decorator
@inline
export function startOf(window: Window, second: i64): i64 {
  return window >= Calendar.Year ? windowStart(window, second) : startOfMoved(window, second);
}

/** First second after the window that contains `second`. */
// @ts-ignore: decorator
@inline
export function endOf(window: Window, second: i64): i64 {
  return window >= Calendar.Year ? windowEnd(window, second) : endOfMoved(window, second);
}

function startOfMoved(window: Window, second: i64): i64 {
  const moved = changetype<MovedWindow>(<usize>-window);
  const anchors = anchorsOf(moved);
  if (anchors == null) return windowStart(moved.plain, second);
  return movedStart(changetype<Calendars>(moved.calendars), anchors, moved.plain, second);
}

function endOfMoved(window: Window, second: i64): i64 {
  const moved = changetype<MovedWindow>(<usize>-window);
  const anchors = anchorsOf(moved);
  if (anchors == null) return windowEnd(moved.plain, windowStart(moved.plain, second));
  return movedEnd(changetype<Calendars>(moved.calendars), anchors, moved.plain, second);
}

/** The consumer's own anchors win over the plan's; null where neither has some. */
function anchorsOf(moved: MovedWindow): Anchors | null {
  const calendars = changetype<Calendars>(moved.calendars);
  const own = moved.isShared ? NONE : calendars.findConsumer(bill.consumer);
  if (own != NONE) return calendars.ofConsumers.at(own);
  return moved.anchors == NONE ? null : calendars.ofPlans.at(moved.anchors);
}
