/** RFC 9110: what the name of a header is made of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/**
 * Checks the headers that go to a collector (`api-key=...,tenant=7`), which the SDK takes apart by itself. What it would leave out in silence
 * is refused, and so is what gRPC throws at: that error quotes the value.
 * @returns the text as it is
 * @throws Error, or URIError for a percent sign that begins no byte of UTF-8
 */
export function parseCollectorHeaders(text: string): string {
  for (const entry of text.split(',')) {
    const [name = '', ...rest] = entry.split('=');
    const value = rest.join('=').trim();
    // The SDK takes `;` for the beginning of properties, which it drops.
    const isSent = !entry.includes(';') && TOKEN.test(decodeURIComponent(name.trim())) && PRINTABLE_ASCII.test(decodeURIComponent(value));
    if (!isSent) throw new Error('no header');
  }
  return text;
}
