import { isDigit } from './json-bytes.js';

/** The places inside a number of JSON. */
export type NumberPart = 'sign' | 'zero' | 'digits' | 'point' | 'fraction' | 'exponent' | 'exponent sign' | 'exponent digits';

const wholeParts: ReadonlySet<NumberPart> = new Set<NumberPart>(['zero', 'digits', 'fraction', 'exponent digits']);

/** May a number end there? */
export function isWholeNumber(part: NumberPart): boolean {
  return wholeParts.has(part);
}

/** @returns the first part of a number that begins with this byte; undefined when none does */
export function firstPart(byte: number): NumberPart | undefined {
  return byte === 0x2d ? 'sign' : byte === 0x30 ? 'zero' : isDigit(byte) ? 'digits' : undefined;
}

/** @returns the part that the byte belongs to, or undefined when it does not belong to the number any more */
export function partAfter(part: NumberPart, byte: number): NumberPart | undefined {
  switch (part) {
    case 'sign':
      return byte === 0x30 ? 'zero' : isDigit(byte) ? 'digits' : undefined;
    case 'zero':
    case 'digits':
      if (isDigit(byte)) return part === 'digits' ? 'digits' : undefined;
      return byte === 0x2e ? 'point' : isExponentSign(byte) ? 'exponent' : undefined;
    case 'point':
      return isDigit(byte) ? 'fraction' : undefined;
    case 'fraction':
      return isDigit(byte) ? 'fraction' : isExponentSign(byte) ? 'exponent' : undefined;
    case 'exponent':
      return isDigit(byte) ? 'exponent digits' : byte === 0x2b || byte === 0x2d ? 'exponent sign' : undefined;
    case 'exponent sign':
    case 'exponent digits':
      return isDigit(byte) ? 'exponent digits' : undefined;
  }
}

function isExponentSign(byte: number): boolean {
  return byte === 0x65 || byte === 0x45;
}
