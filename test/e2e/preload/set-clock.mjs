// Loaded into a process by NODE_OPTIONS: its time of day is wrong by the milliseconds that stand in the file CLOCK_FILE.
import { readFileSync } from 'node:fs';

const RealDate = globalThis.Date;

function shiftMs() {
  return Number(readFileSync(process.env.CLOCK_FILE, 'utf8'));
}

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shiftMs());
    else super(...args);
  }

  static now() {
    return RealDate.now() + shiftMs();
  }
};
