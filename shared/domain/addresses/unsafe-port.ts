/** Single ports that the Fetch standard of WHATWG calls bad: browsers send no request there, so no receiver of webhooks listens there. */
const BAD_PORTS: readonly number[] = [
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
  531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];
/** Redis and memcached, which read commands line by line, too, and often ask for no login. */
const STORE_PORTS: readonly number[] = [6379, 11211];

const unsafePorts: ReadonlySet<number> = new Set([...BAD_PORTS, ...STORE_PORTS]);

/**
 * Whether programs listen there that could take the lines of a message for commands. Whoever submits a task chooses its whole body, so
 * a task to a mail server could send mail.
 */
export function isUnsafePort(port: number): boolean {
  return unsafePorts.has(port);
}
