import type { ReadPage } from '../read-pages.js';

/** What a list of tasks may not hold although it matches. */
export class ListGaps {
  #last: Pick<ReadPage, 'notRead' | 'isComplete'> = { notRead: 0, isComplete: true };

  note(page: Pick<ReadPage, 'notRead' | 'isComplete'>): void {
    this.#last = page;
  }

  /** Says what is missing. @returns whether something is */
  tell(say: (text: string) => void): boolean {
    const { notRead, isComplete } = this.#last;
    if (notRead > 0) say(`${notRead} tasks could not be read, and may be missing here`);
    if (!isComplete) say('this is not complete: some tasks may be missing, because they moved while it was read, too many are being sent, or a part of Redis does not answer');
    return notRead > 0 || !isComplete;
  }
}
