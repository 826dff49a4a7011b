/**
 * Calls a listener for somebody who must not be harmed by it: the writer whose change it tells of, or the other
 * listeners. What it throws is a bug, so it surfaces as an uncaught exception, but on a turn of its own.
 */
export function notify(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
