/** Whether log lines are coloured. `auto`: when they go to a terminal. */
export type ColourChoice = 'always' | 'never' | 'auto';

/** Variables that many programs read, with the meaning that they have there. FORCE_COLOR outranks NO_COLOR, as in Node. */
export function colourChoice({ FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal }: Readonly<Record<string, string | undefined>>): ColourChoice {
  if (forced !== undefined) return forced === '0' || forced === 'false' ? 'never' : 'always';
  if (refused !== undefined && refused !== '') return 'never';
  return terminal === 'dumb' ? 'never' : 'auto';
}
