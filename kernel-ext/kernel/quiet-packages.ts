/** What packages print on their own account and a notebook need not see. */

/**
 * tfjs advises every Node program to install the native binding instead. The course chooses its
 * backend itself and says so (`npx infinity doctor`), and nbgrader takes any text on stderr for a failure.
 */
const advice = [/^\s*=+\s+Hi, looks like you are running TensorFlow\.js in Node\.js\./];

/** Whether `text`, one whole write, is such advice. */
export function isPackageAdvice(text: string): boolean {
  return advice.some((pattern) => pattern.test(text));
}
