import { hasNoControls, isAddressable, isShort, isWellFormed, MAX_TEXT_CODE_POINTS, type FieldCheck, type TextCheck } from '../field-check.js';

/** Every parser cuts spaces off at the ends of a header, so ` a` would arrive as `a`, which is another id. */
const hasNoSpaceAtEnds: TextCheck = (value) => (value.startsWith(' ') || value.endsWith(' ') ? 'must not begin or end with a space, which would not arrive in a header' : undefined);

/** Attempt 1 of `a|dead` and the dead letter of `a` after one send would have the same key, `a|dead|1` (outgoing-message.ts). */
const isNoDeadLetter: TextCheck = (value) => (value.endsWith('|dead') ? 'must not end in |dead: its keys could be those of the dead letter of another task' : undefined);

/**
 * The id of a task names it alone: two ids have no key, header or address in common. An id that was stored before these
 * rules stays readable, and its task is delivered.
 */
export const taskIdCheck: FieldCheck = {
  kind: 'text',
  checks: [isWellFormed, hasNoControls, isShort, isAddressable, hasNoSpaceAtEnds, isNoDeadLetter],
  allowed: `1 to ${MAX_TEXT_CODE_POINTS} characters, no control characters, no space at either end; neither \`.\` nor \`..\`, and no \`|dead\` at the end`,
};
