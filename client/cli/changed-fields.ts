import { UsageError } from './exit-codes.js';

/**
 * Fields and their new values as an option names them: `destination.url=x`, `max_retries=3` -> `{"destination":{"url":"x"},"max_retries":3}`.
 * @param option its name, for errors
 * @throws UsageError when there are none, or one of them is no field and value
 */
export function changedFields(texts: readonly string[], option: string): Record<string, unknown> {
  if (texts.length === 0) throw new UsageError(`say what to change: --${option} <field>=<value>`);
  const changes = emptyFields();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--${option} must be <field>=<value>, got ${JSON.stringify(text)}`);
    const names = text.slice(0, at).split('.');
    const [last = '', ...outer] = [...names].reverse();
    let inside = changes;
    for (const name of outer.reverse()) {
      const next = inside[name] ?? emptyFields();
      if (typeof next !== 'object' || Array.isArray(next)) throw new UsageError(`--${option} gives ${JSON.stringify(name)} a value and a field`);
      inside[name] = next;
      // It is an object: see the line above.
      inside = next as Record<string, unknown>;
    }
    inside[last] = valueOf(names, text.slice(at + 1));
  }
  return changes;
}

/** Without a prototype: `__proto__` and `constructor` are names like others, which the service refuses. */
function emptyFields(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

/** A message is a text, also when it is JSON. */
function valueOf([field]: readonly string[], text: string): unknown {
  if (field === 'message_data') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
