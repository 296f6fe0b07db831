/**
 * A pure function that remembers its latest answers: for what is asked again and again and costs more than a look-up.
 * @param most answers kept; when there are more, all are forgotten, which costs less than to know the oldest
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
