import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { connect } from 'node:tls';

import { expect } from 'chai';

import { alertOf, tlsFaultOf, type TlsFault } from '../../../../shared/tls/tls-fault.js';

/** RFC 8446 section 6 and B.2; those in brackets are of RFC 5246, RFC 6066 and SSL 3. `close_notify` is no failure. */
const alerts: readonly (readonly [number: number, name: string, fault: TlsFault])[] = [
  [10, 'UNEXPECTED_MESSAGE', 'other'],
  [20, 'BAD_RECORD_MAC', 'other'],
  [21, 'DECRYPTION_FAILED', 'other'],
  [22, 'RECORD_OVERFLOW', 'other'],
  [30, 'DECOMPRESSION_FAILURE', 'other'],
  [40, 'HANDSHAKE_FAILURE', 'no_common'],
  [41, 'NO_CERTIFICATE', 'client_refused'],
  [42, 'BAD_CERTIFICATE', 'client_refused'],
  [43, 'UNSUPPORTED_CERTIFICATE', 'client_refused'],
  [44, 'CERTIFICATE_REVOKED', 'client_refused'],
  [45, 'CERTIFICATE_EXPIRED', 'client_refused'],
  [46, 'CERTIFICATE_UNKNOWN', 'client_refused'],
  [47, 'ILLEGAL_PARAMETER', 'other'],
  [48, 'UNKNOWN_CA', 'client_refused'],
  [49, 'ACCESS_DENIED', 'client_refused'],
  [50, 'DECODE_ERROR', 'other'],
  [51, 'DECRYPT_ERROR', 'client_refused'],
  [60, 'EXPORT_RESTRICTION', 'no_common'],
  [70, 'PROTOCOL_VERSION', 'no_common'],
  [71, 'INSUFFICIENT_SECURITY', 'no_common'],
  [80, 'INTERNAL_ERROR', 'other'],
  [86, 'INAPPROPRIATE_FALLBACK', 'no_common'],
  [90, 'USER_CANCELLED', 'other'],
  [100, 'NO_RENEGOTIATION', 'other'],
  [109, 'MISSING_EXTENSION', 'other'],
  [110, 'UNSUPPORTED_EXTENSION', 'other'],
  [111, 'CERTIFICATE_UNOBTAINABLE', 'client_refused'],
  [112, 'UNRECOGNIZED_NAME', 'wrong_name'],
  [113, 'BAD_CERTIFICATE_STATUS_RESPONSE', 'client_refused'],
  [114, 'BAD_CERTIFICATE_HASH_VALUE', 'client_refused'],
  [115, 'UNKNOWN_PSK_IDENTITY', 'other'],
  [116, 'CERTIFICATE_REQUIRED', 'client_refused'],
  [120, 'NO_APPLICATION_PROTOCOL', 'other'],
];

describe('tlsFaultOf', () => {
  let server: Server;
  let alert = 0;

  before(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert])));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => server.close());

  it('knows what each alert is about by the code that this version of Node gives it', async () => {
    for (const [number, name, fault] of alerts) {
      alert = number;
      const { port } = server.address() as AddressInfo;
      const socket = connect({ host: '127.0.0.1', port });
      const [error] = (await new Promise<readonly unknown[]>((resolve) => socket.once('error', (...args: unknown[]) => { resolve(args); }))) as [NodeJS.ErrnoException];
      socket.destroy();
      expect([alertOf(error.code), tlsFaultOf(error.code)], `alert ${number}, ${String(error.code)}`).to.deep.equal([name, fault]);
    }
  });

  it('takes no error of our own side, and none of the network, for an alert', () => {
    for (const code of ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'ECONNRESET', undefined]) expect(alertOf(code), String(code)).to.equal(undefined);
    expect(tlsFaultOf('ERR_SSL_UNSUPPORTED_PROTOCOL')).to.equal('no_common');
    expect(tlsFaultOf('ERR_SSL_NO_PROTOCOLS_AVAILABLE')).to.equal('no_common');
    expect(tlsFaultOf('ECONNRESET')).to.equal(undefined);
  });
});
