/** Where a task or its dead letter goes. Pure. */
export interface DestinationPlace {
  readonly text: string;
  /**
   * What its view is asked for. It stands in addresses, which are kept in histories and logs: of a url it is the origin alone, since all behind it may be
   * secret, and only the service knows what is. Undefined for a type that this page does not know.
   */
  readonly key: string | undefined;
}

/**
 * @param type        `http`, `kafka`, or one that is newer than this page
 * @param destination as GET /tasks/:id shows it: `{ url }`, `{ topic, host?, port? }`
 */
export function placeOfDestination(type: string, destination: Readonly<Record<string, unknown>>): DestinationPlace {
  const { url, topic, host, port } = destination;
  if (type === 'http' && typeof url === 'string') return { text: url, key: URL.canParse(url) ? new URL(url).origin : undefined };
  const text = JSON.stringify(destination);
  if (type !== 'kafka' || typeof topic !== 'string') return { text, key: undefined };
  return { text, key: `kafka://${typeof host === 'string' ? `${host}:${String(port)}` : 'default'}/${topic}` };
}

/** Whether what has ended went to the destinations that the task has now: who edits it since gives it others for its next run. */
export function isWhereItWent({ finished_at: finishedAt, timeline }: { readonly finished_at: string | null; readonly timeline: readonly { readonly kind: string; readonly edited_at?: string }[] }): boolean {
  return finishedAt === null || !timeline.some((entry) => entry.kind === 'edited' && Date.parse(entry.edited_at ?? '') > Date.parse(finishedAt));
}
