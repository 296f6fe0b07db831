import { BACKSLASH, isHexDigit, QUOTE } from './json-bytes.js';
import { complaintAboutControl } from './json-complaints.js';

/** How far a text of JSON was read, or why it is none. */
export interface StringStep {
  /** The next byte to read, or the first that cannot stand there. */
  readonly at: number;
  readonly isOver: boolean;
  readonly complaint: string | undefined;
}

const UNICODE_DIGITS = 4;

/** Reads the bytes of one text of JSON, in as many steps as its caller likes. */
export class JsonString {
  #place: 'plain' | 'escape' | 'digits' = 'plain';
  #digitsLeft = 0;

  /** @param from the first byte behind the opening quote, or behind the last step */
  read(bytes: Buffer, from: number, to: number): StringStep {
    for (let at = from; at < to; at += 1) {
      if (this.#place === 'plain') at = endOfPlain(bytes, at, to);
      if (at >= to) return { at, isOver: false, complaint: undefined };
      const byte = bytes[at] ?? 0;
      if (this.#place === 'plain' && byte === QUOTE) return { at: at + 1, isOver: true, complaint: undefined };
      const complaint = this.#take(byte);
      if (complaint !== undefined) return { at, isOver: false, complaint };
    }
    return { at: to, isOver: false, complaint: undefined };
  }

  #take(byte: number): string | undefined {
    switch (this.#place) {
      case 'plain':
        if (byte !== BACKSLASH) return complaintAboutControl(byte);
        this.#place = 'escape';
        return undefined;
      case 'escape':
        if (byte === 0x75) {
          this.#place = 'digits';
          this.#digitsLeft = UNICODE_DIGITS;
        } else if ('"\\/bfnrt'.includes(String.fromCharCode(byte))) this.#place = 'plain';
        else return 'this backslash begins no escape of JSON: write \\\\ for a backslash';
        return undefined;
      case 'digits':
        if (!isHexDigit(byte)) return '\\u must be followed by four hexadecimal digits';
        this.#digitsLeft -= 1;
        if (this.#digitsLeft === 0) this.#place = 'plain';
        return undefined;
    }
  }
}

/** Most bytes of most bodies pass here. @returns the first byte that is a quote, a backslash or a control character */
function endOfPlain(bytes: Buffer, from: number, to: number): number {
  let at = from;
  for (; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break;
  }
  return at;
}
