import { expect } from 'chai';

import { classifyRedisError, redisErrorCause, redisErrorCode, RedisErrors, type RedisErrorClass } from '../../../../shared/redis/redis-error.js';

function reply(message: string, previousErrors?: readonly Error[]): Error {
  const error = named('ReplyError', message);
  return previousErrors === undefined ? error : Object.assign(error, { previousErrors });
}

function named(name: string, message = ''): Error {
  return Object.assign(new Error(message), { name });
}

const aborted = (...parts: Error[]): Error => reply('EXECABORT Transaction discarded because of previous errors.', parts);
const inScript = (text: string): string => `${text} script: caeeee01384f6b04384c56d69c27aa65287fb306, on @user_script:1.`;
const inScriptBefore7 = (text: string): string => `ERR Error running script (call to f_91fb98f1f472072e36230bd1f864f688f3ab12cd): @user_script:12: @user_script: 12: ${text}`;
const oom = reply("OOM command not allowed when used memory > 'maxmemory'.");
const readOnly = reply("READONLY You can't write against a read only replica.");

describe('redisErrorCode', () => {
  it('is the first word of what Redis replied, and nothing of any other error', () => {
    expect(redisErrorCode(reply('NOSCRIPT No matching script.'))).to.equal('NOSCRIPT');
    expect(redisErrorCode(new Error('NOSCRIPT No matching script.'))).to.equal(undefined);
    expect(redisErrorCode('OOM')).to.equal(undefined);
  });
});

describe('classifyRedisError', () => {
  const rows: readonly (readonly [RedisErrorClass, unknown])[] = [
    ['full', oom],
    ['full', reply(inScript(oom.message))],
    ['full', reply(inScriptBefore7(`-${oom.message}`))],
    ['full', aborted(oom)],
    ['full', aborted(reply("NOPERM this user has no permissions to run the 'set' command"), oom)],

    ['refused', reply("NOPERM this user has no permissions to run the 'set' command")],
    ['refused', reply('NOPERM this user has no permissions to access one of the keys used as arguments')],
    ['refused', reply(inScript("ERR The user executing the script can't run this command or subcommand"))],
    ['refused', reply(inScript("ERR The user executing the script can't access at least one of the keys mentioned in the command arguments"))],
    ['refused', reply(inScript("ERR ACL failure in script: User u1 has no permissions to run the 'set' command"))],
    ['refused', reply('NOREPLICAS Not enough good replicas to write.')],
    ['refused', reply(inScript('NOREPLICAS Not enough good replicas to write.'))],
    ['refused', reply(inScriptBefore7('-NOREPLICAS Not enough good replicas to write.'))],
    ['refused', reply(inScriptBefore7("The user executing the script can't run this command or subcommand"))],
    ['refused', reply("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.")],
    ['refused', reply('WRONGTYPE Operation against a key holding the wrong kind of value')],
    ['refused', reply('NOAUTH Authentication required.')],
    ['refused', reply('WRONGPASS invalid username-password pair or user is disabled.')],
    ['refused', reply('DENIED Redis is running in protected mode')],
    ['refused', aborted(reply('NOREPLICAS Not enough good replicas to write.'))],
    ['refused', reply("EXECABORT Transaction discarded because of: NOPERM this user has no permissions to run the 'exec' command", [])],
    ['refused', reply("EXECABORT Transaction discarded because of: NOPERM this user has no permissions to run the 'exec' command")],
    ['refused', reply('ERR EXEC without MULTI', [reply("NOPERM this user has no permissions to run the 'multi' command")])],
    ['full', reply(`EXECABORT Transaction discarded because of: ${oom.message}`)],
    ['unavailable', reply(`EXECABORT Transaction discarded because of: ${readOnly.message}`)],

    ['unavailable', readOnly],
    ['unavailable', aborted(readOnly)],
    ['unavailable', reply(inScriptBefore7(`-${readOnly.message}`))],
    ['unavailable', reply('LOADING Redis is loading the dataset in memory')],
    ['unavailable', reply('BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.')],
    ['unavailable', aborted(reply('BUSY Redis is busy running a script.'))],
    ['unavailable', reply("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")],
    ['unavailable', reply('CLUSTERDOWN The cluster is down')],
    ['unavailable', reply('TRYAGAIN Multiple keys request during rehashing of slot')],
    ['unavailable', named('MaxRetriesPerRequestError')],
    ['unavailable', named('ClusterAllFailedError')],
    ['unavailable', named('AbortError', 'Command aborted due to connection close')],
    ['unavailable', named('ConnectionClosedError')],
    ['unavailable', Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED', syscall: 'connect' })],
    ['unavailable', Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })],
    ['unavailable', new Error('Connection is closed.')],
    ['unavailable', new Error('Command timed out')],
    ['unavailable', new Error("Stream isn't writeable and enableOfflineQueue options is false")],
    ['unavailable', new Error('Too many Cluster redirections. Last error: MOVED 1 127.0.0.1:1')],

    ['bug', reply("ERR unknown command 'FOO'")],
    ['bug', reply("ERR wrong number of arguments for 'get' command")],
    ['bug', reply("ERR Number of keys can't be greater than number of args")],
    ['bug', reply(inScript("ERR user_script:1: Script attempted to access nonexistent global variable 'x'"))],
    ['bug', reply(inScriptBefore7('Unknown Redis command called from Lua script'))],
    ['bug', reply("CROSSSLOT Keys in request don't hash to the same slot")],
    ['bug', aborted(reply("ERR unknown command 'FOO'"))],
    ['bug', aborted()],
    ['bug', reply('ERR EXEC without MULTI', [])],
    ['bug', new TypeError('x is not a function')],
    ['bug', Object.assign(new TypeError('a number is wanted'), { code: 'ERR_INVALID_ARG_TYPE' })],
    ['bug', new RangeError('attempt must be >= 1')],
    ['bug', new Error('OOM')],
    ['bug', 'OOM'],
    ['bug', undefined],
  ];
  for (const [expected, error] of rows) {
    it(`${expected}: ${error instanceof Error ? `${error.name} ${error.message.slice(0, 90)}` : String(error)}`, () => {
      expect(classifyRedisError(error)).to.equal(expected);
    });
  }

  it('calls READONLY refused when it goes on for longer than a failover takes to heal', () => {
    expect(classifyRedisError(readOnly, 4_999)).to.equal('unavailable');
    expect(classifyRedisError(readOnly, 5_000)).to.equal('refused');
    expect(classifyRedisError(aborted(readOnly), 5_000)).to.equal('refused');
    expect(classifyRedisError(oom, 5_000)).to.equal('full');
  });
});

describe('redisErrorCause', () => {
  it("is Redis' own words, without the hash of a script, and of a MULTI those of the part that was refused", () => {
    expect(redisErrorCause(reply(inScript('NOREPLICAS Not enough good replicas to write.')))).to.equal('NOREPLICAS Not enough good replicas to write.');
    expect(redisErrorCause(reply(inScriptBefore7(`-${oom.message}`)))).to.equal(oom.message);
    expect(redisErrorCause(aborted(oom))).to.equal(oom.message);
  });
});

describe('RedisErrors', () => {
  let now = 0;
  const at = (ms: number, errors: RedisErrors): RedisErrorClass => {
    now = ms;
    return errors.classify(readOnly);
  };

  it('counts from the first READONLY, and anew after 15 s without one', () => {
    const errors = new RedisErrors(() => now);
    expect([at(0, errors), at(4_000, errors), at(6_000, errors), at(20_000, errors), at(36_000, errors), at(42_000, errors)]).to.deep.equal([
      'unavailable', 'unavailable', 'refused', 'refused', 'unavailable', 'refused',
    ]);
  });
});
