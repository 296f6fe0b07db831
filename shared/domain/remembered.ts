/** Longer questions are answered anew: what clients send may be long, and thousands of them would take much memory. */
const LONGEST_QUESTION_CHARACTERS = 500;

/**
 * A pure function that remembers its latest answers, for questions that are often repeated and cost more than a look-up.
 * @param most answers kept. They stand in two halves: when the newer one is full, the older one is dropped. So what is asked again and again stays
 */
export function remembered<T>(most: number, answer: (question: string) => T): (question: string) => T {
  let newer = new Map<string, T>();
  let older = new Map<string, T>();
  return (question) => {
    const known = newer.get(question);
    if (known !== undefined) return known;
    const found = older.get(question) ?? answer(question);
    if (question.length > LONGEST_QUESTION_CHARACTERS) return found;
    if (newer.size >= most / 2) {
      older = newer;
      newer = new Map();
    }
    newer.set(question, found);
    return found;
  };
}
