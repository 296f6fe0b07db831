/**
 * The known name that was most likely meant: `inlcude` -> `include`. It is undefined when none is near: when more than a
 * third of the letters would have to change.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  // A name from outside may be as long as a whole request line. A typing error does not double a name.
  const candidates = known.filter((each) => name.length <= 2 * each.length).map((each) => ({ each, distance: distanceBetween(name.toLowerCase(), each) }));
  const [best] = candidates.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(2, Math.floor(best.each.length / 3)) && best.distance < best.each.length ? best.each : undefined;
}

/** The Levenshtein distance: how many letters have to be put in, left out or changed. */
function distanceBetween(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const change = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}
