/**
 * The url of an origin, which knows its origin and its protocol. undici asks for both at each request, and a URL makes a new text of its
 * parts each time.
 */
export class OriginUrl extends URL {
  override readonly origin: string;
  override readonly protocol: string;

  /** @param origin scheme, host and port, as in `new URL(...).origin` */
  constructor(origin: string) {
    super(origin);
    this.origin = origin;
    this.protocol = origin.slice(0, origin.indexOf(':') + 1);
  }
}
