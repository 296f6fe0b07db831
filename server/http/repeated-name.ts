/**
 * The first name that stands twice in one object of a JSON text. JSON.parse keeps the last of both in silence: a bulk action with
 * `"dry_run": true` and, further down, `"dry_run": false` would change what was only to be counted.
 *
 * @param text  JSON that was parsed
 * @param value what it was parsed to
 * @returns undefined where each name stands once, as in all but very few texts: then the text is read once, and no string in it
 */
export function repeatedName(text: string, value: unknown): string | undefined {
  return colonsIn(text) === namesIn(value) ? undefined : firstRepeated(text);
}

/** Each stands behind a name. */
function colonsIn(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === ':') count += 1;
    else if (character === '"') at = endOfString(text, at);
  }
  return count;
}

function endOfString(text: string, begin: number): number {
  for (let at = begin; ; ) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
}

function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members: readonly unknown[] = Object.values(value);
  return members.reduce<number>((sum, member) => sum + namesIn(member), Array.isArray(value) ? 0 : members.length);
}

function firstRepeated(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '{' || character === '[') open.push(new Set());
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = endOfString(text, at);
      if (/^\s*:/.test(text.slice(end + 1, end + 100))) {
        // A string of JSON that was parsed.
        const name = JSON.parse(text.slice(at, end + 1)) as string;
        const names = open.at(-1);
        if (names?.has(name) === true) return name;
        names?.add(name);
      }
      at = end;
    }
  }
  return undefined;
}
