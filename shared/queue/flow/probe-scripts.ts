/** Lua of the single sends that test whether a destination works again. */

import { nowMs } from '../engine/now-ms.js';

/**
 * A worker that has not heard yet how the last probe ended must not send another one.
 *
 * KEYS 1 probe, 2 controls. ARGV 1 holder, 2 for how long (ms), 3 field of the circuit.
 * @returns 1; 0 when another worker has it; the circuit as JSON when it is open for longer
 */
const takeProbe = `${nowMs}
local circuit = redis.call('HGET', KEYS[2], ARGV[3])
if circuit and cjson.decode(circuit)['until'] > now then return circuit end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
`;

/** KEYS 1 probe. ARGV 1 holder. Frees the probe if it still belongs to the holder. */
const endProbe = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

/**
 * The same for all probes of a holder that is gone. Only an open circuit has one.
 *
 * KEYS 1 controls. ARGV 1 holder, 2 what the keys of probes begin with, 3 what the fields of circuits begin with.
 * @returns how many there were
 */
const endProbesOf = `
local ended = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, #ARGV[3]) == ARGV[3] then
    local probe = ARGV[2] .. string.sub(field, #ARGV[3] + 1)
    if redis.call('GET', probe) == ARGV[1] then ended = ended + redis.call('DEL', probe) end
  end
end
return ended
`;

export const probeScripts = {
  krsFlowTakeProbe: { numberOfKeys: 2, lua: takeProbe },
  krsFlowEndProbe: { numberOfKeys: 1, lua: endProbe },
  krsFlowEndProbesOf: { numberOfKeys: 1, lua: endProbesOf },
} as const;
