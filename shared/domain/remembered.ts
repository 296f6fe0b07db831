/**
 * A pure function that remembers its latest answers, for questions that are often repeated and cost more than a look-up.
 * @param most answers kept. When there are more, all are forgotten: this is cheaper than to know which one is the oldest
 */
export function remembered<T>(most: number, answer: (question: string) => T): (question: string) => T {
  const answers = new Map<string, T>();
  return (question) => {
    const known = answers.get(question);
    if (known !== undefined) return known;
    const found = answer(question);
    if (answers.size >= most) answers.clear();
    answers.set(question, found);
    return found;
  };
}
