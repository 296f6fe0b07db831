/** The name that a person gives himself. Without access keys the audit knows nothing else of him. */

const KEY = 'kafka-retry-operator';

export function operatorName(): string {
  try {
    return localStorage.getItem(KEY) ?? '';
  } catch {
    // A browser may forbid it.
    return '';
  }
}

export function keepOperatorName(name: string): void {
  try {
    localStorage.setItem(KEY, name.slice(0, 100));
  } catch {
    // Then it is asked for again.
  }
}
