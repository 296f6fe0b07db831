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

const lineTooLong = `The status line is longer than ${mostHeadBytes / 1024} KiB`;
const headTooLong = `The head is longer than ${mostHeadBytes / 1024} KiB`;

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
 * Reads the heads of what comes back for one request, byte by byte, and hands on what a parser of HTTP/1.1 should see of it:
 *
 * - Interim answers (1xx) are left out, in any number (RFC 9110, 15.2).
 * - The final head is handed on when it has come completely, in one piece. So the places where the network cut it
 *   cannot matter: what the parser refuses, it refuses with the whole head known here.
 * - A header line that was folded becomes one line: its line end is replaced by spaces (RFC 9112, 5.2).
 * - A later HTTP/1.x is handed on as HTTP/1.1 (RFC 9110, 2.5).
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
  /**
   * The final head from its status line on, as far as it has come. When it is complete, the beginning of the body may stand
   * behind it. Of a head that is too long it is the part within the limit.
   */
  private head: Buffer = nothing;

  /** Forgets everything: the next byte belongs to the answer to another request. */
  reset(): void {
    this.status = 0;
    this.fault = undefined;
    this.place = 'start';
    this.statusOfLine = 0;
    this.isOver = false;
    this.head = nothing;
  }

  /** Nothing more is expected. What comes all the same is handed on as it is: the parser knows that it was not asked for. */
  close(): void {
    this.isOver = true;
    this.head = nothing;
  }

  /**
   * @param piece  the next bytes that came; line ends and the version in it may be overwritten
   * @returns what is to be parsed of it and of the pieces before it, which may be nothing
   */
  push(piece: Buffer): Buffer {
    if (this.isOver) return piece;
    if (this.fault !== undefined) return nothing;
    // A status line is read again from its beginning, all else only once.
    const at = this.place === 'start' ? 0 : this.head.length;
    return this.scan(this.head.length === 0 ? piece : Buffer.concat([this.head, piece]), at);
  }

  /**
   * The headers that came completely, for an answer that a parser gave up. Lines that are no headers are left out. Names
   * are in lower case.
   */
  headers(): Readonly<Record<string, string[]>> {
    const lines = this.head.toString('latin1').split('\n');
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

  /** @param at  the index of the first byte that was not read yet */
  private scan(bytes: Buffer, at: number): Buffer {
    const end = bytes.length;
    let from = 0;
    let { place } = this;
    while (at < end) {
      if (place === 'line') {
        while (at < end && bytes[at] !== LF) at += 1;
        if (at === end) break;
        at += 1;
        place = 'line start';
        if (this.status === 0) this.endStatusLine(at - from);
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
        if (!this.isInterim) return this.endHead(bytes, from, at);
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
    if (this.fault === undefined) this.hold(bytes, from, place);
    return nothing;
  }

  /** More has to come. */
  private hold(bytes: Buffer, from: number, place: Place): void {
    const isStatusLine = this.status === 0 && !this.isInterim;
    this.place = isStatusLine ? 'start' : place;
    if (isStatusLine) this.statusOfLine = 0;
    this.head = this.isInterim ? nothing : bytes.subarray(from);
    if (this.head.length <= mostHeadBytes) return;
    this.fault = isStatusLine ? lineTooLong : headTooLong;
    this.head = this.head.subarray(0, mostHeadBytes);
  }

  private endHead(bytes: Buffer, from: number, to: number): Buffer {
    if (to - from > mostHeadBytes) {
      this.fault = headTooLong;
      this.head = bytes.subarray(from, from + mostHeadBytes);
      return nothing;
    }
    this.isOver = true;
    this.head = from === 0 ? bytes : bytes.subarray(from);
    return this.head;
  }

  private get isInterim(): boolean {
    return this.statusOfLine >= 100 && this.statusOfLine <= 199 && this.statusOfLine !== 101;
  }

  private endStatusLine(lineBytes: number): void {
    if (this.isInterim) return;
    if (lineBytes > mostHeadBytes) {
      this.fault = lineTooLong;
      return;
    }
    if (this.statusOfLine === 101) this.fault = 'The answer is 101: another protocol, which was not asked for';
    this.status = this.statusOfLine;
  }

  /** @returns the index behind the status; undefined when more bytes are needed, or when there is a fault */
  private readStatus(bytes: Buffer, start: number): number | undefined {
    let at = start;
    for (const expected of versionStart) {
      if (bytes[at] !== expected) return this.stopAt(bytes, start, at, 'version');
      at += 1;
    }
    if (!isDigit(bytes[at])) return this.stopAt(bytes, start, at, 'version');
    const minor = at;
    at += 1;
    const firstSpace = at;
    while (bytes[at] === SPACE && at - firstSpace < mostSpaces) at += 1;
    if (at === firstSpace) return this.stopAt(bytes, start, at, 'version');
    let status = 0;
    for (const end = at + 3; at < end; at += 1) {
      const digit = bytes[at];
      if (!isDigit(digit)) return this.stopAt(bytes, start, at, 'status');
      status = status * 10 + digit - ZERO;
    }
    const behind = bytes[at];
    const isEnd = behind === SPACE || behind === TAB || behind === CR || behind === LF;
    if (!isEnd || status < 100) return this.stopAt(bytes, start, at, 'status');
    this.statusOfLine = status;
    // The parser refuses a later minor version, which says no more than that the sender knows it.
    if (bytes[minor] !== ZERO) bytes[minor] = ZERO + 1;
    return at;
  }

  /** The byte at `at` stands in the wrong place, which is a fault, or it has not come yet. */
  private stopAt(bytes: Buffer, start: number, at: number, what: 'version' | 'status'): number | undefined {
    if (at >= bytes.length) return undefined;
    const line = quote(bytes, start);
    if (what === 'status') this.fault = `The answer has no status from 100 to 999: "${line}"`;
    else if (bytes.toString('latin1', start, start + 5) === 'HTTP/') this.fault = `The answer is of no version of HTTP/1: "${line}"`;
    else this.fault = `The answer is not HTTP. It begins with "${line}"`;
    return undefined;
  }
}

function isDigit(byte: number | undefined): byte is number {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
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
