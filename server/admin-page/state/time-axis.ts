/** Where the events of a task stand on its time axis. Pure. */

export interface AxisEvent {
  /** ms since the epoch */
  readonly at: number;
  readonly kind: 'created' | 'delivered' | 'failed' | 'next' | 'planned' | 'other';
  readonly label: string;
}

export interface AxisPoint extends AxisEvent {
  /** 0 to 1 */
  readonly x: number;
}

interface Policy {
  readonly max_retries: number;
  readonly base_delay: number;
  readonly max_delay: number;
}

/** As many retries as can be told apart. */
const MOST_PLANNED = 8;

/**
 * The retries that are still to come if each one fails, and fails at once. Jitter and flow control move them.
 *
 * @param next    when the next send is due
 * @param attempt its number, from 0
 */
export function plannedAfter(next: number, attempt: number, { max_retries, base_delay, max_delay }: Policy): number[] {
  const times: number[] = [];
  let at = next;
  for (let retry = attempt + 1; retry <= max_retries && times.length < MOST_PLANNED; retry += 1) {
    at += Math.min(base_delay * 2 ** (retry - 1), max_delay) * 1_000;
    times.push(at);
  }
  return times;
}

/** px of the drawing where there is room for all of it. */
export const WIDEST_AXIS = 1_000;
/** Down to this width the drawing is made smaller as a whole, and its texts can still be read. */
export const LEAST_SCALED = 900;
const POINT_PX = 90;

/**
 * How wide the axis is drawn, px. In less room each point keeps a place of its own: two of them fit a phone, more are scrolled.
 * @param room px of the screen
 */
export function axisWidth(room: number, points: number): number {
  return room >= LEAST_SCALED ? WIDEST_AXIS : Math.max(room, Math.min(LEAST_SCALED, points * POINT_PX));
}

/** What is written under a point. */
interface Label {
  /** Where the point is. */
  readonly px: number;
  readonly label: string;
}

const LETTER_PX = 6.5;
const BETWEEN_PX = 8;

/**
 * Which labels can be written without one lying on another: the first and the last, which stay inside the axis, and what fits between them.
 * @param points in the order of time
 */
export function labelsThatFit(points: readonly Label[]): ReadonlySet<number> {
  const widthOf = (nth: number): number => (points[nth]?.label.length ?? 0) * LETTER_PX;
  const last = points.length - 1;
  const fitting = new Set([0, last]);
  let end = (points[0]?.px ?? 0) + widthOf(0);
  const limit = (points[last]?.px ?? 0) - widthOf(last);
  for (let nth = 1; nth < last; nth += 1) {
    const [px, half] = [points[nth]?.px ?? 0, widthOf(nth) / 2];
    if (px - half < end + BETWEEN_PX || px + half > limit - BETWEEN_PX) continue;
    fitting.add(nth);
    end = px + half;
  }
  return fitting;
}

/**
 * A first retry comes after a second and a last one after a day: gaps are drawn by their logarithm, so that each can be seen.
 *
 * @returns them in the order of time
 */
export function placeOnAxis(events: readonly AxisEvent[]): AxisPoint[] {
  const sorted = [...events].sort((a, b) => a.at - b.at);
  const steps = sorted.map(({ at }, nth) => (nth === 0 ? 0 : 1 + Math.log10(1 + (at - (sorted[nth - 1]?.at ?? at)) / 100)));
  const whole = steps.reduce((sum, step) => sum + step, 0);
  let x = 0;
  return sorted.map((event, nth) => {
    x += steps[nth] ?? 0;
    return { ...event, x: whole === 0 ? 0 : x / whole };
  });
}
