/** Enough to keep the store busy, not enough to fill its queue. */
const SIDE_BY_SIDE = 64;

/** Does the work for each item, some at a time. @param work must see to its own errors, or the first one is thrown */
export async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, items.length) }, worker));
}
