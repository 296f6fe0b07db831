/**
 * A whole hash, if another version of it is stored than the caller knows. Whoever changes the hash changes the version in the same script.
 * KEYS 1 the hash, 2 version. ARGV 1 the version that the caller knows, '' for none.
 * @returns {version}, or {version, [field, value, ...]}
 */
export const readVersionedHash = `
local version = redis.call('GET', KEYS[2]) or '0'
if version == ARGV[1] then return {version} end
return {version, redis.call('HGETALL', KEYS[1])}
`;
