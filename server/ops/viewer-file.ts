import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Answer } from '../http/answer.js';
import { readOnce } from './read-once.js';
import { readShippedFile } from './shipped-file.js';

const VERSION_CHARACTERS = 16;

/** A file of the viewer. It is read, named and compressed once, at its first use. */
export class ViewerFile {
  readonly #read = readOnce(async () => {
    const whole = await readShippedFile(`vendor/swagger-ui/${this.name}`);
    return { whole, compressed: await promisify(gzip)(whole), version: hash('sha256', whole, 'hex').slice(0, VERSION_CHARACTERS) };
  });

  /** @param name  in vendor/swagger-ui; also its name below /docs  @param type `text/css; charset=utf-8` */
  constructor(
    readonly name: string,
    private readonly type: string,
  ) {}

  /** Its address with its version, so that a browser may keep it and still gets the one that belongs to the page. */
  async href(): Promise<string> {
    return `/docs/${this.name}?v=${(await this.#read()).version}`;
  }

  /** @param asked the version in the address  @param acceptEncoding the header */
  async answer(asked: string | undefined, acceptEncoding: string | undefined): Promise<Answer> {
    const { whole, compressed, version } = await this.#read();
    const isCompressed = takesGzip(acceptEncoding);
    return {
      status: 200,
      headers: {
        // The page asks by version alone. Every other address could mean another file tomorrow.
        ...(asked === version ? { 'Cache-Control': 'public, max-age=31536000, immutable' } : {}),
        ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
        Vary: 'Accept-Encoding',
      },
      content: { type: this.type, text: isCompressed ? compressed : whole },
    };
  }
}

/** `gzip, deflate, br`: every browser sends it. `gzip;q=0` refuses it. */
export function takesGzip(acceptEncoding: string | undefined): boolean {
  return /(?:^|[\s,])gzip(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))\s*(?:[;,]|$)/i.test(acceptEncoding ?? '');
}
