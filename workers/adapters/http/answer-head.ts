import { mostHeadBytes } from './answer-limits.js';
import { oneLine } from './one-line.js';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
const versionStart = Buffer.from('HTTP/1.');
/** RFC 9112 (3) lets a reader take several spaces for one; more than these are no answer. */
const mostSpaces = 8;

const nothing = Buffer.alloc(0);

/** The part of the head that the next byte belongs to. */
type Place =
  /** Before a status line. Empty lines there are skipped (RFC 9112, 2.2). */
  | 'start'
  /** In a line, behind its first byte; of a status line behind the status. */
  | 'line'
  | 'line start'
  /** Behind a CR that is the first byte of its line. */
  | 'empty line';

/**
 * Reads the heads of what comes back for one request, byte by byte, wherever the pieces are cut, and hands on what a
 * parser of HTTP/1.1 should see of it:
 *
 * - Interim answers (1xx) are left out, in any number (RFC 9110, 15.2).
 * - A header line that was folded becomes one line: its line end is replaced by spaces (RFC 9112, 5.2).
 * - All else is handed on as it came. An answer in one piece without these is the same Buffer, not a copy.
 *
 * It knows the status as soon as its line has come, whatever follows.
 */
export class AnswerHead {
  /** 101 or 200..999, once the status line of the final answer has come completely; before that 0. */
  status = 0;
  /** Why this can be no answer, for people. Nothing is handed on after that. */
  fault: string | undefined;
  private place: Place = 'start';
  /** The status of the line that is being read, 100..999; 0 while it is not known. */
  private statusOfLine = 0;
  private isOver = false;
  /** Of the final head, as far as it has been handed on. */
  private headBytes = 0;
  /** Bytes that the next piece belongs to: the beginning of a status line, or the end of a header line. */
  private held = nothing;
  /** The pieces of the final head that were handed on; the last one may hold some of the body. */
  private readonly pieces: Buffer[] = [];

  /** Forgets everything: the next byte belongs to the answer to another request. */
  reset(): void {
    this.status = 0;
    this.fault = undefined;
    this.place = 'start';
    this.statusOfLine = 0;
    this.isOver = false;
    this.headBytes = 0;
    this.held = nothing;
    this.pieces.length = 0;
  }

  /** Nothing more is expected. What comes all the same is handed on as it is: the parser knows that it was not asked for. */
  close(): void {
    this.isOver = true;
    this.held = nothing;
    this.pieces.length = 0;
  }

  /**
   * @param piece  the next bytes that came; line ends in it may be replaced by spaces
   * @returns what is to be parsed of it, which may be nothing
   */
  push(piece: Buffer): Buffer {
    if (this.isOver) return piece;
    if (this.fault !== undefined) return nothing;
    const bytes = this.held.length === 0 ? piece : Buffer.concat([this.held, piece]);
    this.held = nothing;
    const handedOn = this.scan(bytes);
    if (handedOn.length > 0) this.pieces.push(handedOn);
    return handedOn;
  }

  /**
   * The headers that came completely, for an answer that a parser gave up. Lines that are no headers are left out. Names
   * are in lower case.
   */
  headers(): Readonly<Record<string, string[]>> {
    const lines = Buffer.concat([...this.pieces, this.held]).toString('latin1').split('\n');
    const headers = new Map<string, string[]>();
    // The first line is the status line, and the last one has no end yet.
    for (const line of lines.slice(1, -1)) {
      if (line === '' || line === '\r') break;
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      // Some servers write a space before the colon. It is no part of the name.
      const name = line.slice(0, colon).trimEnd().toLowerCase();
      const value = line.slice(colon + 1).trim();
      const earlier = headers.get(name);
      if (earlier === undefined) headers.set(name, [value]);
      else earlier.push(value);
    }
    return Object.fromEntries(headers);
  }

  private scan(bytes: Buffer): Buffer {
    const end = bytes.length;
    let from = 0;
    let at = 0;
    let { place } = this;
    while (at < end) {
      if (place === 'line') {
        while (at < end && bytes[at] !== LF) at += 1;
        if (at === end) break;
        at += 1;
        place = 'line start';
        if (this.status === 0) this.endStatusLine();
        if (this.fault !== undefined) return nothing;
      } else if (place === 'line start') {
        const byte = bytes[at];
        if (byte === LF) place = 'empty line';
        else {
          if (byte === SPACE || byte === TAB) unfold(bytes, at);
          if (byte === CR) at += 1;
          place = byte === CR ? 'empty line' : 'line';
        }
      } else if (place === 'empty line') {
        if (bytes[at] !== LF) {
          place = 'line';
          continue;
        }
        at += 1;
        if (!this.isInterim) {
          if (!this.countHead(at - from)) return nothing;
          this.isOver = true;
          return from === 0 ? bytes : bytes.subarray(from);
        }
        this.statusOfLine = 0;
        place = 'start';
        from = at;
      } else {
        while (at < end && (bytes[at] === CR || bytes[at] === LF)) at += 1;
        from = at;
        if (at === end) break;
        const next = this.readStatus(bytes, at);
        if (next === undefined) break;
        at = next;
        place = 'line';
      }
    }
    this.place = place;
    if (this.isInterim || this.fault !== undefined) return nothing;
    return this.status === 0 ? this.holdStatusLine(bytes, from) : this.holdLineEnd(bytes, from);
  }

  /** Where a status line is cut must not matter, so a parser does not see it before it is complete. */
  private holdStatusLine(bytes: Buffer, from: number): Buffer {
    this.place = 'start';
    this.statusOfLine = 0;
    this.held = Buffer.from(bytes.subarray(from));
    if (this.held.length > mostHeadBytes) this.fault = `The status line is longer than ${mostHeadBytes / 1024} KiB`;
    return nothing;
  }

  /** The next piece may go on with a space, and then this line end is none. */
  private holdLineEnd(bytes: Buffer, from: number): Buffer {
    let to = bytes.length;
    if (this.place === 'line start') to -= 1;
    if (this.place !== 'empty line' && to > from && bytes[to - 1] === CR) to -= 1;
    if (to < bytes.length) {
      this.held = Buffer.from(bytes.subarray(to));
      this.place = 'line';
    }
    return this.countHead(to - from) ? bytes.subarray(from, to) : nothing;
  }

  /** @returns false when the head has become too long */
  private countHead(bytes: number): boolean {
    this.headBytes += bytes;
    if (this.headBytes > mostHeadBytes) this.fault = `The head is longer than ${mostHeadBytes / 1024} KiB`;
    return this.fault === undefined;
  }

  private get isInterim(): boolean {
    return this.statusOfLine >= 100 && this.statusOfLine <= 199;
  }

  private endStatusLine(): void {
    if (this.statusOfLine === 101) this.fault = 'The answer is 101: another protocol, which was not asked for';
    if (!this.isInterim || this.statusOfLine === 101) this.status = this.statusOfLine;
  }

  /** @returns the index behind the status; undefined when more bytes are needed, or when there is a fault */
  private readStatus(bytes: Buffer, start: number): number | undefined {
    let at = start;
    for (const expected of versionStart) {
      if (bytes[at] !== expected) return this.stopAt(bytes, start, at, 'version');
      at += 1;
    }
    if (bytes[at] !== ZERO && bytes[at] !== ZERO + 1) return this.stopAt(bytes, start, at, 'version');
    at += 1;
    const firstSpace = at;
    while (bytes[at] === SPACE && at - firstSpace < mostSpaces) at += 1;
    if (at === firstSpace) return this.stopAt(bytes, start, at, 'version');
    let status = 0;
    for (const end = at + 3; at < end; at += 1) {
      const digit = bytes[at] ?? 0;
      if (digit < ZERO || digit > NINE) return this.stopAt(bytes, start, at, 'status');
      status = status * 10 + digit - ZERO;
    }
    const behind = bytes[at];
    const isEnd = behind === SPACE || behind === TAB || behind === CR || behind === LF;
    if (!isEnd || status < 100) return this.stopAt(bytes, start, at, 'status');
    this.statusOfLine = status;
    return at;
  }

  /** The byte at `at` stands in the wrong place, which is a fault, or it has not come yet. */
  private stopAt(bytes: Buffer, start: number, at: number, what: 'version' | 'status'): number | undefined {
    if (at >= bytes.length) return undefined;
    const line = quote(bytes, start);
    if (what === 'status') this.fault = `The answer has no status from 100 to 999: "${line}"`;
    else if (bytes.toString('latin1', start, start + 5) === 'HTTP/') this.fault = `The answer is neither of HTTP/1.0 nor of HTTP/1.1: "${line}"`;
    else this.fault = `The answer is not HTTP. It begins with "${line}"`;
    return undefined;
  }
}

/** Replaces the line end before `at` by spaces. Of an interim answer it may be gone already, which does not matter: it is dropped. */
function unfold(bytes: Buffer, at: number): void {
  if (bytes[at - 1] === LF) bytes[at - 1] = SPACE;
  if (bytes[at - 2] === CR) bytes[at - 2] = SPACE;
}

/** At most 80 characters of a line, for people. */
function quote(bytes: Buffer, start: number): string {
  const [line = ''] = bytes.toString('latin1', start, start + 200).split('\n', 1);
  return oneLine(line, 80);
}
