const codes = { red: [31, 39], green: [32, 39], yellow: [33, 39], magenta: [35, 39], dim: [2, 22] } as const;

export type Colour = keyof typeof codes;

/** Colours a text for a terminal. */
export type Paint = (colour: Colour, text: string) => string;

export const paint: Paint = (colour, text) => {
  const [on, off] = codes[colour];
  return `\u001b[${on}m${text}\u001b[${off}m`;
};

export const doNotPaint: Paint = (_colour, text) => text;
