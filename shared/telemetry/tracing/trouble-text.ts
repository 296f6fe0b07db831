import { withoutTexts } from '../../domain/destinations/without-secrets.js';

const MAX_CHARACTERS = 300;
const WORD = /^[\w.-]{1,60}$/;

/**
 * What the log says of the trouble that the SDK of OpenTelemetry reports. For a request that the collector refused this is JSON with all
 * properties of an error, of which `data` is the whole answer, and `message` and `details` are the collector's words: each may quote the key that was sent.
 * Of an error without a code the message is the SDK's own, such as `Request Timeout`.
 * @param secretTexts values of the headers that go to the collector
 * @returns `spans are not taken: OTLPExporterError, code 401`; another text as it came, without the secrets, cut to 300 characters
 */
export function troubleText(reported: string, secretTexts: readonly string[]): string {
  const error = parseError(reported);
  if (error === undefined) return shown(reported, secretTexts);
  const name = wordOf(error['name']) ?? 'an error without a name';
  const code = wordOf(error['code']);
  if (code !== undefined) return `spans are not taken: ${name}, code ${code}`;
  const { message } = error;
  return `spans are not taken: ${name}${typeof message === 'string' ? `, ${shown(message, secretTexts)}` : ''}`;
}

/** Before it is cut: half a secret at the end would not be found. */
function shown(text: string, secretTexts: readonly string[]): string {
  return withoutTexts(text.slice(0, 10 * MAX_CHARACTERS), secretTexts).slice(0, MAX_CHARACTERS);
}

function wordOf(value: unknown): string | undefined {
  return typeof value === 'string' && WORD.test(value) ? value : undefined;
}

function parseError(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
