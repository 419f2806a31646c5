/** Of each replica, so many of its last lines. */
export const LINES_ON_FAILURE = 40;

/**
 * Runs a test; what it throws is thrown on, with what the replicas have logged at the end of its message. An error keeps its
 * class: whoever expects it still does.
 */
export async function logsOnFailure<T>(
  test: () => T | Promise<T>,
  logs: () => readonly string[] | Promise<readonly string[]>,
): Promise<T> {
  try {
    return await test();
  } catch (error) {
    const lines = await Promise.resolve()
      .then(logs)
      .catch((reason: unknown) => [`(the logs cannot be read: ${String(reason)})`]);
    throw lines.length === 0 ? error : withLines(error, lines);
  }
}

function withLines(thrown: unknown, lines: readonly string[]): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
  const { message, stack = '' } = error;
  const longer = [message, '', 'The last lines of the replicas:', ...lines].join('\n');
  error.message = longer;
  // Test runners print the stack, which has the message of before.
  error.stack = stack.includes(message) ? stack.replace(message, () => longer) : `${longer}\n${stack}`;
  return error;
}
