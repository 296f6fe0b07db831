/** What came over the connection cannot be read as an HTTP answer. The text is for people, and says what came. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}
