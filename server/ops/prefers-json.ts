/**
 * Whether a client would rather have JSON than a page. The header `application/json` says so. Browsers ask for text/html
 * first, and curl takes anything, so both get the page.
 *
 * @param accept the header, with weights: `application/json;q=0.9, text/html;q=0.5`
 */
export function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const weights = new Map(
    accept.split(',').map((each) => {
      const [type = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.map((parameter) => /^q=([0-9.]+)$/.exec(parameter)?.[1]).find((found) => found !== undefined);
      return [type, Number(weight ?? '1')] as const;
    }),
  );
  const weightOf = (type: string, family: string): number => weights.get(type) ?? weights.get(family) ?? weights.get('*/*') ?? 0;
  return weightOf('application/json', 'application/*') > weightOf('text/html', 'text/*');
}
