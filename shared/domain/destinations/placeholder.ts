/** What templates and shells leave in place of a value that they do not have. The longer forms come first. */
const forms: readonly (readonly [form: RegExp, shown: string])[] = [
  [/\$\{[^}]*\}/, '${...}'],
  [/#\{[^}]*\}/, '#{...}'],
  [/\{\{[^}]*\}\}/, '{{...}}'],
  [/\{[^}]*\}/, '{...}'],
  [/<[^>]+>/, '<...>'],
  [/%[a-z_]\w{2,}%/i, '%...%'],
  [/\$\w+/, '$...'],
];
/** Longer than any host and its port. It bounds the time of the search. */
const MAX_CHARACTERS = 300;
const HOST_AND_PORT = /^https?:\/\/((?:[^/\\?#]|#(?=\{))*)/i;

/**
 * The form of a placeholder in a text: `api-${REGION}` has `${...}`. Its name is not told, since an error may not quote a value.
 *
 * @returns undefined when there is none
 */
export function placeholderIn(text: string): string | undefined {
  const searched = text.slice(0, MAX_CHARACTERS);
  return forms.find(([form]) => form.test(searched))?.[1];
}

/** The same for the host and the port of a url, or for what stands in place of its beginning: `${BASE_URL}/orders`. */
export function placeholderAtStart(url: string): string | undefined {
  const [, authority] = HOST_AND_PORT.exec(url.slice(0, MAX_CHARACTERS)) ?? [];
  if (authority !== undefined) return placeholderIn(authority.slice(authority.lastIndexOf('@') + 1));
  return /^[$#%{<]/.test(url) ? placeholderIn(url) : undefined;
}
