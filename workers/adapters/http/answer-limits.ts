/** Limit for the final head of an answer, status line and line ends included, in bytes. */
export const mostHeadBytes = 16 * 1024;

/** The rest of a longer body is not read: its connection is dropped, and the part that has come counts as the answer. */
export const mostBodyBytes = 64 * 1024;

/**
 * Limit for all bytes that come over a connection for one request: empty lines, interim answers, head, sizes and
 * extensions of chunks, body, trailers. The parser counts only headers and body, and would read the others without end.
 */
export const mostAnswerBytes = mostHeadBytes + mostBodyBytes;
