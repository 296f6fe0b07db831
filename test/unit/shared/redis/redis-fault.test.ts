import { expect } from 'chai';

import { faultOfPort, redisFaultOf, type RedisRole } from '../../../../shared/redis/redis-fault.js';
import { readableTlsText } from '../../../../shared/tls/tls-fault.js';

const reply = (text: string): Error => Object.assign(new Error(text), { name: 'ReplyError' });
const coded = (code: string, message = 'as OpenSSL says it'): Error => Object.assign(new Error(message), { code });

describe('redisFaultOf', () => {
  const table: readonly (readonly [error: Error, role: RedisRole, canHeal: boolean, text: string])[] = [
    [reply('WRONGPASS invalid username-password pair or user is disabled.'), 'redis', false, 'refuses the login, check REDIS_USERNAME and REDIS_PASSWORD: WRONGPASS invalid'],
    [reply('WRONGPASS invalid username-password pair or user is disabled.'), 'sentinel', false, 'refuses the login, check REDIS_SENTINEL_PASSWORD: '],
    [reply('NOAUTH Authentication required.'), 'redis', false, 'asks for a password, set REDIS_PASSWORD'],
    [reply("NOPERM this user has no permissions to run the 'cluster|slots' command"), 'redis', false, "does not give our user a right that it needs: NOPERM this user has no permissions to run the 'cluster|slots' command"],
    [reply('DENIED Redis is running in protected mode'), 'redis', false, 'takes nothing from other machines: '],
    [coded('SELF_SIGNED_CERT_IN_CHAIN'), 'redis', false, 'has a certificate that no trusted authority has signed, check REDIS_TLS_CA_FILE: as OpenSSL'],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'redis', false, 'has a certificate for other names, '],
    [coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'redis', false, 'refuses our certificate, or asks for one, '],
    [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'sentinel', false, 'does not speak TLS on this port, and REDIS_SENTINEL_TLS is true: '],
    [reply('LOADING Redis is loading the dataset in memory'), 'redis', true, 'is still loading its data: LOADING'],
    [reply('BUSY Redis is busy running a script.'), 'redis', true, 'runs a script that does not end: BUSY'],
    [reply('MASTERDOWN Link with MASTER is down'), 'redis', true, 'is a replica that has lost its master: MASTERDOWN'],
    [coded('CERT_HAS_EXPIRED'), 'redis', true, 'has a certificate that is not valid now: '],
    [coded('ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR'), 'sentinel', false, 'refuses our certificate, or asks for one, check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE: '],
    [coded('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'), 'redis', false, 'has no version or cipher of TLS in common with us, or asks for a certificate of ours: check its tls-protocols and tls-ciphers, REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE: '],
    [coded('ERR_SSL_NO_PROTOCOLS_AVAILABLE'), 'redis', false, 'has no version or cipher of TLS in common with us, '],
    [coded('ERR_SSL_TLSV1_UNRECOGNIZED_NAME'), 'redis', false, 'has a certificate for other names, '],
    [coded('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'), 'redis', true, 'fails in the TLS handshake: '],
  ];
  for (const [error, role, canHeal, text] of table) {
    it(`says of ${error.message} of a ${role}: ${text}`, () => {
      const fault = redisFaultOf(error, role);
      expect(fault?.canHeal).to.equal(canHeal);
      expect(fault?.text.slice(0, text.length)).to.equal(text);
    });
  }

  it('names nothing where nobody answers', () => {
    for (const error of [coded('ECONNREFUSED'), coded('ETIMEDOUT'), coded('ENOTFOUND'), new Error('Connection is closed.'), 'a text']) {
      expect(redisFaultOf(error, 'redis'), String(error)).to.equal(undefined);
    }
  });
});

describe('faultOfPort', () => {
  it('names a side that speaks TLS alone, and nothing else', () => {
    expect(faultOfPort(false, true, 'redis')).to.deep.equal({ text: 'does not speak TLS on this port, and REDIS_TLS is true', canHeal: false });
    expect(faultOfPort(true, false, 'sentinel')).to.deep.equal({ text: 'speaks TLS on this port, and REDIS_SENTINEL_TLS is not true', canHeal: false });
    for (const [speaks, wanted] of [[true, true], [false, false], [undefined, true], [undefined, false]] as const) expect(faultOfPort(speaks, wanted, 'redis')).to.equal(undefined);
  });
});

describe('readableTlsText', () => {
  it('leaves the words of an error of OpenSSL, and all other texts as they are', () => {
    expect(readableTlsText('801C0386A57F0000:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:1601:SSL alert number 42\n')).to.equal('sslv3 alert bad certificate');
    expect(readableTlsText('Connection error: certificate has expired ')).to.equal('Connection error: certificate has expired ');
  });
});
