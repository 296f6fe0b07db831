/** Longer texts are looked for in messages by their beginnings, characters. */
export const HINT_CHARACTERS = 64;
