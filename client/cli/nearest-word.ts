/**
 * `: did you mean list?` for `lst`, or nothing where no word is near: as many letters may be wrong, missing or exchanged as a third of
 * what was typed has.
 */
export function didYouMeanWord(typed: string, known: readonly string[]): string {
  const start = typed.slice(0, LONGEST);
  const [nearest] = known.map((word) => ({ word, wrong: wrongLetters(start, word) })).sort((a, b) => a.wrong - b.wrong);
  return nearest !== undefined && nearest.wrong <= Math.max(1, Math.floor(start.length / 3)) ? `: did you mean ${nearest.word}?` : '';
}

const LONGEST = 40;

/** The distance of Damerau and Levenshtein. The client takes nothing of the service, so this is its own. */
function wrongLetters(a: string, b: string): number {
  let [beforeLast, last]: [readonly number[], readonly number[]] = [[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const changed = (last[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const isExchanged = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const exchanged = isExchanged ? (beforeLast[column - 2] ?? Infinity) + 1 : Infinity;
      current.push(Math.min(changed, exchanged, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] ?? 0;
}
