import { expect } from 'chai';

import type { DeliveryErrorCode } from '../../../../../shared/domain/errors.js';
import { classifyFailure, describeError } from '../../../../../workers/adapters/http/classify-failure.js';
import { UnreadableAnswer } from '../../../../../workers/adapters/http/unreadable-answer.js';

const withCode = (code: string, cause?: unknown): Error => Object.assign(new Error('text for people', { cause }), { code });

describe('classifyFailure', () => {
  const byCode: Readonly<Partial<Record<DeliveryErrorCode, readonly string[]>>> = {
    connection_refused: ['ECONNREFUSED'],
    connection_reset: ['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'UND_ERR_SOCKET'],
    connect_timed_out: ['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'],
    host_not_found: ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'],
    host_unreachable: ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EACCES', 'EPERM', 'EAFNOSUPPORT', 'EINVAL'],
    tls_failed: [
      'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_REVOKED', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE',
      'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_HANDSHAKE_TIMEOUT',
      'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'EPROTO', 'HOSTNAME_MISMATCH',
      'ERROR_IN_CERT_NOT_AFTER_FIELD', 'INVALID_CA', 'CRL_HAS_EXPIRED',
    ],
    response_invalid: ['HPE_INVALID_CONSTANT', 'UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'],
    shutting_down: ['UND_ERR_DESTROYED', 'UND_ERR_CLOSED'],
    local_resources: ['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL'],
    unknown: ['ERR_ASSERTION', 'UND_ERR_NEW_AND_STRANGE', ''],
  };
  for (const [code, errorCodes] of Object.entries(byCode)) {
    for (const errorCode of errorCodes) {
      it(`${errorCode === '' ? 'no code' : errorCode} is ${code}`, () => {
        expect(classifyFailure(withCode(errorCode))).to.equal(code);
      });
    }
  }

  it('tells a machine without IPv6 from one that is out of ports, and a name that cannot be looked up from an address', () => {
    const failed = (code: string, more: object): Error => Object.assign(withCode(code), more);
    expect(classifyFailure(failed('EADDRNOTAVAIL', { syscall: 'connect', address: '::1' }))).to.equal('host_unreachable');
    expect(classifyFailure(failed('EADDRNOTAVAIL', { syscall: 'connect', address: '127.0.0.1' }))).to.equal('local_resources');
    expect(classifyFailure(failed('EINVAL', { syscall: 'getaddrinfo' }))).to.equal('host_not_found');
    expect(classifyFailure(failed('EINVAL', { syscall: 'connect', address: 'fe80::1' }))).to.equal('host_unreachable');
  });

  it('looks through the chain of causes, and takes the outermost code it knows', () => {
    expect(classifyFailure(withCode('WRAPPED', withCode('', withCode('ENOTFOUND'))))).to.equal('host_not_found');
    expect(classifyFailure(withCode('ECONNRESET', withCode('ENOTFOUND')))).to.equal('connection_reset');
  });

  it('survives a chain of causes that bites its own tail', () => {
    const error = withCode('STRANGE');
    error.cause = error;
    expect(classifyFailure(error)).to.equal('unknown');
  });

  it('never reads the text', () => {
    expect(classifyFailure(new Error('connect ECONNREFUSED 127.0.0.1:80'))).to.equal('unknown');
  });

  for (const thrown of [undefined, null, 'ECONNREFUSED', 7, { code: 'ECONNREFUSED' }]) {
    it(`is unknown for ${JSON.stringify(thrown)}, which is no error`, () => {
      expect(classifyFailure(thrown)).to.equal('unknown');
    });
  }

  for (const [members, code] of [
    [['ECONNREFUSED', 'ECONNREFUSED'], 'connection_refused'],
    [['ENETUNREACH', 'ECONNREFUSED'], 'connection_refused'],
    [['ENETUNREACH', 'ETIMEDOUT'], 'connect_timed_out'],
    [['EHOSTUNREACH', 'ENETUNREACH'], 'host_unreachable'],
    [['ERR_STRANGE', 'ERR_STRANGE'], 'unknown'],
  ] as const) {
    it(`of several addresses that failed with ${members.join(' and ')}, it is ${code}`, () => {
      const all = Object.assign(new AggregateError(members.map((member) => withCode(member))), { code: members[0] });
      expect(classifyFailure(all)).to.equal(code);
    });
  }

  it('is response_invalid for what the guard of a connection could not read', () => {
    expect(classifyFailure(new UnreadableAnswer('The answer is not HTTP'))).to.equal('response_invalid');
  });
});

describe('describeError', () => {
  it('names class, code and text', () => {
    expect(describeError(withCode('ECONNREFUSED'))).to.equal('Error ECONNREFUSED: text for people');
  });

  it('tells nothing but the text when that text is ours', () => {
    expect(describeError(new UnreadableAnswer('The answer is not HTTP'))).to.equal('The answer is not HTTP');
  });

  it('tells the whole chain of causes', () => {
    expect(describeError(new TypeError('outer', { cause: withCode('EMFILE') }))).to.equal('TypeError: outer <- Error EMFILE: text for people');
  });

  it('tells every address that failed', () => {
    expect(describeError(new AggregateError([withCode('A'), withCode('B')])))
      .to.equal('AggregateError: Error A: text for people; Error B: text for people');
  });

  it('is one line of 1..500 characters for anything', () => {
    for (const thrown of [undefined, null, '', 7, {}, new Error(''), new Error('x\ny'.repeat(1_000))]) {
      expect(describeError(thrown)).to.match(/^[^\n]{1,500}$/);
    }
  });
});
