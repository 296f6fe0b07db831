/** `p%40ss` -> `p@ss`. `50%off` is legal in a url, is sent as it is, and stays as it is. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
