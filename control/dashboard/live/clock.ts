import { signal } from '@preact/signals';

/** The time, every second, for ages and what is left; stands still while nobody looks. */
export const now = signal(Date.now());

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) now.value = Date.now();
});
