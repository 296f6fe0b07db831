// Loaded into a worker by NODE_OPTIONS: its clock goes wrong by SHIFT_CLOCK_MS.
const RealDate = globalThis.Date;
const shiftMs = Number(process.env.SHIFT_CLOCK_MS);

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shiftMs);
    else super(...args);
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
};
