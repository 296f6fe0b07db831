/** What is read of a bulk action, as GET /bulk-actions/:id shows it. */
interface Matched {
  /** null while it is looked for. */
  readonly matched: number | null;
  /** `over_limit`: beyond the limit that the action was given. */
  readonly skipped: { readonly over_limit?: number };
}

/** How many tasks an action is about: those that match, within its limit. null while they are looked for. */
export function wantedOfAction({ matched, skipped }: Matched): number | null {
  return matched === null ? null : matched - (skipped.over_limit ?? 0);
}
